/**
 * The whole-process workloads. Each node is a process of its own, all on this machine; times are of one clock, from the call
 * of the writer until the entry can be read at the others by what a node offers to everybody.
 */
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { now, sleep, type Cluster } from './bench-cluster.js'
import { wireBytes } from './bench-machine.js'
import { quantiles, round, type Parameters } from './bench-result.js'

export interface Sizes {
  /** Receivers. */
  readonly n: number
  /** Entries of the loads W2, W3, W4 and W6. */
  readonly scale: number
  /** Entries a call while loading. */
  readonly batch: number
  /** Changes of W1; of each writer of W8. */
  readonly changes: number
  readonly writes: number
  readonly mib: number
  readonly files: number
  readonly edits: number
  readonly idleS: number
}

export interface Measured {
  readonly workload: string
  readonly n: number
  readonly params: Parameters
  readonly result: Readonly<Record<string, unknown>>
  readonly ok: boolean
  readonly notes: string
}

export type Report = (measured: Measured) => void

const BYTES = 1_024
const W1_KEYS = 50
const W1_RATE_PER_S = 20
export const W8_WRITERS = 4
const W8_KEYS = 100
/** The last change of W1 and W8 must be everywhere by then, ms. */
const SETTLE_MS = 20_000
/** No news for so long means that all is done, ms. */
const QUIET_MS = 2_000

/** CPU seconds and bytes on the wire since this was made; what is profiled is profiled until it is taken. */
class Cost {
  readonly #cpuS: number
  readonly #wire = wireBytes()

  constructor(
    readonly cluster: Cluster,
    readonly workload: string
  ) {
    this.#cpuS = cluster.usage().cpuS
    cluster.beginMeasure(workload)
  }

  taken(): { cpuS: number; wireMB: number } {
    const cpuS = this.cluster.usage().cpuS - this.#cpuS
    const taken = { cpuS: round(cpuS), wireMB: round((wireBytes() - this.#wire) / 1e6, 3) }
    this.cluster.endMeasure(this.workload)
    return taken
  }
}

const receiversOf = (n: number): number[] => Array.from({ length: n }, (_, at) => at + 1)

/** One writer, a change every 50 ms: until it shows at all others. */
export async function propagation(cluster: Cluster, { n, changes }: Sizes, report: Report): Promise<void> {
  await cluster.start(n + 1)
  const others = receiversOf(n)
  const cost = new Cost(cluster, 'W1')
  await cluster.all('record', { on: true }, others)
  const made = await cluster.call<Array<[number, number, number, string]>>(0, 'paced', {
    count: changes,
    rate: W1_RATE_PER_S,
    keys: W1_KEYS
  })
  const newest = new Map(made.map(([version, , , key]) => [key, version]))
  const seen = others.map((): Array<[string, number, number]> => [])
  const end = now() + SETTLE_MS
  for (;;) {
    const news = await cluster.all<Array<[string, number, number]>>('record', { on: true }, others)
    news.forEach((events, at) => seen[at]!.push(...events))
    const complete = seen.every((events) =>
      [...newest].every(([key, version]) => events.some(([at, has]) => at === key && has >= version))
    )
    if (complete || now() > end) break
    await sleep(50)
  }
  const fromCall: number[] = []
  const fromAccept: number[] = []
  for (const [version, called, accepted, key] of made) {
    // a later version of the key is as good
    const first = seen.map((events) =>
      Math.min(...events.filter(([at, has]) => at === key && has >= version).map(([, , ms]) => ms))
    )
    const all = Math.max(...first)
    if (!Number.isFinite(all)) continue
    fromCall.push(all - called)
    fromAccept.push(all - accepted)
  }
  const lost = changes - fromCall.length
  report({
    workload: 'W1',
    n,
    params: { count: changes, rate: W1_RATE_PER_S, keys: W1_KEYS, bytes: BYTES },
    result: { fromCallMs: quantiles(fromCall), fromAcceptMs: quantiles(fromAccept), lost, ...cost.taken() },
    ok: lost === 0,
    notes: lost === 0 ? '' : `${lost} changes were not everywhere after ${SETTLE_MS / 1_000} s`
  })
}

/** One load, and what of it was asked for: the load itself, the rest after it, a cold join, a catch-up. */
export async function load(cluster: Cluster, sizes: Sizes, report: Report, wants: ReadonlySet<string>): Promise<void> {
  const { n, scale, batch } = sizes
  await cluster.start(n + 1)
  const params = { scale, bytes: BYTES, batch }
  const cost = new Cost(cluster, 'W2')
  const held = cluster.all<number>('wait', { count: scale }, receiversOf(n))
  const { began, accepted } = await cluster.call<{ began: number; accepted: number }>(0, 'burst', {
    count: scale,
    batch
  })
  const seconds = (Math.max(...(await held)) - began) / 1_000
  const burst = {
    seconds: round(seconds, 3),
    entriesPerS: Math.round(scale / seconds),
    acceptedS: round((accepted - began) / 1_000, 3),
    ...cost.taken()
  }
  if (wants.has('W2')) report({ workload: 'W2', n, params, result: burst, ok: true, notes: '' })
  if (wants.has('W6')) await rest(cluster, sizes, report, params)
  if (wants.has('W3')) await coldJoin(cluster, sizes, report, params)
  if (wants.has('W4')) await catchUp(cluster, sizes, report, params)
}

async function rest(cluster: Cluster, { n, idleS }: Sizes, report: Report, params: Parameters): Promise<void> {
  await sleep(QUIET_MS)
  await cluster.all('forget')
  await sleep(QUIET_MS)
  const [writer, receiver] = [cluster.usage(0).rssMiB, cluster.usage(1).rssMiB]
  const cost = new Cost(cluster, 'W6')
  const began = now()
  await sleep(idleS * 1_000)
  const seconds = (now() - began) / 1_000
  const { cpuS, wireMB } = cost.taken()
  await cluster.keepHeap(1)
  const [cpuPercent, bytesPerS] = [(cpuS / seconds) * 100, (wireMB * 1e6) / seconds]
  report({
    workload: 'W6',
    n,
    params: { ...params, idleS },
    result: {
      writerRssMiB: round(writer, 1),
      receiverRssMiB: round(receiver, 1),
      idleCpuPercentAll: round(cpuPercent),
      idleKBps: round(bytesPerS / 1_000),
      idleCpuPercentNode: round(cpuPercent / (n + 1), 3),
      idleBytesNodeSecond: round(bytesPerS / (n + 1), 0)
    },
    ok: true,
    notes: ''
  })
}

async function equalAt(cluster: Cluster, nodes: readonly number[]): Promise<{ equal: boolean; sizes: number[] }> {
  const digests = await cluster.all<{ size: number; hash: string }>('digest', {}, [...nodes])
  return { equal: digests.every(({ hash }) => hash === digests[0]?.hash), sizes: digests.map(({ size }) => size) }
}

const STATES_DIFFER = 'the nodes do not hold the same'

async function coldJoin(cluster: Cluster, { n, scale }: Sizes, report: Report, params: Parameters): Promise<void> {
  await sleep(QUIET_MS)
  const newcomer = n + 1
  const cost = new Cost(cluster, 'W3')
  const began = await cluster.add(newcomer)
  const all = await cluster.call<number>(newcomer, 'wait', { count: scale })
  const taken = cost.taken()
  const { equal } = await equalAt(cluster, [0, newcomer])
  const result = {
    seconds: round((all - began) / 1_000, 3),
    openS: round(cluster.openMs(newcomer) / 1_000, 3),
    ...taken
  }
  report({ workload: 'W3', n, params, result, ok: equal, notes: equal ? '' : STATES_DIFFER })
  await cluster.end(newcomer)
}

async function catchUp(cluster: Cluster, { n, scale }: Sizes, report: Report, params: Parameters): Promise<void> {
  const away = n
  const changed = Math.min(100, scale)
  await cluster.end(away)
  const waits = cluster.all('wait', { count: changed, version: 2 }, receiversOf(n - 1))
  await cluster.call(0, 'burst', { count: changed, version: 2 })
  await waits
  await sleep(QUIET_MS)
  const cost = new Cost(cluster, 'W4')
  const began = await cluster.add(away)
  const times = [
    await cluster.call<number>(away, 'wait', { count: changed, version: 2 }),
    await cluster.call<number>(away, 'wait', { count: scale })
  ]
  const taken = cost.taken()
  const { equal } = await equalAt(cluster, [0, away])
  const result = {
    seconds: round((Math.max(...times) - began) / 1_000, 3),
    openS: round(cluster.openMs(away) / 1_000, 3),
    ...taken
  }
  report({ workload: 'W4', n, params: { ...params, changed }, result, ok: equal, notes: equal ? '' : STATES_DIFFER })
}

/** One big file to all others. */
export async function bigFile(cluster: Cluster, { n, mib }: Sizes, report: Report): Promise<void> {
  const file = join(cluster.root, 'blob.bin')
  writeNoise(file, mib)
  await cluster.start(n + 1)
  const others = receiversOf(n)
  const outOf = (i: number): string => join(cluster.root, `blob-${i}.out`)
  const idleMiB = cluster.usage().rssMiB
  const arrived = Promise.all(others.map((i) => cluster.call<number>(i, 'blobWait', { file: outOf(i) })))
  const cost = new Cost(cluster, 'W5')
  const { began, accepted } = await cluster.call<{ began: number; accepted: number }>(0, 'blobSend', { file })
  let peakMiB = 0
  const looking = setInterval(() => (peakMiB = Math.max(peakMiB, cluster.usage().rssMiB)), 100)
  const seconds = (Math.max(...(await arrived.finally(() => clearInterval(looking)))) - began) / 1_000
  const result = {
    seconds: round(seconds, 3),
    mbPerS: round((mib * 2 ** 20) / 1e6 / seconds),
    acceptedS: round((accepted - began) / 1_000, 3),
    rssGrowthMiBNode: round((peakMiB - idleMiB) / (n + 1), 1),
    ...cost.taken()
  }
  const sums = await Promise.all([file, ...others.map(outOf)].map(sha256Of))
  const ok = sums.every((sum) => sum === sums[0])
  report({ workload: 'W5', n, params: { mib }, result, ok, notes: ok ? '' : STATES_DIFFER })
}

/** Bytes no compression helps with, the same in every run. */
function writeNoise(path: string, mib: number): void {
  const file = openSync(path, 'w')
  const part = Buffer.alloc(2 ** 20)
  let state = 1
  for (let i = 0; i < mib; i++) {
    for (let at = 0; at < part.length; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
      part.writeInt32LE(state, at)
    }
    writeSync(file, part)
  }
  fsyncSync(file)
  closeSync(file)
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(part as Uint8Array)
  return hash.digest('hex')
}

/** Writers that change the same keys at the same time: whether all end equal, and how soon. */
export async function writers(cluster: Cluster, { writes }: Sizes, report: Report): Promise<void> {
  const n = W8_WRITERS
  const all = Array.from({ length: n }, (_, i) => i)
  await cluster.start(n)
  const there = cluster.all('wait', { count: W8_KEYS, version: 0 }, all.slice(1))
  await cluster.call(0, 'burst', { count: W8_KEYS, version: 0 })
  await there
  const cost = new Cost(cluster, 'W8')
  const began = now()
  const lasts = all.map((i) => cluster.call<number>(i, 'writer', { count: writes, keys: W8_KEYS, i, writers: n }))
  const last = Math.max(...(await Promise.all(lasts)))
  const end = now() + SETTLE_MS
  let state = { equal: false, sizes: [] as number[] }
  let settled = last
  while (!state.equal && now() < end) {
    await sleep(100)
    settled = Math.max(...(await cluster.all<number>('lastChange')))
    if (now() - Math.max(settled, last) >= QUIET_MS || now() >= end) state = await equalAt(cluster, all)
  }
  const result = {
    equal: state.equal,
    sizes: state.sizes,
    writeS: round((last - began) / 1_000, 3),
    settleS: round(Math.max(0, settled - last) / 1_000, 3),
    ...cost.taken()
  }
  const params = { count: writes, keys: W8_KEYS }
  report({ workload: 'W8', n, params, result, ok: state.equal, notes: state.equal ? '' : STATES_DIFFER })
}

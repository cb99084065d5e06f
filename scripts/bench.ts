/**
 * Our part of the benchmark without the peers: `npm run bench -- [--only W1,W2] [--nodes 4] [--scale 10000] [--runs 1]`.
 * The workloads are those of the peer benchmark, in small: one JSON line each, and a table. All nodes share this machine.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'W1,W2,W3,W4,W5,W6,W7' },
    nodes: { type: 'string', default: '4' },
    scale: { type: 'string', default: '10000' },
    mib: { type: 'string', default: '64' },
    runs: { type: 'string', default: '1' },
    out: { type: 'string' }
  }
})

type Info = Record<string, unknown>

interface Agent {
  readonly process: ChildProcess
  call<T>(command: string, args?: object): Promise<T>
}

const keyAt = (i: number): string => `ws/${i % 64}/layer/${i}`
const hex = createHash('sha256').update('bench').digest('hex')
/** 1,024 characters, half of them hardly compressible. */
function doc(key: string, version: number): string {
  const noise = createHash('sha512').update(`${key} ${version}`).digest('hex').repeat(4)
  return `${version}|<layer name="${key}">${noise}${hex.repeat(8)}`.slice(0, 1_024)
}

class Cluster {
  readonly root = mkdtempSync(join(tmpdir(), 'grapevine-bench-'))
  readonly agents: Agent[] = []
  readonly #ctx: { nodes: Info[]; variant?: string }

  constructor(variant?: string) {
    this.#ctx = variant === undefined ? { nodes: [] } : { nodes: [], variant }
  }

  async add(i: number): Promise<void> {
    const child = fork(new URL('./bench-agent.mjs', import.meta.url), [], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
    let id = 0
    child.on('message', (message: { id: number; value?: unknown; error?: string }) => {
      const call = pending.get(message.id)
      pending.delete(message.id)
      if (message.error === undefined) call?.resolve(message.value)
      else call?.reject(new Error(message.error))
    })
    child.on('exit', () => {
      for (const call of pending.values()) call.reject(new Error('the node ended'))
    })
    const call = <T>(command: string, args?: object): Promise<T> =>
      new Promise((resolve, reject) => {
        pending.set(++id, { resolve: resolve as (value: unknown) => void, reject })
        child.send({ id, command, args })
      })
    this.agents[i] = { process: child, call }
    const dir = join(this.root, `node-${i}`)
    mkdirSync(dir, { recursive: true })
    this.#ctx.nodes[i] = await call<Info>('open', { i, dir, ctx: this.#ctx })
  }

  async start(count: number): Promise<this> {
    for (let i = 0; i < count; i++) await this.add(i)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    return this
  }

  folder(i: number): string {
    return String(this.#ctx.nodes[i]!.folder)
  }

  others<T>(command: string, args?: object): Promise<T[]> {
    return Promise.all(this.agents.slice(1).map((agent) => agent.call<T>(command, args)))
  }

  async end(i: number): Promise<void> {
    await this.agents[i]!.call('close').catch(() => undefined)
    const { process: child } = this.agents[i]!
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.disconnect()
    await gone
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((_, i) => this.end(i)))
    rmSync(this.root, { recursive: true, force: true })
  }
}

function quantiles(times: readonly number[]): { p50: number; p95: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (q: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 10) / 10
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

const nodes = Number(options.nodes)
const scale = Number(options.scale)
const wanted = new Set(options.only.split(','))
const lines: string[] = []

function report(workload: string, result: object): void {
  const line = JSON.stringify({
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    nodes,
    workload,
    ...result
  })
  lines.push(line)
  process.stdout.write(`${line}\n`)
}

async function propagation(): Promise<void> {
  const cluster = await new Cluster().start(nodes)
  await cluster.others('record', { on: true })
  const calls: Array<{ key: string; version: number; called: number }> = []
  for (let change = 1; change <= 200; change++) {
    const key = keyAt(change % 50)
    const began = performance.now()
    const { called } = await cluster.agents[0]!.call<{ called: number }>('put', { key, value: doc(key, change) })
    calls.push({ key, version: change, called })
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 50 - (performance.now() - began))))
  }
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const events = await cluster.others<Array<[string, number, number]>>('record', { on: false })
  const times: number[] = []
  let lost = 0
  for (const { key, version, called } of calls) {
    const arrived = events.map((own) => own.find(([at, seen]) => at === key && seen >= version)?.[2])
    if (arrived.some((at) => at === undefined)) lost += 1
    else times.push(Math.max(...(arrived as number[])) - called)
  }
  report('W1', { ms: quantiles(times), lost })
  await cluster.stop()
}

async function burstJoinCatchUp(): Promise<void> {
  const cluster = await new Cluster().start(nodes)
  const entries = Array.from({ length: scale }, (_, i) => [keyAt(i), doc(keyAt(i), 1)])
  const held = cluster.others<number>('wait', { count: scale })
  const { began, accepted } = await cluster.agents[0]!.call<{ began: number; accepted: number }>('burst', { entries })
  const seconds = (Math.max(...(await held)) - began) / 1_000
  report('W2', { scale, seconds, acceptedS: (accepted - began) / 1_000, entriesPerS: Math.round(scale / seconds) })
  if (wanted.has('W6')) {
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    const before = await Promise.all(cluster.agents.map((agent) => agent.call<{ cpuS: number }>('usage')))
    await new Promise((resolve) => setTimeout(resolve, 20_000))
    const after = await Promise.all(
      cluster.agents.map((agent) => agent.call<{ cpuS: number; rssMiB: number }>('usage'))
    )
    const cpuPercent = after.map(({ cpuS }, i) => ((cpuS - before[i]!.cpuS) / 20) * 100)
    report('W6', {
      scale,
      rssMiB: after.map(({ rssMiB }) => rssMiB),
      idleCpuPercent: cpuPercent.map((each) => Math.round(each * 100) / 100)
    })
  }
  if (wanted.has('W3')) {
    const t0 = await cluster.agents[0]!.call<number>('now')
    await cluster.add(nodes)
    const all = await cluster.agents[nodes]!.call<number>('wait', { count: scale })
    report('W3', { scale, seconds: (all - t0) / 1_000 })
  }
  if (wanted.has('W4')) await catchUp(cluster)
  await cluster.stop()
}

async function catchUp(cluster: Cluster): Promise<void> {
  const away = nodes - 1
  await cluster.end(away)
  const entries = Array.from({ length: 100 }, (_, i) => [keyAt(i), doc(keyAt(i), 2)])
  await cluster.agents[0]!.call('burst', { entries })
  const t0 = await cluster.agents[0]!.call<number>('now')
  await cluster.add(away)
  const all = await cluster.agents[away]!.call<number>('wait', { count: 100, version: 2 })
  report('W4', { scale, seconds: (all - t0) / 1_000 })
}

async function blob(): Promise<void> {
  const cluster = await new Cluster().start(nodes)
  const mib = Number(options.mib)
  const file = join(cluster.root, 'blob.bin')
  writeFileSync(file, randomBytes(mib * 2 ** 20))
  const arrived = Promise.all(
    cluster.agents.slice(1).map((agent, i) => agent.call<number>('blobWait', { file: join(cluster.root, `out-${i}`) }))
  )
  const { began } = await cluster.agents[0]!.call<{ began: number }>('blobSend', { file })
  const seconds = (Math.max(...(await arrived)) - began) / 1_000
  const usage = await Promise.all(cluster.agents.map((agent) => agent.call<{ rssMiB: number }>('usage')))
  report('W5', {
    mib,
    seconds,
    mbPerS: Math.round((mib * 2 ** 20) / 1e6 / seconds),
    rssMiB: usage.map(({ rssMiB }) => rssMiB)
  })
  await cluster.stop()
}

function holds(path: string, content: string): boolean {
  try {
    return readFileSync(path, 'utf8') === content
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<number> {
  const began = performance.now()
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
  return performance.now() - began
}

async function files(): Promise<void> {
  const cluster = await new Cluster('files').start(nodes)
  const all = Array.from({ length: 1_000 }, (_, i) => ({
    path: `styles/ws${i % 20}/s${i}.xml`,
    content: doc(String(i), 1)
  }))
  const began = performance.now()
  for (const { path, content } of all) {
    mkdirSync(dirname(join(cluster.folder(0), path)), { recursive: true })
    writeFileSync(join(cluster.folder(0), path), content)
  }
  let left = all.flatMap((file) => cluster.agents.slice(1).map((_, i) => ({ ...file, folder: cluster.folder(i + 1) })))
  await until(
    () => (left = left.filter(({ folder, path, content }) => !holds(join(folder, path), content))).length === 0
  )
  const seconds = (performance.now() - began) / 1_000
  const edits: number[] = []
  for (let edit = 0; edit < 50; edit++) {
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { path } = all[(edit * 37) % all.length]!
    const content = doc(path, edit + 2)
    const temporary = join(cluster.root, 'edit.tmp')
    writeFileSync(temporary, content)
    renameSync(temporary, join(cluster.folder(0), path))
    edits.push(
      await until(() => cluster.agents.slice(1).every((_, i) => holds(join(cluster.folder(i + 1), path), content)))
    )
  }
  report('W7', { files: all.length, seconds, editMs: quantiles(edits) })
  await cluster.stop()
}

for (let run = 0; run < Number(options.runs); run++) {
  if (wanted.has('W1')) await propagation()
  if (wanted.has('W2') || wanted.has('W3') || wanted.has('W4') || wanted.has('W6')) await burstJoinCatchUp()
  if (wanted.has('W5')) await blob()
  if (wanted.has('W7')) await files()
}
if (options.out !== undefined) writeFileSync(options.out, `${lines.join('\n')}\n`)

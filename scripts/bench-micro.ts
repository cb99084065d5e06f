/**
 * Single steps, in this process alone: what one entry costs a core. CPU time is counted, not the time on the wall, so that
 * the figures hold on a machine that does other things as well. Where a thread pool works along, its time is in it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyPairOf, verify } from '../src/identity/index.js'
import { SegmentLog } from '../src/log/index.js'
import { silentLogger } from '../src/runtime.js'
import { NodeDisk } from '../src/runtime-node.js'
import { openStore } from '../src/store/index.js'
import { bodyOf, decodeRecord, encodeBody, sha256, signedBytes, type SignedRecord } from '../src/wire/index.js'
import { Lab } from '../test/replica/lab.js'
import { doc, keyAt } from './bench-docs.mjs'
import { median, round } from './bench-result.js'
import type { Report } from './bench-workloads.js'

/** Each step is repeated so often; the median counts. */
const ROUNDS = 5
/** One repetition takes about so long, ms of CPU. */
const ROUND_MS = 300
/** Entries folded, rows stored. */
const ENTRIES = 2_000
const ROWS_A_BATCH = 100

/** CPU of this process with all its threads, µs. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** CPU microseconds of one call. */
function timed(step: () => unknown): number {
  let calls = 1
  for (;;) {
    const began = cpuUs()
    for (let i = 0; i < calls; i++) step()
    const taken = cpuUs() - began
    if (taken >= ROUND_MS * 1_000) break
    calls = Math.ceil(calls * Math.max(2, (ROUND_MS * 1_200) / Math.max(1, taken)))
  }
  const times = Array.from({ length: ROUNDS }, () => {
    const began = cpuUs()
    for (let i = 0; i < calls; i++) step()
    return (cpuUs() - began) / calls
  })
  return median(times)
}

/** Says what `us` microseconds of CPU mean. */
function reporter(report: Report): (step: string, us: number, more?: Readonly<Record<string, number>>) => void {
  return (step, us, more = {}) =>
    report({
      workload: 'micro',
      n: 0,
      params: { step },
      result: { cpuUs: round(us), perSCore: Math.round(1e6 / us), ...more },
      ok: true,
      notes: ''
    })
}

/** A record as a change of one entry of 1 KiB makes it. */
async function sampleRecord(): Promise<SignedRecord> {
  const [node] = await new Lab().nodes(1)
  await node!.put(keyAt(1), doc(keyAt(1), 1))
  return node!.records().at(-1)!
}

export async function micro(report: Report): Promise<void> {
  const say = reporter(report)
  const record = await sampleRecord()
  const keys = keyPairOf(sha256(Buffer.from('bench')))
  const bytes = signedBytes(bodyOf(record.bytes))
  const signature = keys.sign(bytes)
  say(
    'encode a record of 1 KiB',
    timed(() => encodeBody(record.body))
  )
  say(
    'decode a record of 1 KiB',
    timed(() => decodeRecord(record.bytes))
  )
  say(
    'sign it',
    timed(() => keys.sign(bytes))
  )
  say(
    'verify it',
    timed(() => verify(keys.publicKey, bytes, signature))
  )
  await fold(say)
  await store(say)
  await log(say, record)
}

type Say = ReturnType<typeof reporter>

/** Records of one entry each, taken in by a node that trusts signatures, over a disk and a store in memory. */
async function fold(say: Say): Promise<void> {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const [writer, reader] = await new Lab(round + 1).nodes(2)
    for (let i = 0; i < ENTRIES; i++) await writer!.put(keyAt(i), doc(keyAt(i), 1))
    const records = writer!.records().filter(({ body }) => body.space !== 'members')
    const began = cpuUs()
    await reader!.receive(records)
    rounds.push((cpuUs() - began) / ENTRIES)
    const paths = await reader!.tree()
    if (paths.length < ENTRIES) throw new Error(`only ${paths.length} of ${ENTRIES} entries were folded`)
  }
  say('take in, verify and fold one entry', median(rounds), { entries: ENTRIES })
}

async function store(say: Say): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'grapevine-bench-store-'))
  const { store } = await openStore(join(directory, 'index'))
  try {
    const value = Buffer.alloc(200, 7)
    let row = 0
    const writes: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const began = cpuUs()
      for (let batch = 0; batch < ENTRIES / ROWS_A_BATCH; batch++) {
        const rows = Array.from({ length: ROWS_A_BATCH }, () => [`bench!${row++}`, value] as const)
        await store.write(new Map(rows))
      }
      writes.push((cpuUs() - began) / ENTRIES)
    }
    say(`store a row of 200 bytes, ${ROWS_A_BATCH} a batch`, median(writes))
    let read = 0
    say(
      'read a row',
      timed(() => store.get(`bench!${read++ % row}`))
    )
  } finally {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The disk is in this one: `syncMs` is the time on the wall of one append with its fsync. */
async function log(say: Say, record: SignedRecord): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'grapevine-bench-log-'))
  const segments = await SegmentLog.open(new NodeDisk(directory), { logger: silentLogger })
  try {
    const times: number[] = []
    const began = cpuUs()
    for (let i = 0; i < 200; i++) {
      const from = performance.now()
      await segments.append([record.bytes])
      times.push(performance.now() - from)
    }
    say('append one record and make it durable', (cpuUs() - began) / times.length, { syncMs: round(median(times), 3) })
  } finally {
    await segments.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

// One node of the benchmark: a process that loads the adapter, does what it is told, and stamps what becomes visible.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { writeHeapSnapshot } from 'node:v8'
import { open } from './bench-adapter.mjs'
import { doc, keyAt, versionOf } from './bench-docs.mjs'

/** What `npm run bench -- profile` looks at: where the time goes from here on, or from the start of this process. */
let profiler
const PROFILED_FROM_START = process.env.GRAPEVINE_BENCH_PROFILE !== undefined
/** Between two looks, µs. */
const PROFILE_INTERVAL_US = 1_000
let cpuBefore

/** Threads that Node starts before anything else runs: those of V8, which compile and collect garbage. */
const OF_V8 = 6

/** By thread, ms: what is sampled is time on the wall, also while others had the processor, and of one thread. */
function cpuMs() {
  const { user, system } = process.cpuUsage()
  const [main, ...others] = fs
    .readdirSync('/proc/self/task')
    .toSorted((a, b) => a - b)
    .map((thread) => {
      const stat = fs.readFileSync(`/proc/self/task/${thread}/stat`, 'utf8')
      const [userTicks, systemTicks] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13)
        .map(Number)
      return (userTicks + systemTicks) * 10
    })
  const v8 = others.slice(0, OF_V8).reduce((sum, ms) => sum + ms, 0)
  return { all: (user + system) / 1_000, main, v8 }
}

async function beginProfile() {
  // nothing of it is loaded where only the time is taken
  profiler = new (await import('node:inspector/promises')).Session()
  profiler.connect()
  await profiler.post('Profiler.enable')
  await profiler.post('Profiler.setSamplingInterval', { interval: PROFILE_INTERVAL_US })
  cpuBefore = PROFILED_FROM_START ? { all: 0, main: 0, v8: 0 } : cpuMs()
  await profiler.post('Profiler.start')
}
if (PROFILED_FROM_START) await beginProfile()

/** Changes under way at once in a burst of single calls. */
const INFLIGHT = 64

/** All processes of a machine share this clock. */
const now = () => Number(process.hrtime.bigint()) / 1e6
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const seen = new Map()
const waiting = new Set()
let recording = false
let events = []
let lastChange = 0
let node

function onVisible(key, value) {
  const version = versionOf(value)
  const at = now()
  lastChange = at
  if (recording) events.push([key, version, at])
  const before = seen.get(key) ?? -1
  if (version <= before) return
  seen.set(key, version)
  for (const wait of waiting) {
    if (before >= wait.version || version < wait.version || ++wait.have < wait.count) continue
    waiting.delete(wait)
    wait.resolve(at)
  }
}

const have = (version) => [...seen.values()].filter((value) => value >= version).length

const commands = {
  async open({ i, dir, ctx }) {
    node = await open({ i, dir, ctx, onVisible })
    return { info: node.info, at: now() }
  },
  linked: ({ count }) => node.linked(count),
  have: ({ version = 1 }) => have(version),
  wait: ({ count, version = 1 }) =>
    new Promise((resolve) => {
      const wait = { count, version, have: have(version), resolve }
      if (wait.have >= count) resolve(now())
      else waiting.add(wait)
    }),
  record({ on }) {
    recording = on
    const taken = events
    events = []
    return taken
  },
  /** `count` changes over `keys` keys at `rate` a second: [version, called, accepted, key] of each. */
  async paced({ count, rate, keys }) {
    const began = now() + 50
    const rows = []
    const open = []
    for (let version = 1; version <= count; version++) {
      const wait = began + ((version - 1) * 1_000) / rate - now()
      if (wait > 0) await sleep(wait)
      const key = keyAt(version % keys)
      const row = [version, now(), null, key]
      rows.push(row)
      open.push(Promise.resolve(node.put(key, doc(key, version))).then(() => (row[2] = now())))
    }
    await Promise.all(open)
    return rows
  },
  /** Entries 0..count at `version`, as fast as they are accepted: one call each, or `batch` a call. */
  async burst({ count, version = 1, batch = 1 }) {
    const entries = Array.from({ length: count }, (_, i) => [keyAt(i), doc(keyAt(i), version)])
    const began = now()
    let next = 0
    const lane = async () => {
      while (next < entries.length) {
        const from = next
        next += batch
        if (batch === 1) await node.put(...entries[from])
        else await node.putMany(entries.slice(from, from + batch))
      }
    }
    await Promise.all(Array.from({ length: batch === 1 ? INFLIGHT : 1 }, lane))
    const accepted = now()
    for (const [key] of entries) seen.set(key, Math.max(version, seen.get(key) ?? -1))
    return { began, accepted }
  },
  /** This node's share of changes to keys that others change at the same time; when the last was accepted. */
  async writer({ count, keys, i, writers }) {
    let last = 0
    for (let step = 0; step < count; step++) {
      const key = keyAt((step * 7 + i * 13) % keys)
      await node.put(key, doc(key, 1 + step * writers + i))
      last = now()
    }
    return last
  },
  lastChange: () => lastChange,
  /** One hash of everything this node shows. */
  async digest() {
    const lines = []
    for await (const [key, value] of node.entries()) lines.push(`${key}=${value}\n`)
    return { size: lines.length, hash: createHash('sha256').update(lines.toSorted().join('')).digest('hex') }
  },
  async blobSend({ file }) {
    const began = now()
    await node.putBlob(file)
    return { began, accepted: now() }
  },
  async blobWait({ file }) {
    await node.blobWait(file)
    return now()
  },
  profile: beginProfile,
  /** The profile since it began, and what all threads of this process took. */
  async profiled({ file }) {
    const { profile } = await profiler.post('Profiler.stop')
    const { all, main, v8 } = cpuMs()
    profiler.disconnect()
    fs.writeFileSync(file, JSON.stringify(profile))
    return { cpuMs: all - cpuBefore.all, mainMs: main - cpuBefore.main, v8Ms: v8 - cpuBefore.v8 }
  },
  /** Bytes; those of files that are mapped (Node itself) are shared with all processes that map them. */
  memory() {
    const mapped = /RssFile:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0
    return { ...process.memoryUsage(), mapped: mapped * 1_024 }
  },
  heap: ({ file }) => writeHeapSnapshot(file),
  /** Lets go of what only the benchmark keeps. */
  forget() {
    seen.clear()
    globalThis.gc?.()
    globalThis.gc?.()
  },
  close: () => node.close()
}

process.on('message', ({ id, command, args }) => {
  Promise.resolve()
    .then(() => commands[command](args ?? {}))
    .then(
      (value) => process.send({ id, value: value ?? null }),
      (error) => process.send({ id, error: error?.stack ?? String(error) })
    )
})
process.on('disconnect', () => process.exit(0))

// One node of the benchmark: a process that loads the adapter, does what it is told, and stamps what becomes visible.
import { createHash } from 'node:crypto'
import { open } from './bench-adapter.mjs'
import { doc, keyAt, versionOf } from './bench-docs.mjs'

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

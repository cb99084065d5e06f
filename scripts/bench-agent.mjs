// One node of the benchmark: a process that loads the adapter, does what it is told, and stamps what becomes visible.
import { open } from './bench-adapter.mjs'

const now = () => Number(process.hrtime.bigint()) / 1e6
const versionOf = (value) => Number.parseInt(value, 10) || 0
const seen = new Map()
const waiting = []
let recording = false
let events = []
let node

function onVisible(key, value) {
  const version = versionOf(value)
  const at = now()
  if (recording) events.push([key, version, at])
  if (version <= (seen.get(key) ?? 0)) return
  seen.set(key, version)
  for (const wait of waiting) {
    if (version >= wait.version && ++wait.have >= wait.count) wait.resolve(at)
  }
}

const lanes = async (count, lane) => Promise.all(Array.from({ length: count }, lane))

const commands = {
  async open({ i, dir, ctx }) {
    node = await open({ i, dir, ctx, onVisible })
    return node.info
  },
  wait: ({ count, version = 1 }) =>
    new Promise((resolve) => {
      const have = [...seen.values()].filter((value) => value >= version).length
      if (have >= count) resolve(now())
      else waiting.push({ count, version, have, resolve })
    }),
  record({ on }) {
    recording = on
    const taken = events
    events = []
    return taken
  },
  /** Writes `entries` as fast as they are accepted, 64 at once; stamps begin and end. */
  async burst({ entries, batch = 1 }) {
    const began = now()
    let next = 0
    await lanes(batch > 1 ? 4 : 64, async () => {
      while (next < entries.length) {
        const from = next
        next += batch
        await node.putMany(entries.slice(from, from + batch))
      }
    })
    return { began, accepted: now() }
  },
  async put({ key, value }) {
    const called = now()
    await node.put(key, value)
    return { called, accepted: now() }
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
  usage() {
    const { user, system } = process.cpuUsage()
    globalThis.gc?.()
    return { cpuS: (user + system) / 1e6, rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20) }
  },
  now,
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

// Grapevine as a peer of a benchmark that loads adapters: `npm run bench` uses it by itself, and `npm run bench -- --with DIR`
// puts it beside the peers of another one. grapevine = the catalog alone; grapevine:files = with a shared directory (W7).
import fs from 'node:fs'
import path from 'node:path'

const ROOT = process.env.GRAPEVINE_ROOT ?? path.resolve(path.dirname(new URL(import.meta.url).pathname), '..')
const BASE_PORT = 8600

export const meta = {
  node: 20,
  inflight: 64,
  quietS: 1,
  settleS: 20,
  stallS: 20,
  skip: {},
  durable: 'writer: signed and fsynced; receivers: verified, fsynced and indexed before the entry shows'
}

export const version = async () =>
  `grapevine ${JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version}`

export async function open({ i, dir, ctx, onVisible }) {
  const { createNode } = await import(path.join(ROOT, 'dist/index.js'))
  const folder = path.join(dir, 'folder')
  const token = ctx.nodes.find(Boolean)?.token
  const node = await createNode({
    home: path.join(dir, 'home'),
    dir: folder,
    ...(token === undefined ? {} : { token }),
    listen: [`/ip4/127.0.0.1/tcp/${BASE_PORT + i}`],
    peers: ctx.nodes.filter(Boolean).map(({ address }) => address),
    mdns: false,
    adapter: ctx.variant === 'files' ? 'directory' : 'none'
  })
  const { control } = node

  const text = async (body) => {
    const parts = []
    for await (const part of body) parts.push(part)
    return Buffer.concat(parts).toString()
  }
  const read = async (at) => text((await control.open(at)).body)
  /** What became of entries, or of all: directories have no body, and what is gone is not read. */
  async function* shown(ids) {
    for await (const { entry, body } of node.read(ids))
      if (body !== undefined && entry.path !== BLOB)
        yield [entry.path, Buffer.from(body.buffer, body.byteOffset, body.length).toString()]
  }
  const watching = new AbortController()
  let showing = Promise.resolve()
  const show = (ids) =>
    (showing = showing.then(async () => {
      for await (const [key, value] of shown(ids)) onVisible(key, value)
    }))
  node.onEntriesChanged((ids, local) => {
    if (!local) void show(ids)
  })
  await show()

  const invitation = token ?? (await control.invite({ role: 'author', expiresMs: 86_400_000, uses: 1_000 })).token
  return {
    info: { address: node.multiaddrs[0], token: invitation, folder },
    put: (key, value) => control.putMany([{ path: key, body: Buffer.from(value) }]),
    putMany: (pairs) => control.putMany(pairs.map(([key, value]) => ({ path: key, body: Buffer.from(value) }))),
    del: (key) => control.remove(key),
    get: (key) => read(key),
    entries: () => shown(),
    putBlob: (file) => control.put(BLOB, fs.createReadStream(file, { highWaterMark: 1 << 20 })),
    async blobWait(file) {
      for await (const { event } of control.events(watching.signal)) if (event === 'blob-completed') break
      const { body } = await control.open(BLOB)
      const out = fs.openSync(file, 'w')
      for await (const part of body) fs.writeSync(out, part)
      fs.closeSync(out)
    },
    /** Resolves when so many peers are connected. */
    async linked(count) {
      const enough = async () => (await control.status()).peers.filter(({ connected }) => connected).length >= count
      while (!(await enough())) await new Promise((resolve) => setTimeout(resolve, 50))
    },
    async close() {
      watching.abort()
      await node.stop()
    }
  }
}

const BLOB = 'blob.bin'

/** All nodes connected to all before anything is measured. */
export async function ready() {
  await new Promise((resolve) => setTimeout(resolve, 3_000))
}

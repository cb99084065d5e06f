// What a process holds that does nothing of ours: `node --expose-gc bench-baseline.mjs node|libp2p|program` prints MiB.
const HELD = {
  node: () => undefined,
  /** As it comes, with what a node of ours is made of; bundled it would take less. */
  async libp2p() {
    const [{ createLibp2p }, { tcp }, { noise }, { yamux }] = await Promise.all(
      ['libp2p', '@libp2p/tcp', '@libp2p/noise', '@libp2p/yamux', '@chainsafe/libp2p-gossipsub'].map(
        (name) => import(name)
      )
    )
    return createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()]
    })
  },
  program: () => import(new URL('../dist/index.js', import.meta.url))
}

const held = await HELD[process.argv[2]]()
globalThis.gc()
await new Promise((resolve) => setTimeout(resolve, 1_000))
globalThis.gc()
process.stdout.write(String(process.memoryUsage.rss() / 2 ** 20))
await held?.stop?.()
process.exit(0)

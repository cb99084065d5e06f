/** A peer that knows the secrets and the key of a member but not our manners: libp2p without our code on top. */
import { multiaddr } from '@multiformats/multiaddr'
import type { Connection, Stream } from '@libp2p/interface'
import { encodeFrame, FrameType } from '../../src/net/frames.js'
import { encodeHello } from '../../src/net/hello.js'
import { createHost, type Host } from '../../src/net/host.js'
import { keyFromSeed } from '../../src/net/keys.js'
import { protocolsOf } from '../../src/net/protocols.js'
import { encode } from 'it-length-prefixed'
import { randomBytes } from 'node:crypto'
import type { Cluster, Node } from './nodes.js'

export class RawPeer {
  readonly host: Host
  readonly protocols: ReturnType<typeof protocolsOf>
  readonly instance = randomBytes(16).toString('hex')
  /** Sync lanes the other side opened to us. */
  readonly accepted: Stream[] = []

  private constructor(host: Host, cluster: Cluster) {
    this.host = host
    this.protocols = protocolsOf(cluster.id)
  }

  static async start(cluster: Cluster, seed: Uint8Array): Promise<RawPeer> {
    const host = await createHost({
      privateKey: keyFromSeed(seed),
      secrets: { open: [cluster.secret], closed: [] },
      listen: [],
      announce: () => [],
      gater: {}
    })
    await host.libp2p.start()
    return new RawPeer(host, cluster)
  }

  dial(node: Node, options: { force?: boolean } = {}): Promise<Connection> {
    return this.host.libp2p.dial(multiaddr(node.address), options)
  }

  /** Comes up in both directions, as a well-mannered peer would. */
  async greet(connection: Connection): Promise<Stream> {
    const hello = encodeHello({ versions: [1], instance: this.instance, listen: [], peers: [] })
    await this.host.libp2p.handle(this.protocols.lanes.sync, (stream) => {
      this.accepted.push(stream)
      stream.addEventListener('message', (event) => {
        // [length][type][id]...: answer the hello with the same id.
        const frame = event.data.subarray()
        const at = frame.findIndex((byte) => byte < 128) + 1
        if (frame[at] === FrameType.hello)
          stream.send(encode.single(encodeFrame(FrameType.answer, frame[at + 1] ?? 0, hello)))
      })
    })
    const stream = await connection.newStream(this.protocols.lanes.sync)
    stream.send(encode.single(encodeFrame(FrameType.hello, 1, hello)))
    return stream
  }
}

/** A node that knows what a member knows and has none of our manners: libp2p without our code on top. */
import { randomBytes } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import type { Connection, Stream } from '@libp2p/interface'
import { keyPairOf, nodeIdOf, type KeyPair } from '../../src/identity/index.js'
import { encodeFrame, framesOf, FrameType } from '../../src/net/frames.js'
import { encodeHello } from '../../src/net/hello.js'
import { createHost, type Host } from '../../src/net/host.js'
import { keyFromSeed } from '../../src/net/keys.js'
import { protocolsOf, type Protocols } from '../../src/net/protocols.js'
import { readHome, type Home } from '../../src/node/home.js'
import { decodeBlobRequest, type BlobRequest } from '../../src/wire/blob-messages.js'
import {
  bytesOf,
  decodeRequest,
  encodeAnswer,
  encodeNotice,
  logIdOf,
  sealRecord,
  type Op,
  type RecordBody,
  type SignedRecord,
  type SyncAnswer,
  type SyncNotice,
  type SyncRequest
} from '../../src/wire/index.js'
import type { Node } from '../e2e/node.js'
import { framed } from './wire.js'

export const GOSSIP_PROTOCOL = '/meshsub/1.2.0'

export interface Masks {
  /** Another key than the home's, 32 bytes. */
  readonly seed?: Uint8Array
  /** Another cluster secret than the home's, 32 bytes. */
  readonly secret?: Uint8Array
}

/** Our stream to a victim, after both have greeted. */
export interface Lane {
  readonly connection: Connection
  readonly stream: Stream
  tell(notice: SyncNotice): void
  /** Resolves with the answer; never, from a lane that is not read or has ended. */
  ask(payload: Uint8Array): Promise<Uint8Array>
}

export class Attacker {
  readonly keys: KeyPair
  readonly home: Home
  readonly protocols: Protocols
  readonly #host: Host
  readonly #instance = randomBytes(16).toString('hex')
  /** Answers what victims ask; undefined: never. */
  answer: (request: SyncRequest) => SyncAnswer | undefined = () => undefined
  /** Answers what victims ask for of blobs, with bytes that need not be an answer; undefined: never. */
  answerBlob: (request: BlobRequest) => Uint8Array | undefined = () => undefined
  #lastId = 1

  private constructor(home: Home, host: Host, keys: KeyPair) {
    this.home = home
    this.keys = keys
    this.#host = host
    this.protocols = protocolsOf(bytesOf(home.cluster.cluster))
  }

  /** @param member a node that was admitted and does not run; its key and secrets are used. */
  static async as(member: Pick<Node, 'home'>, { seed, secret }: Masks = {}): Promise<Attacker> {
    const home = await readHome(member.home)
    const keys = seed === undefined ? home.keys : keyPairOf(seed)
    const host = await createHost({
      privateKey: keyFromSeed(keys.seed),
      secrets: { open: secret === undefined ? home.secrets : [secret], closed: [] },
      listen: [],
      announce: () => [],
      gater: {}
    })
    await host.libp2p.start()
    const attacker = new Attacker(home, host, keys)
    const { sync, blob } = attacker.protocols.lanes
    await host.libp2p.handle(sync, (stream) => attacker.#serve(stream, (payload) => attacker.#answer(payload)))
    await host.libp2p.handle(blob, (stream) =>
      attacker.#serve(stream, (payload) => attacker.answerBlob(decodeBlobRequest(payload)))
    )
    // a member that takes no gossip would soon be hung up on
    await host.libp2p.handle(GOSSIP_PROTOCOL, (stream) => stream.addEventListener('message', () => undefined))
    return attacker
  }

  get node(): string {
    return nodeIdOf(this.keys.publicKey)
  }

  dial(address: string, options: { force?: boolean } = {}): Promise<Connection> {
    return this.#host.libp2p.dial(multiaddr(address), { ...options, signal: AbortSignal.timeout(10_000) })
  }

  /** Comes up as a member does. */
  async greet(connection: Connection, options: { deaf?: boolean } = {}): Promise<Lane> {
    const stream = await connection.newStream(this.protocols.lanes.sync)
    const send = (type: number, id: number, payload: Uint8Array): void =>
      void stream.send(framed(encodeFrame(type, id, payload)))
    const answers = new Map<number, (answer: Uint8Array) => void>()
    if (options.deaf === true) stream.pause()
    else void hear(stream, answers)
    send(FrameType.hello, 1, this.#hello())
    return {
      connection,
      stream,
      tell: (notice) => send(FrameType.notify, 0, encodeNotice(notice)),
      ask: (payload) => {
        const id = (this.#lastId += 1)
        send(FrameType.request, id, payload)
        return new Promise((resolve) => answers.set(id, resolve))
      }
    }
  }

  async come(address: string, options: { deaf?: boolean } = {}): Promise<Lane> {
    return this.greet(await this.dial(address), options)
  }

  async stop(): Promise<void> {
    await this.#host.libp2p.stop()
  }

  /** A chain of records nobody can find fault with, each with these ops. */
  chain(from: Pick<RecordBody, 'deps' | 'depth'>, ops: (at: number) => readonly Op[]): Chain {
    return new Chain(this, from, ops)
  }

  #hello(): Uint8Array {
    return encodeHello({ versions: [1], instance: this.#instance, listen: [], peers: [] })
  }

  async #serve(stream: Stream, answered: (payload: Uint8Array) => Uint8Array | undefined): Promise<void> {
    try {
      for await (const frame of framesOf(stream)) {
        const answer =
          frame.type === FrameType.hello
            ? this.#hello()
            : frame.type === FrameType.request
              ? answered(frame.payload)
              : undefined
        if (answer !== undefined) stream.send(framed(encodeFrame(FrameType.answer, frame.id, answer)))
      }
    } catch {
      // the victim hung up: that is what we are here for
    }
  }

  #answer(payload: Uint8Array): Uint8Array | undefined {
    const answer = this.answer(decodeRequest(payload))
    return answer === undefined ? undefined : encodeAnswer(answer)
  }
}

async function hear(stream: Stream, answers: Map<number, (answer: Uint8Array) => void>): Promise<void> {
  try {
    for await (const frame of framesOf(stream)) {
      answers.get(frame.id)?.(frame.payload)
      answers.delete(frame.id)
    }
  } catch {
    // as above
  }
}

/** Records of the attacker's own log, made when they are asked for. */
export class Chain {
  readonly log: string
  readonly records: SignedRecord[] = []
  readonly #attacker: Attacker
  readonly #from: Pick<RecordBody, 'deps' | 'depth'>
  readonly #ops: (at: number) => readonly Op[]
  readonly #epoch = randomBytes(8).toString('hex')

  constructor(attacker: Attacker, from: Pick<RecordBody, 'deps' | 'depth'>, ops: (at: number) => readonly Op[]) {
    this.#attacker = attacker
    this.#from = from
    this.#ops = ops
    this.log = logIdOf('catalog', attacker.keys.publicKey, this.#epoch)
  }

  upTo(count: number): readonly SignedRecord[] {
    const { keys, home } = this.#attacker
    while (this.records.length < count) {
      const at = this.records.length
      const body: RecordBody = {
        cluster: home.cluster.cluster,
        space: 'catalog',
        author: keys.publicKey,
        epoch: this.#epoch,
        seq: at + 1,
        prev: this.records.at(-1)?.id ?? null,
        deps: at === 0 ? this.#from.deps : [],
        depth: this.#from.depth + at,
        time: Date.now() * 1_000,
        ops: this.#ops(at)
      }
      this.records.push(sealRecord(body, keys.sign))
    }
    return this.records
  }

  /** As an honest node answers a pull of this log that has so many records. */
  pulled(request: SyncRequest, count: number): SyncAnswer | undefined {
    if (request.t !== 'pull' || request.log !== this.log) return undefined
    const end = Math.min(count, request.from - 1 + request.count)
    const records = this.upTo(end).slice(request.from - 1, end)
    return { t: 'records', records: records.map(({ bytes }) => bytes), head: count }
  }

  /** The vector of somebody who has so many of them. */
  claim(seq: number): SyncNotice {
    const head = this.records[seq - 1]?.id.slice(0, 16) ?? '0'.repeat(16)
    return { t: 'vector', full: false, vector: [{ log: this.log, seq, head }] }
  }
}

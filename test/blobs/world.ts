/** A small world for blob tests: real stores in temporary directories, a network in memory, a clock moved by hand. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setMaxListeners } from 'node:events'
import type { TestContext } from 'node:test'
import '../../src/polyfill.js'
import { BlobFetcher, BlobServer, BlobStore, type BlobEvent, type BlobFetcherOptions } from '../../src/blobs/index.js'
import type { TreeLayout } from '../../src/blobs/tree.js'
import { GrapevineError } from '../../src/errors.js'
import { silentLogger, type Clock, type NodeId, type PeerInfo } from '../../src/runtime.js'
import { decodeBlobRequest, type BlobRequest } from '../../src/wire/blob-messages.js'

/** Small chunks and nodes of four hashes: 1,000 bytes already have a tree of several levels. */
export const TINY: TreeLayout = { chunkBytes: 16, fanout: 4 }

/** As large as a tree may be on the wire: two levels, here with up to 64 chunks. */
export const SMALL: TreeLayout = { chunkBytes: 16, fanout: 8 }

export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-blobs-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Bytes that are the same for the same seed and differ everywhere. */
export function bytesOf(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size)
  let state = seed * 2_654_435_761 + 1
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

export async function* once(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of source) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Resolves when it is true; looks again after every turn of the event loop, and gives up after ten seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

export class ManualClock implements Pick<Clock, 'monotonic' | 'timer'> {
  #nowMs = 0
  readonly #timers = new Set<{ atMs: number; fn: () => void }>()

  monotonic(): number {
    return this.#nowMs
  }

  timer(ms: number, fn: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  advance(ms: number): void {
    this.#nowMs += ms
    for (const timer of this.#timers) {
      if (timer.atMs > this.#nowMs || !this.#timers.delete(timer)) continue
      timer.fn()
    }
  }
}

const noJitter = { float: () => 0 }

type Serve = (from: NodeId, frame: Uint8Array) => Promise<Uint8Array>

export interface Asked {
  readonly from: NodeId
  readonly to: NodeId
  readonly request: BlobRequest
}

/** Links that can be cut, slowed, made to lose requests, or to lie. */
export class Network {
  readonly asked: Asked[] = []
  /** Runs before a request is answered; throwing loses it. */
  before: (asked: Asked) => Promise<void> | void = () => {}
  /** May replace an answer. */
  lie: (asked: Asked, answer: Uint8Array) => Uint8Array = (_, answer) => answer
  inFlight = 0
  mostInFlight = 0
  readonly #serving = new Map<NodeId, Serve>()
  readonly #links = new Map<string, AbortController>()

  serve(node: NodeId, serve: Serve): void {
    this.#serving.set(node, serve)
  }

  link(a: NodeId, b: NodeId): void {
    const link = new AbortController()
    setMaxListeners(0, link.signal)
    this.#links.set(linkOf(a, b), link)
  }

  cut(a: NodeId, b: NodeId): void {
    this.#links.get(linkOf(a, b))?.abort()
    this.#links.delete(linkOf(a, b))
  }

  peersOf(node: NodeId): PeerInfo[] {
    return [...this.#serving.keys()]
      .filter((other) => this.#links.has(linkOf(node, other)))
      .map((other) => ({ node: other, addresses: [], found: 'given' as const, connectedAt: 0 }))
  }

  /** The parts that were asked for, as text: `chunk 3`, `node 1/0`. */
  parts(of: Partial<Asked> = {}): string[] {
    return this.asked
      .filter((one) => (of.to ?? one.to) === one.to && (of.from ?? one.from) === one.from)
      .flatMap(({ request }) =>
        request.t === 'have'
          ? []
          : request.t === 'chunk'
            ? Array.from({ length: request.count ?? 1 }, (_, at) => `chunk ${request.index + at}`)
            : [`node ${request.level}/${request.index}`]
      )
  }

  async request(from: NodeId, to: NodeId, frame: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const link = this.#links.get(linkOf(from, to))
    if (link === undefined) throw unreachable(to)
    const asked: Asked = { from, to, request: decodeBlobRequest(frame) }
    this.asked.push(asked)
    const signals = signal === undefined ? [link.signal] : [link.signal, signal]
    const { promise: broken, reject } = Promise.withResolvers<never>()
    const breaks = (): void => reject(unreachable(to))
    for (const one of signals) one.addEventListener('abort', breaks)
    if (signals.some((one) => one.aborted)) breaks()
    this.inFlight += 1
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    try {
      return await Promise.race([this.#answer(asked, frame), broken])
    } finally {
      this.inFlight -= 1
      for (const one of signals) one.removeEventListener('abort', breaks)
    }
  }

  async #answer(asked: Asked, frame: Uint8Array): Promise<Uint8Array> {
    await new Promise((resolve) => setImmediate(resolve))
    await this.before(asked)
    return this.lie(asked, await this.#serving.get(asked.to)!(asked.from, frame))
  }
}

export interface TestNode {
  readonly id: NodeId
  readonly directory: string
  readonly store: BlobStore
  readonly fetcher: BlobFetcher
  readonly events: BlobEvent[]
  stop(): Promise<void>
}

export interface NodeOptions extends BlobFetcherOptions {
  readonly directory?: string
  readonly layout?: TreeLayout
  readonly uploadBytesPerSecond?: number
  /** With a layout 1 unless said otherwise: a request a chunk is easy to count. */
  readonly maxPartChunks?: number
}

export class World {
  readonly network = new Network()
  readonly clock = new ManualClock()
  readonly #t: TestContext
  readonly #nodes = new Map<NodeId, TestNode>()
  readonly #stops: Array<() => Promise<void>> = []

  constructor(t: TestContext) {
    this.#t = t
    // Registered first, so that it runs before the directories are removed.
    t.after(() => Promise.all(this.#stops.map((stop) => stop())))
  }

  /** A started node; give it the directory of an earlier one to have that restarted. */
  async node(id: NodeId, options: NodeOptions = {}): Promise<TestNode> {
    const { directory = await temporaryDirectory(this.#t), layout, uploadBytesPerSecond = 0, ...limits } = options
    const store = new BlobStore({ logger: silentLogger }, { directory, ...(layout === undefined ? {} : { layout }) })
    await store.open()
    const server = new BlobServer({ store, clock: this.clock }, { bytesPerSecond: uploadBytesPerSecond })
    this.network.serve(id, (from, frame) => server.answer(from, frame))
    const transport = {
      peers: () => this.network.peersOf(id),
      request: (to: NodeId, _lane: string, frame: Uint8Array, extra?: { signal?: AbortSignal }) =>
        this.network.request(id, to, frame, extra?.signal)
    }
    const deps = { transport, store, clock: this.clock, random: noJitter, logger: silentLogger }
    const fetcher = new BlobFetcher(deps, layout === undefined ? limits : { maxPartChunks: 1, ...limits })
    const events: BlobEvent[] = []
    fetcher.on((event) => events.push(event))
    await fetcher.start()
    const stop = async (): Promise<void> => {
      await fetcher.stop()
      await store.close()
    }
    this.#stops.push(stop)
    const node: TestNode = { id, directory, store, fetcher, events, stop }
    this.#nodes.set(id, node)
    return node
  }

  connect(a: NodeId, b: NodeId): void {
    this.network.link(a, b)
    this.#nodes.get(a)?.fetcher.peerUp(b)
    this.#nodes.get(b)?.fetcher.peerUp(a)
  }

  disconnect(a: NodeId, b: NodeId): void {
    this.network.cut(a, b)
    this.#nodes.get(a)?.fetcher.peerDown(b)
    this.#nodes.get(b)?.fetcher.peerDown(a)
  }
}

export function eventsOf<T extends BlobEvent['type']>(node: TestNode, type: T): Array<Extract<BlobEvent, { type: T }>> {
  return node.events.filter((event): event is Extract<BlobEvent, { type: T }> => event.type === type)
}

function linkOf(a: NodeId, b: NodeId): string {
  return [a, b].sort().join(' ')
}

function unreachable(node: NodeId): GrapevineError {
  return new GrapevineError('peer-unreachable', 'the peer is gone', { next: 'wait', facts: { node } })
}

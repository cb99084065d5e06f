import { type ErrorCode, GrapevineError, reasonOf } from '../errors.js'
import type { Clock, Logger, NodeId, Random, Startable, Transport } from '../runtime.js'
import type { BodyRef } from '../wire/body.js'
import { MAX_BODY_BYTES, MAX_PART_CHUNKS } from '../wire/limits.js'
import { HaveAsker } from './asker.js'
import { DueQueue } from './due.js'
import { blobTooLarge } from './errors.js'
import { Flights } from './flights.js'
import { write } from './landing.js'
import { KeyedLock } from './lock.js'
import type { PartialBlob } from './partial.js'
import { Places } from './places.js'
import { type Piece, Plan } from './plan.js'
import { RateLimit } from './rate.js'
import type { Outcome } from './requests.js'
import type { BlobStore } from './store.js'
import { Wanted, WantedSet } from './wanted.js'

/** Parts asked of one peer at once. Measured: 4 x 256 KiB on one kept stream reach 190 MB/s, more gains nothing. */
export const MAX_FLIGHTS_PER_PEER = 4
/** Blobs being fetched at once; each has up to two files open. */
export const MAX_TRANSFERS = 8
/** Bytes asked for and not yet written, of all transfers together: 8 MiB of memory. */
export const MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024

/** What happened. `failed` does not end a transfer, except for a reference that is proven to lie about its size. */
export type BlobEvent =
  | { readonly type: 'progress'; readonly hash: string; readonly size: number; readonly have: number }
  | { readonly type: 'completed'; readonly ref: BodyRef }
  | { readonly type: 'failed'; readonly ref: BodyRef; readonly code: ErrorCode; readonly reason: string }
  | { readonly type: 'peer-lied'; readonly ref: BodyRef; readonly node: NodeId; readonly reason: string }

export interface BlobFetcherDeps {
  readonly transport: Pick<Transport, 'request' | 'peers'>
  readonly store: BlobStore
  readonly clock: Pick<Clock, 'monotonic' | 'timer'>
  readonly random: Pick<Random, 'float'>
  readonly logger: Logger
}

export interface BlobFetcherOptions {
  readonly maxTransfers?: number
  readonly maxFlightsPerPeer?: number
  readonly maxInFlightBytes?: number
  /** Chunks asked for at once of who is fast. */
  readonly maxPartChunks?: number
  /** Asked for each second, of all peers together; 0, the default: no limit. */
  readonly bytesPerSecond?: number
}

/**
 * Fetches wanted blobs from whoever has them, until they are here or no longer wanted. Every event only changes state and
 * calls `#evaluate`, which decides. Its rules:
 * 1. A peer is asked for parts of a blob only after it said, or was said, to have it; peers that do not are asked again
 *    later, and at once when they may have it by now.
 * 2. A transfer is begun only while a connected peer has the blob: what nobody has takes no place from what can be had.
 * 3. At most 4 parts in flight a peer, 8 transfers, 8 MiB; a part goes to the least busy peer that has the blob. What takes
 *    too long is asked of another one, and who kept it waiting is asked last for a while.
 * 4. Only verified bytes are written. A peer that sent others is skipped for that blob, and reported.
 * 5. What the disk refuses is tried again later; what is here is never asked for again.
 */
export class BlobFetcher implements Startable {
  readonly #deps: BlobFetcherDeps
  readonly #maxFlightsPerPeer: number
  readonly #wanted = new WantedSet()
  readonly #disputed = new Set<string>()
  readonly #asker: HaveAsker
  readonly #places: Places
  readonly #flights: Flights
  readonly #later = new DueQueue<{ wanted: Wanted; node?: NodeId }>()
  /** Opening, completing and clearing away of one blob's files never overlap. */
  readonly #files = new KeyedLock()
  readonly #jobs = new Set<Promise<void>>()
  readonly #listeners = new Set<(event: BlobEvent) => void>()
  #running = false
  #timer: { atMs: number; cancel: () => void } | undefined
  #leaveStore: (() => void) | undefined

  constructor(deps: BlobFetcherDeps, options: BlobFetcherOptions = {}) {
    this.#deps = deps
    this.#maxFlightsPerPeer = options.maxFlightsPerPeer ?? MAX_FLIGHTS_PER_PEER
    this.#asker = new HaveAsker(deps.transport)
    this.#places = new Places(options.maxTransfers ?? MAX_TRANSFERS, deps.store.layout.chunkBytes)
    const limit = new RateLimit(deps.clock, options.bytesPerSecond ?? 0)
    this.#flights = new Flights(deps, {
      maxBytes: options.maxInFlightBytes ?? MAX_IN_FLIGHT_BYTES,
      mostChunks: options.maxPartChunks ?? MAX_PART_CHUNKS,
      limit
    })
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    this.#leaveStore = this.#deps.store.on(({ type, ref }) => (type === 'added' ? this.#added(ref) : this.want(ref)))
    for (const { ref } of this.#wanted) if (this.#deps.store.sizeOf(ref.hash) === ref.size) this.#added(ref)
    for (const { node } of this.#deps.transport.peers()) this.peerUp(node)
  }

  /** Resolves when no request is in flight and nothing is open; what was wanted stays wanted. */
  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#timer?.cancel()
    this.#timer = undefined
    for (const node of this.#asker.nodes) this.peerDown(node)
    for (const wanted of this.#places.active) wanted.abort.abort()
    await this.#settled()
    for (const wanted of this.#places.active) this.#park(wanted)
    await this.#settled()
    this.#leaveStore?.()
  }

  on(listener: (event: BlobEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Every wanted blob and how many of its bytes are here. */
  status(): Array<{ hash: string; size: number; have: number }> {
    return [...this.#wanted].map((wanted) => ({ ...wanted.ref, have: wanted.have }))
  }

  /**
   * Fetches a blob; `completed` follows, also when it is here already. `hint`: peers that surely have it, such as the one
   * whose record names it. May be called again. Throws `too-large`.
   */
  want(ref: BodyRef, hint: readonly NodeId[] = []): void {
    if (ref.size > MAX_BODY_BYTES) throw blobTooLarge(MAX_BODY_BYTES)
    const held = this.#deps.store.sizeOf(ref.hash)
    if (held === ref.size) return queueMicrotask(() => this.#tell({ type: 'completed', ref }))
    if (held !== undefined) return this.#track(this.#dispute(ref, hint))
    const wanted = this.#wanted.get(ref) ?? this.#begin(ref)
    for (const node of hint) wanted.sources.has(node)
    this.#places.offer(wanted)
    this.#evaluate()
  }

  /** Stops fetching whatever has this hash, and deletes what is here of it. A complete blob stays. */
  unwant(hash: string): void {
    this.#disputed.delete(hash)
    for (const wanted of this.#wanted.ofHash(hash)) this.#end(wanted)
    this.#evaluate()
  }

  peerUp(node: NodeId): void {
    if (!this.#running || !this.#asker.connect(node)) return
    for (const wanted of this.#wanted) if (wanted.sources.connected(node)) this.#asker.add(node, wanted)
    this.#evaluate()
  }

  peerDown(node: NodeId): void {
    if (!this.#asker.disconnect(node)) return
    for (const wanted of this.#wanted) wanted.sources.disconnected(node)
    this.#flights.abort(node)
    this.#evaluate()
  }

  /** Word that a peer may have a blob by now: it is asked at once instead of when its pause ends. */
  peerMayHave(node: NodeId, hash: string): void {
    for (const wanted of this.#wanted.ofHash(hash)) if (wanted.sources.mayHave(node)) this.#asker.add(node, wanted)
    this.#evaluate()
  }

  /** The one place that decides what is done next. */
  #evaluate(): void {
    if (!this.#running) return
    for (const asking of this.#asker.ask((wanted, node, has) => this.#toldHave(wanted, node, has))) {
      this.#track(asking.then(() => this.#evaluate()))
    }
    for (const wanted of this.#places.active) if (wanted.idle) this.#park(wanted)
    for (let next = this.#places.take(); next !== undefined; next = this.#places.take()) this.#open(next)
    this.#flights.endSlow(this.#maxFlightsPerPeer)
    this.#askParts()
    this.#arm()
  }

  #askParts(): void {
    for (let asked = true; asked;) {
      asked = false
      for (const wanted of this.#places.active) {
        const room = Math.floor(this.#flights.room / this.#deps.store.layout.chunkBytes)
        if (room < 1) return
        asked = this.#askPart(wanted, room) || asked
      }
    }
  }

  /** @param room for so many chunks. */
  #askPart(wanted: Wanted, room: number): boolean {
    const node = this.#flights.pick(wanted, this.#maxFlightsPerPeer)
    const piece = node === undefined ? undefined : wanted.transfer.ask(Math.min(room, this.#flights.chunksOf(node)))
    if (node === undefined || piece === undefined) return false
    const partial = wanted.partial!
    const flight = this.#flights.fly(wanted, node, piece, async (outcome) => {
      if (wanted.isFetching(partial)) await this.#land(wanted, partial, node, piece, outcome)
    })
    this.#track(flight.catch((error: unknown) => this.#troubled(wanted, partial, error)).then(() => this.#evaluate()))
    return true
  }

  async #land(
    wanted: Wanted,
    partial: PartialBlob,
    node: NodeId,
    piece: Piece,
    outcome: Outcome<Uint8Array>
  ): Promise<void> {
    if (outcome.got !== 'answer') {
      wanted.transfer.lost(piece)
      if (outcome.got === 'wrong') this.#lied(wanted, node, outcome.reason)
      else this.#absent(wanted, node)
      return
    }
    const { here, missing, isRight } = await write(partial, piece, outcome.value)
    if (!wanted.isFetching(partial)) return
    if (missing !== undefined) wanted.transfer.lost(missing)
    if (here !== undefined) this.#arrived(wanted, node, here.piece, here.adopted)
    if (!isRight) this.#lied(wanted, node, `sent a wrong ${piece.kind}`)
  }

  #arrived(wanted: Wanted, node: NodeId, piece: Piece, adopted: readonly number[]): void {
    wanted.sources.delivered(node)
    wanted.transfer.arrived(piece, adopted)
    if (piece.kind === 'chunk' || adopted.length > 0) this.#progressed(wanted)
    if (wanted.transfer.state.at === 'finishing') this.#track(this.#finish(wanted))
  }

  #lied(wanted: Wanted, node: NodeId, reason: string): void {
    this.#deps.logger.warn('a peer sent wrong bytes for a blob', { node, hash: wanted.ref.hash, reason })
    this.#later.push(wanted.sources.wrong(node, this.#deps.clock.monotonic()), { wanted, node })
    this.#tell({ type: 'peer-lied', ref: wanted.ref, node, reason })
  }

  #absent(wanted: Wanted, node: NodeId): void {
    const dueMs = wanted.sources.absent(node, this.#deps.clock.monotonic(), this.#deps.random.float())
    if (dueMs !== undefined) this.#later.push(dueMs, { wanted, node })
  }

  #toldHave(wanted: Wanted, node: NodeId, has: boolean): void {
    if (has) wanted.sources.has(node)
    else this.#absent(wanted, node)
    this.#places.offer(wanted)
  }

  #begin(ref: BodyRef): Wanted {
    const wanted = new Wanted(ref)
    this.#wanted.add(wanted)
    for (const node of this.#asker.nodes) if (wanted.sources.connected(node)) this.#asker.add(node, wanted)
    return wanted
  }

  #open(wanted: Wanted): void {
    wanted.transfer.open()
    wanted.abort = new AbortController()
    const { signal } = wanted.abort
    const opening = this.#files.run(wanted.ref.hash, () => this.#openFiles(wanted, signal))
    const failed = (error: unknown): void => {
      if (!signal.aborted) this.#rest(wanted, error)
    }
    this.#track(opening.catch(failed).then(() => this.#evaluate()))
  }

  async #openFiles(wanted: Wanted, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const partial = await this.#deps.store.openPartial(wanted.ref, signal)
    if (signal.aborted) return await partial?.close()
    // Somebody put it into the store in the meantime.
    if (partial === undefined) return this.#added({ ...wanted.ref, size: this.#deps.store.sizeOf(wanted.ref.hash)! })
    wanted.partial = partial
    wanted.transfer.opened(new Plan(partial.shape, partial.chunks, (node) => partial.hasNode(node)))
    if (partial.have > 0) this.#progressed(wanted)
    if (wanted.transfer.state.at === 'finishing') this.#track(this.#finish(wanted))
  }

  async #finish(wanted: Wanted): Promise<void> {
    const partial = wanted.partial!
    try {
      await this.#files.run(wanted.ref.hash, async () => {
        if (wanted.partial === partial) await this.#deps.store.completePartial(partial)
      })
    } catch (error) {
      if (wanted.partial === partial) this.#rest(wanted, error)
    }
    this.#evaluate()
  }

  /** The store has it, from us or from elsewhere. */
  #added(ref: BodyRef): void {
    for (const wanted of this.#wanted.ofHash(ref.hash)) {
      this.#end(wanted)
      if (wanted.ref.size === ref.size) this.#tell({ type: 'completed', ref })
      else this.#refuted(wanted.ref)
    }
    this.#evaluate()
  }

  /** The store has this hash in another size: either the reference lies, or the stored blob is damaged. */
  async #dispute(ref: BodyRef, hint: readonly NodeId[]): Promise<void> {
    this.#disputed.add(ref.hash)
    try {
      const sound = await this.#deps.store.check(ref)
      if (!this.#disputed.has(ref.hash)) return
      if (sound) this.#refuted(ref)
      else this.want(ref, hint)
    } catch (error) {
      this.#tell({ type: 'failed', ref, ...failureOf(error) })
    }
  }

  /** The hash belongs to a body of another size, which we hold: there is nothing to wait for. */
  #refuted(ref: BodyRef): void {
    this.#tell({ type: 'failed', ref, code: 'blob-damaged', reason: 'the reference has a wrong size' })
  }

  #end(wanted: Wanted): void {
    wanted.transfer.end()
    this.#wanted.delete(wanted)
    this.#asker.forget(wanted)
    this.#leave(wanted, false)
  }

  #park(wanted: Wanted): void {
    wanted.transfer.park()
    this.#leave(wanted, true)
    this.#places.offer(wanted)
  }

  #troubled(wanted: Wanted, partial: PartialBlob, error: unknown): void {
    if (wanted.isFetching(partial)) this.#rest(wanted, error)
  }

  #rest(wanted: Wanted, error: unknown): void {
    this.#later.push(wanted.transfer.rest(this.#deps.clock.monotonic()), { wanted })
    this.#leave(wanted, true)
    this.#deps.logger.warn('a blob cannot be written now', { hash: wanted.ref.hash, reason: reasonOf(error) })
    this.#tell({ type: 'failed', ref: wanted.ref, ...failureOf(error) })
  }

  /** Frees the place of a transfer: its requests end, its files are closed, and kept or deleted. */
  #leave(wanted: Wanted, keep: boolean): void {
    this.#places.leave(wanted)
    this.#flights.abort(wanted)
    wanted.abort.abort()
    const partial = wanted.release()
    const closing = this.#files.run(wanted.ref.hash, async () => {
      await partial?.close({ keep })
      if (!keep && !this.#deps.store.has(wanted.ref.hash)) await this.#deps.store.removePartial(wanted.ref)
    })
    const failed = (error: unknown): void => {
      const facts = { hash: wanted.ref.hash, reason: reasonOf(error) }
      this.#deps.logger.warn('an unfinished blob was not cleared away', facts)
    }
    this.#track(closing.catch(failed))
  }

  #arm(): void {
    const nextMs = Math.min(this.#flights.nextMs ?? Infinity, this.#later.nextMs ?? Infinity)
    const atMs = nextMs === Infinity ? undefined : nextMs
    if (atMs === this.#timer?.atMs) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (atMs === undefined) return
    const inMs = Math.max(1, atMs - this.#deps.clock.monotonic())
    this.#timer = { atMs, cancel: this.#deps.clock.timer(inMs, () => this.#due()) }
  }

  #due(): void {
    this.#timer = undefined
    const nowMs = this.#deps.clock.monotonic()
    for (const { wanted, node } of this.#later.take(nowMs)) {
      if (wanted.transfer.state.at === 'ended') continue
      if (node === undefined && wanted.transfer.wake(nowMs)) this.#places.offer(wanted)
      if (node !== undefined && wanted.sources.due(node, nowMs)) this.#asker.add(node, wanted)
    }
    this.#evaluate()
  }

  #progressed(wanted: Wanted): void {
    this.#tell({ type: 'progress', ...wanted.ref, have: wanted.have })
  }

  #track(job: Promise<void>): void {
    this.#jobs.add(job)
    void job.finally(() => this.#jobs.delete(job))
  }

  async #settled(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs)
  }

  #tell(event: BlobEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

function failureOf(error: unknown): { code: ErrorCode; reason: string } {
  return { code: error instanceof GrapevineError ? error.code : 'store-failed', reason: reasonOf(error) }
}

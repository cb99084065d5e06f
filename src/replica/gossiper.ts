/**
 * What of our own writing is gossiped, and when: at once while it is quiet, gathered for a few milliseconds in a burst,
 * and beyond a share of bytes only as heads, because whoever lacks the records pulls them (LIBP2P 5.6, 7b).
 */
import type { Clock, Logger } from '../runtime.js'
import { reasonOf } from '../errors.js'
import { encodeGossip, MAX_GOSSIP_BYTES, type SignedRecord, type VectorEntry } from '../wire/index.js'

export interface GossiperDeps {
  readonly clock: Clock
  readonly logger: Logger
  publish(frame: Uint8Array): Promise<number>
}

/** Records up to this size travel whole, bytes. */
const MAX_WHOLE_BYTES = 48 * 1024
/** Time between two messages in a burst, ms. */
const GATHER_MS = 15
/** Gossip of one node, bytes a second: six seconds of it must stay below the 4 MiB one answer may have. */
const MAX_BYTES_PER_SECOND = 512 * 1024
const FRAME_ROOM = 4_096

export class Gossiper {
  readonly #deps: GossiperDeps
  #records: SignedRecord[] = []
  #heads = new Map<string, VectorEntry>()
  #lastSent = Number.NEGATIVE_INFINITY
  #tokens = MAX_BYTES_PER_SECOND
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(deps: GossiperDeps) {
    this.#deps = deps
  }

  add(record: SignedRecord): void {
    if (this.#stopped) return
    this.#heads.set(record.log, { log: record.log, seq: record.body.seq, head: record.id.slice(0, 16) })
    if (record.bytes.length <= MAX_WHOLE_BYTES) this.#records.push(record)
    const wait = this.#lastSent + GATHER_MS - this.#deps.clock.monotonic()
    if (wait <= 0) this.#send()
    else this.#cancel ??= this.#deps.clock.timer(wait, () => this.#send())
  }

  /** Records that are of use only together, now; nothing when they do not fit into one message. */
  tellAtOnce(records: readonly SignedRecord[]): void {
    const frame = encodeGossip({ records: records.map((record) => record.bytes), heads: [] })
    if (frame.length > MAX_GOSSIP_BYTES || this.#stopped) return
    this.#deps
      .publish(frame)
      .catch((error: unknown) => this.#deps.logger.debug('A fork was not told.', { reason: reasonOf(error) }))
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
  }

  #send(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const now = this.#deps.clock.monotonic()
    const earned = (Math.min(1_000, now - this.#lastSent) / 1_000) * MAX_BYTES_PER_SECOND
    this.#tokens = Math.min(MAX_BYTES_PER_SECOND, this.#tokens + earned)
    this.#lastSent = now
    const frame = encodeGossip({ records: this.#takeRecords(), heads: [...this.#heads.values()] })
    this.#records = []
    this.#heads.clear()
    this.#tokens -= frame.length
    this.#deps
      .publish(frame)
      .catch((error: unknown) =>
        this.#deps.logger.debug('Gossip was not sent; peers will pull.', { reason: reasonOf(error) })
      )
  }

  /** The records that go whole. All or none of a burst: with a gap in front the rest would be of no use. */
  #takeRecords(): Uint8Array[] {
    const bytes = this.#records.reduce((sum, record) => sum + record.bytes.length + 4, 0)
    const fits = bytes <= MAX_GOSSIP_BYTES - FRAME_ROOM - this.#heads.size * 32 && bytes <= this.#tokens
    return fits ? this.#records.map((record) => record.bytes) : []
  }
}

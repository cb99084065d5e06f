/** Takes in what is gossiped: judged before it is passed on, and taken where it continues what is held. */
import { GrapevineError } from '../errors.js'
import type { RecordLog } from '../log/index.js'
import type { NodeId } from '../runtime.js'
import type { SyncEngine } from '../sync/index.js'
import { decodeGossip, type SignedRecord, type VectorEntry } from '../wire/index.js'
import type { Intake } from './intake.js'
import type { Offers } from './offers.js'

export interface HearsayDeps {
  readonly log: RecordLog
  readonly intake: Intake
  readonly engine: SyncEngine
  readonly offers: Offers
  offer(from: NodeId, records: readonly SignedRecord[]): void
  gossiped(from: NodeId, heads: readonly VectorEntry[]): void
}

/** Offered records waiting to be judged, bytes; beyond it gossip is left to the pull. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024

export class Hearsay {
  readonly #deps: HearsayDeps

  constructor(deps: HearsayDeps) {
    this.#deps = deps
  }

  /** What becomes of a message: passed on, dropped, or counted against who sent it. */
  take(from: NodeId, frame: Uint8Array): 'accept' | 'ignore' | 'reject' {
    let records: SignedRecord[]
    let heads: readonly VectorEntry[]
    try {
      const message = decodeGossip(frame)
      heads = message.heads
      records = this.#deps.intake.decodeNew(message.records)
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      return 'reject'
    }
    const verdict = this.#deps.intake.checkGossip(records)
    if (verdict !== 'accept') return verdict
    return this.#takeGossip(from, records, heads) ? 'accept' : 'ignore'
  }

  /** False when there is nothing in it that others may lack: it is not passed on. */
  #takeGossip(from: NodeId, records: readonly SignedRecord[], heads: readonly VectorEntry[]): boolean {
    const news = heads.some(({ log, seq }) => seq > (this.#deps.log.get(log)?.seq ?? 0))
    const fresh = records.filter(
      (record) =>
        (!this.#deps.offers.over(record) &&
          record.body.seq === this.#deps.engine.fetched(record.log) + 1 &&
          this.#markFetching(record)) ||
        this.#contradicts(record)
    )
    if (fresh.length > 0 && this.#deps.offers.bytes < MAX_BACKLOG_BYTES) this.#deps.offer(from, fresh)
    this.#deps.gossiped(from, heads)
    return news || fresh.length > 0
  }

  #contradicts(record: SignedRecord): boolean {
    return record.body.seq <= (this.#deps.log.get(record.log)?.seq ?? 0) && this.#deps.log.continues(record) === 'fork'
  }

  #markFetching(record: SignedRecord): boolean {
    if (this.#deps.offers.bytes >= MAX_BACKLOG_BYTES) return false
    this.#deps.engine.fetching(record.log, record.body.seq)
    return true
  }
}

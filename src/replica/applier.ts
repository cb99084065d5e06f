/** Applies held records in causal order: to the members' fold or the catalog's, whole or not at all. */
import type { Catalog, CatalogDelta, ConflictChange } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE, type Members } from '../identity/index.js'
import type { LogHead, RecordLog } from '../log/index.js'
import type { Clock, Logger } from '../runtime.js'
import type { Overlay } from '../store/index.js'
import type { SignedRecord } from '../wire/index.js'
import type { Heads } from './heads.js'

export const CATALOG_SPACE = 'catalog'

export interface ApplierDeps {
  readonly log: RecordLog
  readonly members: Members
  readonly catalog: Catalog
  readonly heads: Heads
  readonly rows: Overlay
  readonly logger: Logger
  readonly clock: Clock
}

/** What a run of applied records did. */
export interface Applied {
  readonly entries: Set<string>
  readonly admitted: Uint8Array[]
  readonly rejected: Array<{ record: SignedRecord; reason: string }>
  readonly conflicts: ConflictChange[]
  records: number
}

/** Records folded before other work gets a chance. */
const YIELD_EVERY = 20
/** Index rows that may wait to be written; a few megabytes. */
export const MAX_PENDING_ROWS = 8_000
/** A long run says so this often, ms. */
const PROGRESS_MS = 5_000

export class Applier {
  readonly #deps: ApplierDeps
  #toldAt: number

  constructor(deps: ApplierDeps) {
    this.#deps = deps
    this.#toldAt = deps.clock.monotonic()
  }

  /** Applies whatever of these logs, and of logs that waited for them, can be applied now. */
  async drain(logs: Iterable<string>, atHand: ReadonlyMap<string, SignedRecord> = new Map()): Promise<Applied> {
    this.#toldAt = this.#deps.clock.monotonic()
    const { log } = this.#deps
    const result: Applied = {
      entries: new Set(),
      admitted: [],
      rejected: [],
      conflicts: [],
      records: 0
    }
    const work = new Set(logs)
    for (const next of work) {
      work.delete(next)
      const head = log.get(next)
      while (head !== undefined && head.applied < head.seq) {
        const record = atHand.get(`${next}/${head.applied + 1}`) ?? this.#read(next, head.applied + 1)
        // damaged: it is fetched again, and this log goes on when it is back
        if (record === undefined) break
        if (!this.#applyOne(head, record, result)) break
        for (const waiting of log.unblock(next)) work.add(waiting)
        await this.#breathe(result)
      }
    }
    return result
  }

  /** A long run lets others work, keeps what is pending in bounds, and tells how far it is. */
  async #breathe(result: Applied): Promise<void> {
    const { rows, clock, logger } = this.#deps
    if (result.records % YIELD_EVERY === 0) await clock.pause()
    if (rows.size > MAX_PENDING_ROWS) await rows.flush()
    if (clock.monotonic() - this.#toldAt < PROGRESS_MS) return
    this.#toldAt = clock.monotonic()
    logger.info('Records are being applied.', { records: result.records, waiting: this.#deps.log.waitingCount() })
  }

  #read(log: string, seq: number): SignedRecord | undefined {
    try {
      return this.#deps.log.read(log, seq)
    } catch (error) {
      if (error instanceof GrapevineError && error.code === 'store-damaged' && error.facts.id !== undefined)
        return undefined
      throw error
    }
  }

  /** False when the record has to wait. */
  #applyOne(head: LogHead, record: SignedRecord, result: Applied): boolean {
    const { log, heads } = this.#deps
    const missing = log.missing(record)
    if (missing !== undefined) {
      log.block(head.log, missing)
      return false
    }
    const past = log.past(record.log, record.body.deps)
    if (past === undefined) {
      // it builds on a record of a fork we do not hold; nothing it says can be judged here
      const dep = record.body.deps[0]!
      log.block(head.log, dep)
      return false
    }
    const knows = (other: string, seq: number): boolean =>
      other === record.log ? seq < record.body.seq : (past.knowledge.get(other) ?? 0) >= seq
    const reason = this.#fold(record, past.depth, knows, result)
    log.setApplied(record, past, reason)
    heads.applied(record)
    if (reason !== undefined) result.rejected.push({ record, reason })
    result.records += 1
    return true
  }

  /** Why the record counts for nothing, or undefined. The same on every node: it depends on the record's past alone. */
  #fold(
    record: SignedRecord,
    depth: number,
    knows: (log: string, seq: number) => boolean,
    result: Applied
  ): string | undefined {
    if (record.body.depth !== depth + 1) return `its depth is ${record.body.depth} where ${depth + 1} follows`
    try {
      this.#foldSpace(record, knows, result)
      return undefined
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      this.#deps.logger.warn('A record was rejected.', {
        id: record.id,
        log: record.log,
        seq: record.body.seq,
        reason: error.message
      })
      return error.message
    }
  }

  #foldSpace(record: SignedRecord, knows: (log: string, seq: number) => boolean, result: Applied): void {
    const { members, catalog, rows } = this.#deps
    const { space, author } = record.body
    if (space === MEMBERS_SPACE) {
      result.admitted.push(...members.apply(record, knows, rows))
    } else if (!members.mayAct(author, ['admin', 'author'], knows)) {
      throw new GrapevineError('record-refused', 'its author may not write to this space', {
        next: 'nothing: it has no effect'
      })
    } else if (space === CATALOG_SPACE) {
      collect(result, catalog.apply(record, knows))
    }
  }

  /** After a crash, or a rebuild: everything held and not applied. */
  drainAll(): Promise<Applied> {
    return this.drain([...this.#deps.log.logs()].map((head) => head.log))
  }
}

function collect(result: Applied, delta: CatalogDelta): void {
  for (const id of delta.entries) result.entries.add(id)
  result.conflicts.push(...delta.conflicts)
}

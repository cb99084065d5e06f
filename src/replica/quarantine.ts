/**
 * Records that could not be folded because of a fault in this version. Each is kept in the log and held back with its
 * reason; what builds on it waits, everything else goes on. Nothing is ever left out: a later version folds it, as others do.
 *
 * Rules (tests cite the numbers):
 * 1. At most one record of a log is held: its next one. What follows in that log waits behind it.
 * 2. A held record has changed nothing, and is not tried again by what else arrives.
 * 3. It is tried again at every start, when the members change, and when a person asks. The time it is held since stays.
 * 4. While one is held this node has records that wait, so it tells no root and is in sync with nobody.
 */
import { faultText, GrapevineError } from '../errors.js'
import type { RecordLog } from '../log/index.js'
import type { Clock, Logger } from '../runtime.js'
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import { decodeCborRaw, encodeCbor, type SignedRecord } from '../wire/index.js'

export interface HeldRecord {
  /** 64 hex. */
  readonly id: string
  readonly log: string
  readonly seq: number
  /** What was thrown, in one line without control characters. */
  readonly reason: string
  /** When it was first held, ms of the wall clock. */
  readonly since: number
}

export interface QuarantineDeps {
  readonly log: RecordLog
  readonly rows: Overlay
  readonly store: Store
  readonly logger: Logger
  readonly clock: Clock
  readonly events: { recordHeld?(record: HeldRecord, open: boolean): void }
}

/** A held record in the words of a problem. */
export function quarantined({ log, seq, reason }: HeldRecord): GrapevineError {
  return new GrapevineError(
    'record-quarantined',
    `record ${seq} of log ${log} is kept and cannot be folded by this version, and what builds on it waits: ${reason}`,
    {
      next: 'see "grapevine quarantine ls"; a version without the fault folds it when it starts, "grapevine quarantine retry" tries it now',
      facts: { log, seq }
    }
  )
}

const HELD_ROWS = 'q/'
const heldKey = (log: string): string => HELD_ROWS + log

export class Quarantine {
  readonly #deps: QuarantineDeps
  readonly #held = new Map<string, HeldRecord>()
  /** Logs whose held record may be tried now. */
  readonly #due = new Set<string>()

  constructor(deps: QuarantineDeps) {
    this.#deps = deps
  }

  /** Everything that was held is due: this may be a version that can fold it. */
  async load(): Promise<void> {
    for await (const [, bytes] of this.#deps.store.iterate(prefixRange(HELD_ROWS))) {
      const record = decodeCborRaw(bytes) as HeldRecord
      this.#held.set(record.log, record)
      this.#due.add(record.log)
    }
  }

  list(): HeldRecord[] {
    return [...this.#held.values()].toSorted((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1))
  }

  /** Whether the next record of `log` is held and not to be tried now. */
  rests(log: string): boolean {
    return this.#held.has(log) && !this.#due.has(log)
  }

  hold(record: SignedRecord, error: unknown): void {
    const { log, id, body } = record
    const reason = faultText(error)
    const before = this.#held.get(log)
    const since = before?.id === id ? before.since : this.#deps.clock.now()
    const held: HeldRecord = { id, log, seq: body.seq, reason, since }
    this.#held.set(log, held)
    this.#due.delete(log)
    this.#deps.rows.put(heldKey(log), encodeCbor({ ...held }))
    this.#deps.logger.error('A record cannot be folded by this version; it is held, and what builds on it waits.', {
      id,
      log,
      seq: body.seq,
      reason,
      stack: error instanceof Error ? error.stack : undefined
    })
    if (before?.id !== id) this.#deps.events.recordHeld?.(held, true)
  }

  /** A record was folded, or refused by the rules: it is held no more. */
  applied({ log, id }: SignedRecord): void {
    const held = this.#held.get(log)
    if (held?.id !== id) return
    this.#held.delete(log)
    this.#due.delete(log)
    this.#deps.rows.delete(heldKey(log))
    this.#deps.logger.info('A record that was held is folded.', { id, log, seq: held.seq })
    this.#deps.events.recordHeld?.(held, false)
  }

  /** Throws `record-quarantined` when this record is held. */
  check({ log, id }: SignedRecord): void {
    const held = this.#held.get(log)
    if (held?.id === id) throw quarantined(held)
  }

  /** Makes what is held due, all of it or that of one log; returns the logs. */
  retry(log?: string): string[] {
    const logs = log === undefined ? [...this.#held.keys()] : [log]
    for (const each of logs) this.#due.add(each)
    return logs
  }

  /** How many records wait for the one that is held of this log, in whatever log. */
  waitingFor(log: string): number {
    const logs = new Set([log])
    for (const each of logs) for (const other of this.#deps.log.blocked.by(each)) logs.add(other)
    let count = -1
    for (const each of logs) {
      const head = this.#deps.log.get(each)
      count += head === undefined ? 0 : head.seq - head.applied
    }
    return count
  }
}

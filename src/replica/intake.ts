/**
 * Records from other nodes, on their way to the log: shape, cluster, membership, chain, signature, fork; then append,
 * fsync, apply. What fails is refused by name, and the peer asked again or another one.
 */
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE, verify, verifyAsync, type Members } from '../identity/index.js'
import type { RecordLog } from '../log/index.js'
import type { Clock } from '../runtime.js'
import {
  bodyOf,
  decodeRecord,
  hexOf,
  sha256Hex,
  SIGNATURE_BYTES,
  signatureOf,
  type SignedRecord
} from '../wire/index.js'
import { CATALOG_SPACE } from './applier.js'
import { Breath } from './breath.js'
import { Parked } from './parked.js'

export interface IntakeDeps {
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
  readonly cluster: string
  readonly log: RecordLog
  readonly members: Members
  /** Checks a signature off the main thread; the simulated world does it on the spot, to be repeatable. */
  readonly verify?: typeof verifyAsync
  /** The same for gossip, which is judged before it is passed on; the simulated world remembers what it checked once. */
  readonly verifyNow?: typeof verify | undefined
}

/** What became of one offered run. */
export type Refusal =
  'malformed' | 'foreign' | 'unknown-author' | 'bad-signature' | 'broken-chain' | 'gap' | 'fork' | 'frozen' | 'parked'

export interface Judged {
  readonly accepted: SignedRecord[]
  readonly refused: Array<{ record: SignedRecord; why: Refusal }>
  readonly forks: SignedRecord[]
}

/** Signatures known to be good, so that what gossip verified is not verified again. */
const MAX_VERIFIED = 8_192
/** Records of one batch that a later one of it is compared with. */
const MAX_TIPS = 8

export class Intake {
  readonly #deps: IntakeDeps
  readonly #verified = new Set<string>()
  readonly #parked: Parked

  constructor(deps: IntakeDeps) {
    this.#deps = deps
    this.#parked = new Parked(deps.log)
  }

  /** Decodes what a peer sent; throws `record-malformed` or `record-refused` when it is not a record of this cluster. */
  decode(bytes: Uint8Array): SignedRecord {
    const record = decodeRecord(bytes)
    if (record.body.cluster !== this.#deps.cluster) {
      throw new GrapevineError('record-refused', 'a record belongs to another cluster', {
        next: 'nothing: it was not taken'
      })
    }
    return record
  }

  /**
   * The same for those that are not held yet. What is held is told by its hash alone: who repeats the same records without
   * end costs a twentieth of what decoding them would.
   */
  decodeNew(all: readonly Uint8Array[]): SignedRecord[] {
    return all.filter((bytes) => !this.#isHeld(bytes)).map((bytes) => this.decode(bytes))
  }

  #isHeld(bytes: Uint8Array): boolean {
    return this.#deps.log.find(sha256Hex(bodyOf(bytes))) !== undefined
  }

  /** The same for many, a few at a time. */
  async decodeAll(all: readonly Uint8Array[]): Promise<SignedRecord[]> {
    const breath = new Breath(this.#deps.clock)
    const records: SignedRecord[] = []
    for (const bytes of all) {
      records.push(this.decode(bytes))
      await breath.draw()
    }
    return records
  }

  /**
   * Splits records, each behind those it builds on, into what may be taken in at once: those of one author that are next to
   * each other. What was taken before may admit the author of the next, which is looked at when the next is asked for.
   */
  *byTurns(records: readonly SignedRecord[]): Generator<SignedRecord[]> {
    let run: SignedRecord[] = []
    for (const record of records) {
      const { author } = record.body
      const same = Buffer.compare(run[0]?.body.author ?? author, author) === 0
      if (run.length > 0 && !(same && this.#deps.members.wasAdmitted(author))) {
        yield run
        run = []
      }
      run.push(record)
    }
    if (run.length > 0) yield run
  }

  /** Quick check before gossip is passed on: members' signatures, of a run that of its newest. */
  checkGossip(records: readonly SignedRecord[]): 'accept' | 'ignore' | 'reject' {
    for (const run of runsOf(records)) {
      const newest = run.at(-1)!
      if (this.#verified.has(proofOf(newest))) continue
      if (this.#deps.members.get(newest.body.author) === undefined) return 'ignore'
      const good = (this.#deps.verifyNow ?? verify)(...signatureOf(newest))
      if (!good) return 'reject'
      this.#remember(newest)
    }
    return 'accept'
  }

  /**
   * Verifies the signatures a run needs: of consecutive records of one log the newest is enough, because it commits to
   * all before it. Returns what proves each, which holds for these very bytes: another copy of a record may say the same
   * under a signature that is none.
   */
  async prove(records: readonly SignedRecord[]): Promise<ReadonlySet<string>> {
    const proven = new Set<string>()
    await Promise.all(runsOf(records).map((run) => this.#proveRun(run, proven)))
    return proven
  }

  async #proveRun(run: readonly SignedRecord[], proven: Set<string>): Promise<void> {
    // from the newest down: one good signature proves everything before it
    for (let last = run.length - 1; last >= 0; last--) {
      if (!(await this.#signed(run[last]!))) continue
      for (let at = 0; at <= last; at++) proven.add(proofOf(run[at]!))
      return
    }
  }

  async #signed(record: SignedRecord): Promise<boolean> {
    if (this.#verified.has(proofOf(record))) return true
    const good = await (this.#deps.verify ?? verifyAsync)(...signatureOf(record))
    if (good) this.#remember(record)
    return good
  }

  #remember(record: SignedRecord): void {
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear()
    this.#verified.add(proofOf(record))
  }

  /** Sorts proven records into those that continue their logs and those that do not. Takes a turn: nothing moves meanwhile. */
  judge(records: readonly SignedRecord[], proven: ReadonlySet<string>): Judged {
    const judged: Judged = { accepted: [], refused: [], forks: [] }
    const taken = new Map<string, SignedRecord[]>()
    const full = this.#parked.full()
    for (const record of records) {
      const why = this.#judgeOne(record, proven, taken.get(record.log) ?? [])
      if (why === 'next' && this.#wouldWait(record, full)) judged.refused.push({ record, why: 'parked' })
      else if (why === 'next') {
        judged.accepted.push(record)
        taken.set(record.log, [...(taken.get(record.log) ?? []).slice(-MAX_TIPS), record])
      } else if (why === 'fork') judged.forks.push(record)
      else if (why !== 'known') judged.refused.push({ record, why })
    }
    return judged
  }

  /** Whether it has to wait for something, and its author may leave nothing more here that does. */
  #wouldWait(record: SignedRecord, full: ReadonlySet<string>): boolean {
    if (full.size === 0 || !full.has(hexOf(record.body.author))) return false
    const head = this.#deps.log.get(record.log)
    return (head !== undefined && head.applied < head.seq) || this.#deps.log.missing(record) !== undefined
  }

  #judgeOne(
    record: SignedRecord,
    proven: ReadonlySet<string>,
    taken: readonly SignedRecord[]
  ): 'next' | 'known' | Refusal {
    if (record.body.space !== CATALOG_SPACE && record.body.space !== MEMBERS_SPACE) return 'foreign'
    if (!this.#authorKnown(record)) return 'unknown-author'
    if (!proven.has(proofOf(record))) return 'bad-signature'
    const twin = taken.find((other) => other.body.seq === record.body.seq)
    if (twin !== undefined) return twin.id === record.id ? 'known' : 'fork'
    const tip = taken.at(-1)
    if (tip !== undefined && record.body.seq > tip.body.seq) {
      if (record.body.seq > tip.body.seq + 1) return 'gap'
      return record.body.prev === tip.id ? 'next' : 'broken-chain'
    }
    const relation = this.#deps.log.continues(record)
    return relation === 'broken' ? 'broken-chain' : relation
  }

  /** The founder is vouched for by the cluster's root, checked when the record is applied; everybody else by a record. */
  #authorKnown(record: SignedRecord): boolean {
    // what a removed member wrote before is history that others built on
    return this.#deps.members.wasAdmitted(record.body.author) || this.#deps.members.isFounding(record)
  }
}

/** What a peer served is no record of this cluster: no disturbance of the line makes that. */
export function isRefusal(error: unknown): boolean {
  return error instanceof GrapevineError && (error.code === 'record-malformed' || error.code === 'record-refused')
}

/** A record's id is that of its body alone; what was checked is body and signature. */
function proofOf({ id, bytes }: SignedRecord): string {
  return id + Buffer.from(bytes.buffer, bytes.byteOffset, SIGNATURE_BYTES).toString('latin1')
}

/** Splits records into runs of one log without gaps, each naming the one before. */
function runsOf(records: readonly SignedRecord[]): SignedRecord[][] {
  const runs: SignedRecord[][] = []
  const open = new Map<string, SignedRecord[]>()
  for (const record of records) {
    const run = open.get(record.log)
    const last = run?.at(-1)
    if (
      run !== undefined &&
      last !== undefined &&
      record.body.seq === last.body.seq + 1 &&
      record.body.prev === last.id
    )
      run.push(record)
    else {
      const fresh = [record]
      runs.push(fresh)
      open.set(record.log, fresh)
    }
  }
  return runs
}

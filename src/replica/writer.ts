/**
 * Local changes on their way out: validate, append, fsync, index, acknowledge; gossip follows. Changes that arrive
 * together are packed into one record, so that one signature and one fsync serve many of them.
 */
import { Draft, type Catalog, type CatalogDelta, type Ready } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE, type KeyPair, type Members } from '../identity/index.js'
import type { RecordLog } from '../log/index.js'
import type { Clock } from '../runtime.js'
import { logIdOf, MAX_RECORD_DEPS, sealRecord, type Dep, type Op, type SignedRecord } from '../wire/index.js'
import { CATALOG_SPACE } from './applier.js'
import { Breath, breathing } from './breath.js'
import type { HybridClock } from './clock.js'
import type { Heads } from './heads.js'
import type { Turns } from './turns.js'

export interface WriterDeps {
  readonly cluster: string
  readonly keys: KeyPair
  readonly log: RecordLog
  readonly catalog: Catalog
  readonly members: Members
  readonly heads: Heads
  readonly turns: Turns
  readonly clock: HybridClock
  /** By which a long batch lets others run. */
  readonly pace: Pick<Clock, 'monotonic' | 'pause'>
  /** Epoch under which this node writes, 16 hex. */
  epoch(): string
  /** Throws when this node may not write now. */
  checkMayWrite(): void
  /** Throws `out-of-scope` for ops that reach beyond what this node may write to; undefined when that is everything. */
  scopeCheck(): ((ops: readonly Op[]) => void) | undefined
  applied(record: SignedRecord, delta: CatalogDelta): void
  /** Folds a record this node wrote from the log, and tells it; throws `record-quarantined` when it cannot be folded here. */
  fold(record: SignedRecord): Promise<SignedRecord>
  /** Has the index written behind. */
  flushSoon(): Promise<void>
}

/** What a change came to. */
export interface Written<T> {
  readonly result: T
  /** Null when nothing had to be written. */
  readonly record: { readonly id: string; readonly log: string; readonly seq: number; readonly time: number } | null
}

interface Pending {
  readonly change: (draft: Draft) => unknown
  readonly bytes: number
  readonly time: number | undefined
  resolve(written: Written<unknown>): void
  reject(error: unknown): void
}

interface Drafted {
  readonly draft: Draft
  readonly done: Array<{ pending: Pending; result: unknown; wrote: boolean }>
  /** Index behind the last change that is in it. */
  readonly end: number
}

/** Changes waiting for their turn before new ones are refused. */
const MAX_PENDING = 100_000

export class Writer {
  readonly #deps: WriterDeps
  #pending: Pending[] = []
  #scheduled = false

  constructor(deps: WriterDeps) {
    this.#deps = deps
  }

  /**
   * Runs `change` on a draft when its turn comes; resolves when the record holding it is fsynced and indexed. `bytes`
   * is what it will roughly add. What `change` throws reaches the caller and nobody else. `time` replaces the clock: 0
   * lets every value that is there already win.
   */
  change<T>(change: (draft: Draft) => T, bytes: number, time?: number): Promise<Written<T>> {
    if (this.#pending.length >= MAX_PENDING) {
      return Promise.reject(
        new GrapevineError('too-large', `more than ${MAX_PENDING} changes wait to be written`, {
          next: 'wait for earlier ones to be acknowledged'
        })
      )
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ change, bytes, time, resolve: resolve as Pending['resolve'], reject })
      if (this.#scheduled) return
      this.#scheduled = true
      // whatever goes wrong reaches those whose changes they are
      void this.#deps.turns.take(() => this.#run())
    })
  }

  async #run(): Promise<void> {
    this.#scheduled = false
    const batch = this.#pending
    this.#pending = []
    for (let from = 0; from < batch.length;) from = await this.#writeSome(batch, from)
  }

  /** Fills one record from `batch` beginning at `from`; returns where the next begins. */
  async #writeSome(batch: readonly Pending[], from: number): Promise<number> {
    let at = from
    try {
      this.#deps.checkMayWrite()
      const start = this.#start(CATALOG_SPACE, batch[from]!.time)
      const { draft, done, end } = await this.#draftSome(batch, from, start)
      at = end
      const ready = draft.empty ? undefined : await this.#ready(draft, start)
      // others ran meanwhile: writing may have ended, and under another epoch it is another log
      this.#deps.checkMayWrite()
      if (this.#start(CATALOG_SPACE, start.time).log !== start.log) return from
      const record = draft.empty ? null : await this.#write(start, CATALOG_SPACE, draft.ops, ready)
      for (const { pending, result, wrote } of done) {
        pending.resolve({
          result,
          record:
            wrote && record !== null
              ? { id: record.id, log: record.log, seq: record.body.seq, time: record.body.time }
              : null
        })
      }
    } catch (error) {
      at = Math.max(at, from + 1)
      for (const pending of batch.slice(from, at)) pending.reject(error)
    }
    return at
  }

  /**
   * Drafts as many changes as fit. One that throws halfway is dropped, and one for which no room is left goes into the
   * next record; either way the others are drafted anew without it.
   */
  async #draftSome(
    batch: readonly Pending[],
    from: number,
    start: { log: string; seq: number; time: number }
  ): Promise<Drafted> {
    const breath = new Breath(this.#deps.pace)
    const failed = new Set<Pending>()
    for (let stop = batch.length; ;) {
      const draft = new Draft(this.#deps.catalog.stage(), {
        ...start,
        author: this.#deps.keys.publicKey,
        epoch: this.#deps.epoch()
      })
      const checkScope = this.#deps.scopeCheck()
      const done: Drafted['done'] = []
      let end = from
      let spoilt = false
      for (; !spoilt && end < stop && batch[end]!.time === batch[from]!.time && draft.fits(batch[end]!.bytes); end++) {
        const pending = batch[end]!
        const outcome = failed.has(pending) ? 'drafted' : this.#draftOne(pending, draft, checkScope, done, failed)
        if (outcome === 'full') stop = end
        spoilt = outcome !== 'drafted'
        await breath.draw()
      }
      if (!spoilt) return { draft, done, end }
    }
  }

  /** `halfway`: it threw after it had written something; `full`: it needs a record of its own. */
  #draftOne(
    pending: Pending,
    draft: Draft,
    checkScope: ((ops: readonly Op[]) => void) | undefined,
    done: Drafted['done'],
    failed: Set<Pending>
  ): 'drafted' | 'halfway' | 'full' {
    const before = draft.ops.length
    try {
      const result = pending.change(draft)
      checkScope?.(draft.ops.slice(before))
      done.push({ pending, result, wrote: draft.ops.length > before })
      return 'drafted'
    } catch (error) {
      if (draft.overflowed && before > 0) return 'full'
      failed.add(pending)
      pending.reject(error)
      return draft.ops.length === before ? 'drafted' : 'halfway'
    }
  }

  /** Writes ops to the members space in a record of their own; `make` runs in this node's turn. */
  writeMembers(make: () => readonly Op[]): Promise<SignedRecord> {
    return this.#deps.turns.take(async () => {
      const ops = make()
      return this.#write(this.#start(MEMBERS_SPACE), MEMBERS_SPACE, ops)
    })
  }

  /** Writes ops to the catalog that change no entry, in a record of their own; `check` runs in this node's turn. */
  writeOps(ops: readonly Op[], check: () => void): Promise<SignedRecord> {
    return this.#deps.turns.take(async () => {
      check()
      return this.#write(this.#start(CATALOG_SPACE), CATALOG_SPACE, ops)
    })
  }

  /**
   * Begins this node's epoch with a record that changes nothing, unless it has begun: whoever reads the log afterwards
   * sees which epoch came last.
   */
  open(): Promise<SignedRecord | undefined> {
    return this.#deps.turns.take(async () => {
      const start = this.#start(CATALOG_SPACE)
      return start.seq > 1 ? undefined : this.#write(start, CATALOG_SPACE, [])
    })
  }

  #start(space: string, time = this.#deps.clock.next()): { log: string; seq: number; time: number } {
    const log = logIdOf(space, this.#deps.keys.publicKey, this.#deps.epoch())
    return { log, seq: (this.#deps.log.get(log)?.seq ?? 0) + 1, time }
  }

  async #write(
    start: { log: string; seq: number; time: number },
    space: string,
    ops: readonly Op[],
    ready?: Ready
  ): Promise<SignedRecord> {
    const { log, keys, cluster } = this.#deps
    const deps = this.#newDeps(start.log, space)
    const past = log.past(start.log, deps)
    if (past === undefined)
      throw new GrapevineError('internal', 'a head of the log is not in the log', { next: 'run "grapevine rebuild"' })
    const record = sealRecord(
      {
        cluster,
        space,
        author: keys.publicKey,
        epoch: this.#deps.epoch(),
        seq: start.seq,
        prev: log.get(start.log)?.id ?? null,
        deps,
        depth: past.depth + 1,
        time: start.time,
        ops
      },
      keys.sign
    )
    await log.append([record])
    const delta = ready === undefined ? undefined : this.#commit(ready)
    // what is in the log and not in the fold is held and named like anybody's
    if (delta === undefined) return this.#deps.fold(record)
    log.setApplied(record, past)
    this.#deps.heads.applied(record)
    await this.#deps.flushSoon()
    this.#deps.applied(record, delta)
    return record
  }

  /** Undefined when it cannot be indexed: folded from the log it is told why. */
  async #ready(
    draft: Draft,
    { log, seq, time }: { log: string; seq: number; time: number }
  ): Promise<Ready | undefined> {
    const { catalog, pace } = this.#deps
    try {
      return await breathing(catalog.ready(draft.stage, { log, body: { seq, time } }), pace)
    } catch {
      return undefined
    }
  }

  /** As `#ready`; nothing is changed then. */
  #commit(ready: Ready): CatalogDelta | undefined {
    try {
      return this.#deps.catalog.commit(ready)
    } catch {
      return undefined
    }
  }

  /** Heads of the space, and of the members space, that this log does not know yet. */
  #newDeps(own: string, space: string): Dep[] {
    const head = this.#deps.log.get(own)
    const heads = this.#deps.heads.of(space).filter((dep) => dep.log !== own)
    if (space !== MEMBERS_SPACE) {
      const known = head?.knowledge
      for (const dep of this.#deps.heads.of(MEMBERS_SPACE)) if ((known?.get(dep.log) ?? 0) < dep.seq) heads.push(dep)
    }
    return heads.slice(0, MAX_RECORD_DEPS)
  }
}

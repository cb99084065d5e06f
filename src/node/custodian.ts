/**
 * Keeps what is stored sound: reads all of it again and again in the background, fetches from peers what no longer reads
 * back, and names what nobody has. With an unacknowledged loss the node is read-only.
 *
 * 1. What is damaged is fetched again as soon as it is noticed, by a scrub or by any other read.
 * 2. A loss is kept in the home until it is healed or acknowledged; after either, writing goes on by itself.
 * 3. A damaged index is never mended, but made again from the log.
 */
import type { BlobStore } from '../blobs/index.js'
import type { Fact } from '../control/index.js'
import type { LossView, ScrubCounts, ScrubLine, ScrubReport } from '../control/target.js'
import { GrapevineError, reasonOf } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { OpenReport, Replica, Scrubbed } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import { bytesOf, hexOf, type BodyRef } from '../wire/index.js'
import { Losses } from './losses.js'
import { forgetHeldBefore, type HeldBefore } from './last-words.js'
import { lostAtOpen } from './lost-at-open.js'
import { nameLosses, pathsOf } from './loss-names.js'
import { Pace } from './pace.js'

export interface CustodianDeps {
  readonly home: string
  /** Raw public key of this node. */
  readonly key: Uint8Array
  readonly replica: Replica
  readonly report: OpenReport
  /** How far each log was held by an index that contradicted the log; empty when none did. */
  readonly heldBefore: readonly HeldBefore[]
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly logger: Logger
  /** Connected peers. */
  peers(): number
  /** Begins to fetch a blob; `BlobStore.on` tells when it is here. */
  want(ref: BodyRef): void
  /** The index is to be made again; this process of ours may be restarted for it. */
  rebuild(reason: string): void
  emit(fact: Fact): void
}

export interface CustodianOptions {
  /** What the background scrub reads, bytes a second; 0: there is none. */
  readonly bytesPerSecond: number
  /** From the end of one background scrub to the begin of the next, ms. */
  readonly pauseMs?: number
}

const HOLD = 'losses'
/** Disks lose sectors over months; a day keeps the time in which two copies can rot short. */
const PAUSE_MS = 24 * 3_600_000
/** After a start there is better to do. */
const FIRST_SCRUB_MS = 10 * 60_000
/** How often losses are looked for again, ms. */
const RETRY_MS = 5_000
/** How long a scrub waits for a blob that is being fetched again, ms. */
const REFETCH_MS = 20_000
const PROGRESS_MS = 250

interface Tally {
  readonly checked: ScrubCounts
  damaged: number
  healed: number
  readonly lost: LossView[]
  rebuild: string | undefined
}

export class Custodian {
  readonly #deps: CustodianDeps
  readonly #options: CustodianOptions
  readonly #losses: Losses
  readonly #ending = new AbortController()
  #background: AbortController | undefined
  #turn: Promise<unknown> = Promise.resolve()
  readonly #noticed = new Set<string>()
  #timers: Array<() => void> = []
  #unlisten: (() => void) | undefined

  constructor(deps: CustodianDeps, options: CustodianOptions) {
    this.#deps = deps
    this.#options = options
    this.#losses = new Losses(deps.home)
  }

  async start(): Promise<void> {
    await this.#losses.load()
    const { replica, heldBefore, report } = this.#deps
    await this.#losses.add(
      lostAtOpen(replica.log, heldBefore, report.damaged, (range) => this.#losses.wasHealed(range))
    )
    await forgetHeldBefore(this.#deps.home)
    await this.#retry()
    // what the opening ran into came before anybody was there to heal it
    for (const id of replica.log.unread) this.recordDamaged(id)
    this.#unlisten = this.#deps.blobs.on(({ type, ref }) => {
      if (type === 'damaged') this.#deps.emit({ event: 'damage-found', what: 'blob', hash: ref.hash })
    })
    this.#repeat(RETRY_MS, () => this.#retry())
    if (this.#options.bytesPerSecond > 0) this.#later(FIRST_SCRUB_MS, () => this.#scrubBehind())
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    this.#background?.abort()
    for (const cancel of this.#timers) cancel()
    this.#unlisten?.()
    await this.#turn
  }

  /** What is lost and not acknowledged. */
  get losses(): LossView[] {
    return this.#losses.open
  }

  async acknowledge(): Promise<LossView[]> {
    const losses = await this.#losses.acknowledge()
    this.#deps.logger.warn('What is lost was acknowledged; writing goes on without it.', { losses: losses.length })
    this.#judge()
    return losses
  }

  /** Some read found that a record no longer reads back. */
  recordDamaged(id: string): void {
    const found = this.#deps.replica.log.find(id)
    if (found === undefined || this.#noticed.has(id) || this.#ending.signal.aborted) return
    this.#noticed.add(id)
    this.#deps.emit({ event: 'damage-found', what: 'record', log: found.log, at: found.seq })
    void this.#healRecord(found.log, found.seq)
      .catch((error: unknown) =>
        this.#deps.logger.warn('A damaged record could not be stored anew.', { ...found, reason: reasonOf(error) })
      )
      .finally(() => this.#noticed.delete(id))
  }

  async #repair(log: string, seq: number): Promise<'sound' | 'healed' | 'lost'> {
    const { replica } = this.#deps
    const at = replica.log.row(log, seq)?.at
    const outcome = await replica.repair(log, seq)
    if (outcome === 'healed' && at !== undefined) await this.#losses.healedAt(at)
    return outcome
  }

  async #healRecord(log: string, seq: number): Promise<void> {
    if ((await this.#repair(log, seq)) !== 'lost') return
    await this.#losses.add(await this.#withPaths([this.#recordLoss(log, seq)]))
    this.#judge()
  }

  // --- scrubbing ----------------------------------------------------------------------------------------------------

  /** Reads everything now, at full speed; a scrub in the background makes way. */
  async *scrub(options: { signal?: AbortSignal } = {}): AsyncGenerator<ScrubLine> {
    this.#background?.abort()
    yield* this.#inTurn(options.signal ?? new AbortController().signal, 0)
  }

  async #scrubBehind(): Promise<void> {
    const abort = new AbortController()
    this.#background = abort
    for await (const line of this.#inTurn(abort.signal, this.#options.bytesPerSecond))
      if ('report' in line)
        this.#deps.logger.info('Everything stored was read once more.', {
          ...line.report.checked,
          damaged: line.report.damaged,
          lost: line.report.lost.length
        })
    if (!this.#ending.signal.aborted) this.#later(this.#options.pauseMs ?? PAUSE_MS, () => this.#scrubBehind())
  }

  /** One scrub at a time. */
  async *#inTurn(signal: AbortSignal, bytesPerSecond: number): AsyncGenerator<ScrubLine> {
    const before = this.#turn
    const done = Promise.withResolvers<void>()
    this.#turn = done.promise
    await before
    try {
      yield* this.#scrub(AbortSignal.any([signal, this.#ending.signal]), bytesPerSecond)
    } finally {
      done.resolve()
    }
  }

  async *#scrub(signal: AbortSignal, bytesPerSecond: number): AsyncGenerator<ScrubLine> {
    const { clock, replica } = this.#deps
    const pace = new Pace(clock, bytesPerSecond)
    const stop = (): void => pace.stop()
    signal.addEventListener('abort', stop)
    const tally: Tally = {
      checked: { records: 0, rows: 0, blobs: 0, bytes: 0 },
      damaged: 0,
      healed: 0,
      lost: [],
      rebuild: undefined
    }
    let toldAt = clock.monotonic()
    try {
      for await (const step of both(
        replica.scrub((bytes) => pace.take(bytes)),
        this.#scrubBlobs(pace, tally)
      )) {
        if (signal.aborted) return
        if (step !== undefined) await this.#judgeStep(step, tally)
        if (clock.monotonic() - toldAt < PROGRESS_MS) continue
        toldAt = clock.monotonic()
        yield { progress: { ...tally.checked } }
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
    yield { report: await this.#finish(tally) }
    if (tally.rebuild !== undefined) this.#deps.rebuild(tally.rebuild)
  }

  async #judgeStep(step: Scrubbed, tally: Tally): Promise<void> {
    if ('read' in step) {
      if (step.read === 'record') tally.checked.records += 1
      else tally.checked.rows += 1
      tally.checked.bytes += step.bytes
      return
    }
    tally.damaged += 1
    if (step.damaged === 'index') {
      tally.rebuild ??= step.reason
      this.#deps.emit({ event: 'damage-found', what: 'index' })
      return
    }
    this.#deps.emit({ event: 'damage-found', what: 'record', log: step.log, at: step.seq })
    const outcome = await this.#repair(step.log, step.seq)
    if (outcome === 'lost') tally.lost.push(this.#recordLoss(step.log, step.seq))
    else tally.healed += 1
  }

  /** Blobs that are stored, then bodies that entries name and that should be here. Yields to let progress be told. */
  async *#scrubBlobs(pace: Pace, tally: Tally): AsyncGenerator<undefined> {
    const { blobs } = this.#deps
    const refs: BodyRef[] = []
    for await (const ref of blobs.list()) refs.push(ref)
    for (const ref of refs) {
      if (await this.#readsBack(ref, pace, tally)) tally.checked.blobs += 1
      else await this.#healBlob(await this.#asNamed(ref), tally)
      yield undefined
    }
    for await (const ref of this.#missingOwn()) {
      await this.#healBlob(ref, tally)
      yield undefined
    }
  }

  async #readsBack(ref: BodyRef, pace: Pace, tally: Tally): Promise<boolean> {
    try {
      for await (const chunk of this.#deps.blobs.read(ref)) {
        tally.checked.bytes += chunk.length
        await pace.take(chunk.length)
      }
      return true
    } catch (error) {
      // removed or replaced since it was listed
      if (error instanceof GrapevineError && error.code === 'blob-missing') return true
      if (error instanceof GrapevineError && error.code === 'blob-damaged') return false
      throw error
    }
  }

  /** Bodies this node wrote, so that it once had them, and whose bytes are gone. Others may never have come. */
  async *#missingOwn(): AsyncGenerator<BodyRef> {
    const { replica, blobs, key } = this.#deps
    for await (const id of replica.reader.ids()) {
      for (const { body, log } of replica.reader.entry(id)?.bodies ?? []) {
        const here = blobs.sizeOf(body.hash) === body.size || replica.reader.inlineBody(body) !== undefined
        if (!here && replica.authorOf(log) === hexOf(key)) yield body
      }
    }
  }

  async #healBlob(ref: BodyRef, tally: Tally): Promise<void> {
    tally.damaged += 1
    if ((await this.#isHere(ref)) || (await this.#refetched(ref))) tally.healed += 1
    else tally.lost.push({ kind: 'blob', ...ref, paths: [] })
  }

  /** A body by the size that entries give it: a file that was cut says another. */
  async #asNamed(found: BodyRef): Promise<BodyRef> {
    const { reader } = this.#deps.replica
    for await (const id of reader.ids())
      for (const { body } of reader.entry(id)?.bodies ?? []) if (body.hash === found.hash) return body
    return found
  }

  /** The store may have mended it by itself. */
  async #isHere(ref: BodyRef): Promise<boolean> {
    const { blobs } = this.#deps
    return blobs.sizeOf(ref.hash) === ref.size && (await blobs.check(ref))
  }

  #refetched(ref: BodyRef): Promise<boolean> {
    const { blobs, clock, want, peers } = this.#deps
    want(ref)
    if (peers() === 0) return Promise.resolve(false)
    return new Promise((resolve) => {
      const end = (healed: boolean): void => {
        cancel()
        unlisten()
        this.#ending.signal.removeEventListener('abort', giveUp)
        resolve(healed)
      }
      const giveUp = (): void => end(false)
      const cancel = clock.timer(REFETCH_MS, giveUp)
      const unlisten = blobs.on(({ type, ref: added }) => {
        if (type === 'added' && added.hash === ref.hash) end(true)
      })
      this.#ending.signal.addEventListener('abort', giveUp)
      if (blobs.sizeOf(ref.hash) === ref.size) end(true)
    })
  }

  async #finish(tally: Tally): Promise<ScrubReport> {
    const { checked, damaged, healed } = tally
    const lost = await this.#withPaths(tally.lost)
    await this.#losses.add(lost)
    this.#judge()
    this.#deps.emit({ event: 'scrub-finished', damaged, healed, lost: lost.length })
    return { checked, damaged, healed, lost, ...(tally.rebuild === undefined ? {} : { rebuild: tally.rebuild }) }
  }

  // --- losses -------------------------------------------------------------------------------------------------------

  #recordLoss(log: string, seq: number): LossView {
    const author = this.#deps.replica.authorOf(log)
    return { kind: 'record', log, author: author === '' ? '' : nodeIdOf(bytesOf(author)), seq, paths: [] }
  }

  async #withPaths(losses: readonly LossView[]): Promise<LossView[]> {
    return losses.length === 0 ? [] : pathsOf(losses, this.#deps.replica.reader)
  }

  /** Looks whether what was lost is back. */
  async #retry(): Promise<void> {
    for (const loss of this.#losses.open) if (await this.#isBack(loss)) await this.#losses.remove(loss)
    this.#judge()
  }

  async #isBack(loss: LossView): Promise<boolean> {
    const { replica, blobs, peers } = this.#deps
    if (loss.kind === 'record') {
      if ((replica.log.get(loss.log)?.seq ?? 0) < loss.seq) return false
      return (await this.#repair(loss.log, loss.seq)) !== 'lost'
    }
    if (loss.kind === 'blob') {
      const here = blobs.sizeOf(loss.hash) === loss.size
      if (!here) this.#deps.want(loss)
      return here
    }
    // an equal root at a node whose log is whole says that whatever was there is here again
    return peers() > 0 && replica.inSyncWithSomebody()
  }

  #judge(): void {
    const { replica } = this.#deps
    const losses = this.#losses.open
    if (losses.length === 0) return replica.release(HOLD)
    replica.hold(
      HOLD,
      new GrapevineError('records-lost', nameLosses(losses), {
        next: 'connect a node that has it, and it is healed; or go on without it: "grapevine scrub --acknowledge"',
        facts: { losses: losses.length }
      })
    )
  }

  // --- timers -------------------------------------------------------------------------------------------------------

  #later(ms: number, work: () => Promise<void>): void {
    const cancel = this.#deps.clock.timer(ms, () => {
      this.#timers = this.#timers.filter((other) => other !== cancel)
      work().catch((error: unknown) =>
        this.#deps.logger.warn('Looking over what is stored failed; it is tried again.', { reason: reasonOf(error) })
      )
    })
    this.#timers.push(cancel)
  }

  #repeat(ms: number, work: () => Promise<void>): void {
    this.#later(ms, async () => {
      try {
        await work()
      } finally {
        if (!this.#ending.signal.aborted) this.#repeat(ms, work)
      }
    })
  }
}

async function* both<A, B>(first: AsyncGenerator<A>, second: AsyncGenerator<B>): AsyncGenerator<A | B> {
  yield* first
  yield* second
}

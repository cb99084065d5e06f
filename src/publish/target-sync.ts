/**
 * Keeps one target and the catalog in step, both ways. Everything happens in one queue: first what changed in the target
 * is imported, then what changed in the catalog is applied, so that neither can overwrite what the other has not seen.
 *
 * Rules (tests cite the numbers):
 * 1. The scan is the truth; hints only say where to look.
 * 2. Equal content is no change, in either direction.
 * 3. A local edit replaces only what the target had seen; what it had not seen becomes a conflict.
 * 4. Nothing is written over content that is not what we last saw there.
 * 5. An entry whose bytes are not here yet waits, and the target keeps what it has.
 * 6. A local change of a node that may not write is drift (`drift.ts`): shown, and copied aside before it is replaced.
 */
import type { ApplyItem, ApplyResult, ScanResult, WatchHint } from '../adapters/contract.js'
import { outermost } from '../adapters/paths.js'
import { applySet } from './apply-set.js'
import { Alarms } from './alarms.js'
import { baseRow } from './base.js'
import { comingBesides, type ComingDeps } from './coming.js'
import { diffScan, splitDiff, type Diff } from './diff.js'
import { Drift, type DriftItem } from './drift.js'
import { Failing } from './failing.js'
import { Importer } from './importer.js'
import { makeWay } from './make-way.js'
import { desiredOf, markOf } from './marks.js'
import { CONFIRM_MS, Missing } from './missing.js'
import { Planner, type Desired } from './planner.js'
import { Problems, typedError, type Problem } from './problems.js'
import { Queue } from './queue.js'
import { SharedDir } from './shared-dir.js'
import type { LastScan, TargetSyncDeps, TargetSyncEvents, TargetSyncOptions } from './target-sync-options.js'
import { dropUnknown } from './unknown.js'
import { WaitingRoom } from './waiting-room.js'

/** Entries applied in one set: bounds memory, the time until the next import, and how long planning, 20 us each, lasts. */
const MAX_SET = 1_000
/** Entries that wait and are tried along with every change. */
const MAX_TRIED_ALONG = 256
/** Times an entry is tried at once when the target held something unexpected. */
const MAX_QUICK_TRIES = 3
const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 30_000

export class TargetSync {
  readonly #deps: TargetSyncDeps
  readonly #options: TargetSyncOptions
  readonly #events: TargetSyncEvents
  readonly #importer: Importer
  readonly #planner: Planner
  readonly #missing: Missing
  readonly #shared: SharedDir | undefined
  readonly #coming: ComingDeps
  readonly problems: Problems
  /** Entries that the adapter could not apply. */
  readonly failing: Failing
  readonly drift: Drift
  readonly #dirty: Queue
  /** Entries that are complete in the catalog and not in the target yet. */
  readonly waiting: WaitingRoom
  /** Something changed since what waits was tried last. */
  #stirred = false
  readonly #tries = new Map<string, number>()
  #hints: Set<string> | 'all' | undefined
  #first = false
  #yields = false
  #running = false
  /** Nothing is applied before the first scan is due: the target may have been changed while we were stopped. */
  #ready = false
  #working: Promise<void> | undefined
  readonly #alarms: Alarms
  #retryMs = RETRY_MIN_MS
  #abort = new AbortController()
  lastScan: LastScan | undefined
  state: 'scanning' | 'watching' | 'stopped' | 'error' = 'stopped'

  constructor(deps: TargetSyncDeps, options: TargetSyncOptions, events: TargetSyncEvents = {}) {
    this.#deps = deps
    this.#options = options
    this.#events = events
    this.problems = new Problems((problem, open) => events.problem?.(problem, open))
    this.#alarms = new Alarms(deps.clock)
    this.waiting = new WaitingRoom(() => deps.clock.now())
    this.failing = new Failing({ base: deps.base, problems: this.problems, now: () => deps.clock.now() })
    this.#importer = new Importer({
      ...deps,
      problems: this.problems,
      now: () => deps.clock.now(),
      imported: (path, what) => events.imported?.(path, what)
    })
    this.#planner = new Planner({
      reader: deps.reader,
      base: deps.base,
      ignores: (path, kind) => deps.adapter.ignores(path, kind)
    })
    const { reader, base } = deps
    this.#dirty = new Queue(deps)
    this.#coming = { reader, base, has: (body) => deps.bodies.has(body) }
    this.drift = new Drift({
      ...deps,
      policyOf: (path) => deps.driftPolicy(path),
      now: () => deps.clock.now(),
      changed: (item, end) => events.drift?.(item, end)
    })
    const now = (): number => deps.clock.monotonic()
    this.#missing = new Missing({ pathOf: (id) => deps.base.byId(id)?.path, now })
    this.#shared = options.shared && new SharedDir({ ...deps, waiting: this.waiting, now }, options.shared)
    deps.adapter.onHint((hint) => this.hint(hint))
  }

  /** Whether this target was never in step with the catalog. */
  isFirst(): Promise<boolean> {
    return this.#deps.base.isEmpty()
  }

  /** Begins: a full scan, then everything the catalog has and the target has not. */
  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    this.#abort = new AbortController()
    this.#first = await this.isFirst()
    await this.#deps.adapter.start()
    await this.#noteRecovered()
    await dropUnknown(this.#deps.base, this.#deps.reader, this.#deps.logger)
    await this.failing.load()
    this.#hints = 'all'
    for await (const id of this.#deps.reader.listedIds()) this.#dirty.add(id)
    this.#yields = this.#first && (this.#options.newcomer || this.#dirty.size > 0)
    for await (const row of this.#deps.base.list()) this.#dirty.add(row.id)
    this.#ready = true
    this.#work()
  }

  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#ready = false
    this.#alarms.stop()
    this.#abort.abort()
    await this.#deps.adapter.stop()
    await this.#working
    await this.#deps.base.flush()
    this.state = 'stopped'
  }

  /** Whether nothing is left to do. */
  get idle(): boolean {
    return this.#working === undefined && !this.#hasWork && this.#missing.none && this.#shared?.defers !== true
  }

  hint(hint: WatchHint): void {
    if ('all' in hint) this.#hints = 'all'
    else if (this.#hints !== 'all') {
      this.#hints ??= new Set()
      for (const path of hint.paths) this.#hints.add(path)
    }
    this.#work()
  }

  /** The catalog changed at these entries. */
  changed(ids: Iterable<string>): void {
    this.#dirty.addAll(ids)
    // what waits for them comes in the same set; many are looked at once when all else is done
    if (this.waiting.size <= MAX_TRIED_ALONG) this.#dirty.addAll(this.waiting.heldIds())
    else this.#stirred = true
    this.#work()
  }

  /** The bytes of a body arrived. */
  bodyArrived(hash: string): void {
    this.changed(this.waiting.arrived(hash))
  }

  /** Tries what could not be applied again, everything or what is at one path; false when nothing of that is known. */
  retry(path?: string): boolean {
    const ids = this.failing.retry((entry) => path === undefined || entry.path === path)
    this.#dirty.addAll(ids)
    this.#work()
    return ids.length > 0
  }

  /** Stops trying to apply what is at `path` until it changes next; false when it is not among what failed. */
  async drop(path: string): Promise<boolean> {
    const dropped = this.failing.drop(path)
    await this.#deps.base.flush()
    return dropped
  }

  /**
   * Drift at and below these paths makes way, all of it when absent. Returns what that is, before it has. Throws
   * `directory-shared` where nothing is written.
   */
  restoreDrift(paths: readonly string[] = ['']): DriftItem[] {
    this.#shared?.refuseToWrite()
    const items = this.drift.wishBelow(paths)
    if (items.length > 0) this.hint({ paths: items.flatMap(({ path, from }) => [path, from ?? path]) })
    return items
  }

  // --- the queue --------------------------------------------------------------------------------------------------

  get #hasWork(): boolean {
    return this.#hints !== undefined || this.#dirty.size > 0 || (this.#stirred && this.waiting.holds)
  }

  #work(): void {
    if (!this.#running || !this.#ready || this.#working !== undefined || !this.#hasWork) return
    this.#working = this.#run().finally(() => {
      this.#working = undefined
      this.#schedule()
      if (!this.#alarms.has('retry')) this.#work()
    })
  }

  async #run(): Promise<void> {
    try {
      while (this.#running && this.#hasWork) {
        if (this.#hints !== undefined) await this.#import()
        if (this.#dirty.size === 0) this.#tryWaiting()
        if (this.#running && this.#dirty.size > 0 && !(await this.#takeNext())) return this.#retryLater()
      }
      this.#retryMs = RETRY_MIN_MS
      if (this.state !== 'error') this.state = 'watching'
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (!this.#running) return
    const typed = typedError(error)
    this.state = 'error'
    this.problems.open('', typed, this.#deps.clock.now())
    this.#deps.logger.error('The target could not be brought in step; it is tried again.', {
      code: typed.code,
      reason: typed.message,
      stack: typed.code === 'internal' && error instanceof Error ? error.stack : undefined
    })
    // what was hinted was perhaps not looked at
    this.#hints = 'all'
    this.#retryLater()
  }

  #retryLater(): void {
    if (!this.#running) return
    this.#alarms.set('retry', this.#retryMs, () => this.#work())
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2)
  }

  #schedule(): void {
    if (!this.#running) return
    this.#alarms.set('rescan', this.#options.rescanIntervalMs, () => this.hint({ all: true }))
    const stir = (): void => {
      this.#stirred = true
      this.#work()
    }
    this.#alarms.set('patience', this.waiting.nextMs(), stir)
    this.#alarms.set('turn', this.#shared?.nextTurnMs(), () => this.hint({ paths: this.#shared!.duePaths() }))
    this.#alarms.set('look', this.#shared?.nextLookMs(), stir)
  }

  /** When everything else is done, what waited for it is tried once. */
  #tryWaiting(): void {
    if (!this.#stirred) return
    this.#stirred = false
    this.#dirty.addAll(this.waiting.heldIds())
  }

  // --- target -> catalog --------------------------------------------------------------------------------------------

  async #import(): Promise<void> {
    const hints = this.#hints
    this.#hints = undefined
    const paths = hints === 'all' || hints === undefined ? undefined : outermost([...hints, ...this.#missing.paths()])
    const began = this.#deps.clock.monotonic()
    if (paths === undefined) this.state = 'scanning'
    const scan = await this.#deps.adapter.scan({
      ...(paths === undefined ? {} : { paths }),
      signal: this.#abort.signal
    })
    this.#noteProblems(scan, paths)
    const diff = await diffScan(scan, this.#deps.base.list(paths), (path, kind) =>
      this.#deps.adapter.ignores(path, kind)
    )
    const certain = this.#missing.sift(diff, paths)
    if (!this.#missing.none) this.#lookAgain()
    if (certain) await this.#take(diff, paths)
    if (paths !== undefined) return
    const ms = Math.round(this.#deps.clock.monotonic() - began)
    this.#dirty.addAll(this.failing.retry(({ state }) => state === 'held'))
    this.lastScan = { at: this.#deps.clock.now(), ms, entries: scan.entries.size }
    this.#events.scanned?.(scan.entries.size, ms)
  }

  /** What was missed is looked for once more. */
  #lookAgain(): void {
    this.#alarms.set('second-look', CONFIRM_MS, () => this.hint({ paths: [] }))
  }

  #noteProblems(scan: ScanResult, paths: readonly string[] | undefined): void {
    // a file that is being written right now is no problem: a hint follows when it has come to rest
    const lasting = scan.problems.filter(({ error }) => error.facts.transient !== true)
    const still = new Set([...lasting, ...this.failing.list()].map(({ path }) => path))
    this.problems.closeOthers(paths, still)
    for (const { path, error } of lasting) this.problems.open(path, error, this.#deps.clock.now())
    this.state = 'scanning'
  }

  async #take(diff: Diff, paths: readonly string[] | undefined): Promise<void> {
    const ours = await this.#shared?.sift(diff, paths, this.#first)
    if (ours !== undefined) await this.#takeOurs(ours, paths)
    else if (this.#first && this.#options.adopt === 'cluster') {
      this.#dirty.addAll(await makeWay(this.#deps, diff, this.#abort.signal))
    } else await this.#takeOurs(diff, paths)
    this.#stirred = this.#shared === undefined
    // only now: what could not be finished is still the first scan when it is tried again
    this.#first = false
  }

  async #takeOurs(diff: Diff, paths: readonly string[] | undefined): Promise<void> {
    const { ours, drift } = splitDiff(diff, (path, kind) => this.#deps.mayWrite(path, kind))
    this.#dirty.addAll(await this.drift.take(drift, paths, this.#missing.paths()))
    const touched = await this.#importer.import(ours, this.#first && this.#yields ? { time: 0 } : {})
    this.#dirty.addAll(touched)
  }

  // --- catalog -> target --------------------------------------------------------------------------------------------

  /** Looks at as many entries as one set may have; false when something is left that must be tried again later. */
  async #takeNext(): Promise<boolean> {
    const ids = await this.#dirty.take(MAX_SET)
    try {
      if (this.#shared === undefined) return await this.#apply(ids)
      await this.#look(this.#shared, ids)
      return true
    } catch (error) {
      this.#dirty.addAll(ids)
      throw error
    }
  }

  /** Where other nodes share the target, what changed in the catalog is only looked for. */
  async #look(shared: SharedDir, ids: readonly string[]): Promise<void> {
    if (this.drift.size > 0) await this.drift.meet()
    const paths = shared.differing(ids).flatMap((each) => each.paths)
    this.#hintQuietly(paths)
    if (paths.length > 0) await this.#import()
    for (const { id, path } of shared.differing(ids)) await shared.wait(id, path)
    await this.#deps.base.flush()
  }

  /** Applies a set; false when something is left that must be tried again later. */
  async #apply(ids: readonly string[]): Promise<boolean> {
    const { adapter, bodies } = this.#deps
    if (this.drift.size > 0) await this.drift.meet()
    const plan = await this.#planner.plan(ids, (body) => bodies.has(body))
    this.waiting.taken(ids)
    for (const { id, path, body } of plan.waiting) {
      this.waiting.forBody(id, path, body)
      bodies.want(body)
    }
    for (const id of plan.settled) {
      this.waiting.over(id)
      this.failing.applied(id)
    }
    let good = true
    const set = plan.steps.flat().filter(({ desired }) => !this.failing.rests(desired))
    if (set.length > 0) {
      const items = set.map(({ desired, item }) => ({ ...item, mark: markOf(desired) }))
      const others = [...this.waiting.ids(), ...this.failing.list().map(({ id }) => id)]
      const coming = comingBesides(set, others, this.#dirty, this.#coming)
      const results = await applySet(adapter, items, bodies.source, this.#abort.signal, coming)
      for (const [index, result] of results.entries()) good = (await this.#applied(set[index]!.desired, result)) && good
    }
    await this.#deps.base.flush()
    if (set.length > 0) await this.#deps.adapter.settled?.()
    this.#dirty.addAll(plan.again)
    return good
  }

  /**
   * What the adapter put in place and a crash kept us from taking note of is no edit of anybody here: taken for one, it
   * would win over what the catalog has heard since.
   */
  async #noteRecovered(): Promise<void> {
    const { adapter, base } = this.#deps
    for (const result of adapter.recovered ?? []) {
      const { mark } = result.item
      if (mark !== undefined) await this.#keep(desiredOf(mark), result)
    }
    await base.flush()
    await adapter.settled?.()
  }

  /** Takes note of one result; false when it has to be tried again later. */
  async #applied(desired: Desired, result: ApplyResult): Promise<boolean> {
    const { path } = result.item
    if (result.waits !== undefined) return this.waiting.hold(desired.id, path, result.waits)
    this.#stirred = true
    if (result.outcome === 'done') {
      await this.#keep(desired, result)
      this.problems.close(path)
      this.failing.applied(desired.id)
      this.drift.ended(path, 'restored')
      this.waiting.over(desired.id)
      this.#tries.delete(desired.id)
      this.#events.written?.(path, result.item.do)
      return true
    }
    // what a fault keeps from being applied is not tried again with everything else
    if (result.outcome === 'failed' && this.failing.failed(desired, result)) return true
    this.#dirty.add(desired.id)
    if (result.outcome === 'differs') return this.#differs(desired, result.item)
    return false
  }

  /** The target holds something else than we last saw: it is looked at before anything is written there. */
  #differs(desired: Desired, item: ApplyItem): boolean {
    if (item.do === 'remove' && item.expect.kind === 'dir') return this.#linger(desired, item.path)
    const ours = this.#deps.mayWrite(item.path, item.do === 'mkdir' ? 'dir' : 'file')
    const paths = ours ? [item.path] : this.drift.wish(item.path)
    this.#hintQuietly(item.do === 'move' ? [item.from, ...paths] : paths)
    return this.#tryAgain(desired.id)
  }

  /** At once a few times, because a scan usually settles it; after that later. */
  #tryAgain(id: string): boolean {
    const tries = (this.#tries.get(id) ?? 0) + 1
    this.#tries.set(id, tries)
    return tries <= MAX_QUICK_TRIES
  }

  /** Adds to what is looked at next, without starting the queue: it is running. */
  #hintQuietly(paths: readonly string[]): void {
    if (this.#hints === 'all' || paths.length === 0) return
    this.#hints ??= new Set()
    for (const path of paths) this.#hints.add(path)
  }

  /** A directory that is gone from the catalog but still holds what is not shared stays until it is empty. */
  #linger(desired: Desired, path: string): boolean {
    const row = this.#deps.base.byId(desired.id)
    this.#dirty.delete(desired.id)
    if (row !== undefined) this.#deps.base.set({ ...row, lingering: true })
    this.#deps.logger.info('A removed directory stays because it holds what is not shared.', { path })
    return true
  }

  async #keep(desired: Desired, { item, entry }: ApplyResult): Promise<void> {
    const { base } = this.#deps
    const row = base.byId(desired.id)
    if (entry === null) {
      if (row !== undefined) base.delete(row)
      return
    }
    const evicted = base.byPath(item.path)
    if (evicted !== undefined && evicted.id !== desired.id) {
      base.delete(evicted)
      this.#dirty.add(evicted.id)
    }
    if (item.do === 'move' && entry.kind === 'dir') await base.moveBelow(item.from, item.path)
    base.set(baseRow(desired.id, entry, desired.seen))
  }
}

export type { Problem }

/**
 * A directory of files as a target. The scan is the truth and the watches only hint; nothing is replaced that is not
 * what the catalog believes to be there; nothing leads out of the directory. README.md tells the rules.
 */
import { isAbsolute, relative, sep } from 'node:path'
import { GrapevineError, isErrno } from '../../errors.js'
import type { Clock, Logger } from '../../runtime.js'
import type { Adapter, ApplyItem, ApplyResult, BodySource, ScanResult, TargetEntry, WatchHint } from '../contract.js'
import { applySet, type ApplyDeps, type Withhold } from './apply.js'
import { keepCopy, setAside } from './aside.js'
import { streamFile } from './content.js'
import { statOf } from './current.js'
import { changing, notShared, unreadable } from './faults.js'
import { IgnoreFile } from './ignore-file.js'
import { Journal } from './journal.js'
import { removeLeftovers } from './leftovers.js'
import { recoverSet } from './recover.js'
import { Root, splitPath, type RootIdentity } from './root.js'
import { IGNORE_FILE, Rules, type LeavesOut } from './rules.js'
import { Scan, type ScanOptions } from './scan.js'
import { Settler, type Look } from './settle.js'
import { rowMatches, type StatCache } from './stat-cache.js'
import { Strays } from './strays.js'
import { Watches } from './watches.js'

export interface DirectoryDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly cache: StatCache
}

export interface DirectoryOptions {
  /** The shared directory; it must exist. */
  readonly root: string
  /** What an earlier run saw, so that an unmounted disk is not taken for an emptied directory. */
  readonly expectRoot?: RootIdentity
  /** The node's home; left out when it lies in the shared directory. */
  readonly home?: string
  /**
   * A directory of this node, outside the target, for the journal that makes a set whole over a crash. Without one a
   * crash may leave half of a set.
   */
  readonly journalDir?: string
  /** Whether nothing may be written, not even to clear up after a crash: the directory is somebody else's, too. */
  readonly readOnly?: boolean
  /** Further patterns in gitignore's syntax. */
  readonly ignore?: readonly string[]
  /** What is left out besides; true for a path means the same for all that is below it. */
  readonly leavesOut?: LeavesOut
  /** Whether two files next to each other in a set may be put in place in any order; absent: any two may. */
  readonly together?: (a: string, b: string) => boolean
  /** A changed path is hinted after so long without another event, ms. */
  readonly settleMs?: number
  /** An empty file is hinted after so long, ms: programs that make a file empty first fill it sooner. */
  readonly emptySettleMs?: number
}

/** Measured: events of one save lie less than 10 ms apart; more only delays every change. */
export const DEFAULT_SETTLE_MS = 25
export const DEFAULT_EMPTY_SETTLE_MS = 1_000

export class DirectoryAdapter implements Adapter {
  readonly kind = 'directory'
  readonly #deps: ApplyDeps & DirectoryDeps
  readonly #emptySettleMs: number
  readonly #readOnly: boolean
  readonly #ignoreFile: IgnoreFile
  readonly #settler: Settler
  readonly #watches: Watches
  #listener: (hint: WatchHint) => void = () => {}
  #state: 'new' | 'started' | 'stopped' = 'new'
  #starting: Promise<void> | null = null
  #recovered: readonly ApplyResult[] = []
  /** Sets are applied one after the other: the journal holds one. */
  #applying: Promise<unknown> = Promise.resolve()

  constructor(deps: DirectoryDeps, options: DirectoryOptions) {
    const root = new Root(options.root, options.expectRoot)
    const rules = new Rules([...(options.ignore ?? []), ...homeRule(options)], options.leavesOut)
    this.#readOnly = options.readOnly ?? false
    const hasJournal = options.journalDir !== undefined && !this.#readOnly
    const journal = hasJournal ? { journal: new Journal(options.journalDir!) } : {}
    const together = options.together === undefined ? {} : { together: options.together }
    this.#deps = { ...deps, root, rules, writing: new Set(), strays: new Strays(), ...journal, ...together }
    this.#emptySettleMs = options.emptySettleMs ?? DEFAULT_EMPTY_SETTLE_MS
    this.#ignoreFile = new IgnoreFile(this.#deps)
    this.#watches = new Watches({ root, rules, logger: deps.logger, noticed: (path) => this.#settler.note(path) })
    this.#settler = new Settler(
      {
        clock: deps.clock,
        logger: deps.logger,
        look: (path) => this.#look(path),
        lookAtAll: () => this.#watches.add(''),
        hint: (hint) => this.#listener(hint)
      },
      { settleMs: options.settleMs ?? DEFAULT_SETTLE_MS, emptySettleMs: this.#emptySettleMs }
    )
  }

  /** Which directory this is; known after start() or the first scan. Keep it and hand it back as `expectRoot`. */
  get rootIdentity(): RootIdentity | null {
    return this.#deps.root.identity
  }

  /** False when the system gave too few watches: then scan more often. */
  get watchesComplete(): boolean {
    return this.#watches.complete
  }

  get recovered(): readonly ApplyResult[] {
    return this.#recovered
  }

  onHint(listener: (hint: WatchHint) => void): void {
    this.#listener = listener
  }

  /** True when the path is left out by a rule: never imported, written or removed, and its absence means nothing. */
  ignores(path: string, kind: 'file' | 'dir'): boolean {
    return this.#deps.rules.ignores(path, kind)
  }

  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    await this.#starting?.catch(() => {})
    this.#watches.stop()
    await this.#settler.stop()
    await this.#applying
  }

  async scan(options: ScanOptions = {}): Promise<ScanResult> {
    try {
      await this.#deps.root.check()
      await this.#prepareScan()
      const held = (path: string) => this.#settler.hold(path)
      return await new Scan({ ...this.#deps, held }, this.#emptySettleMs, options).run()
    } catch (error) {
      // watches of a directory that was unmounted or replaced are dead; they are set again when it is back
      if (error instanceof GrapevineError && error.code === 'target-missing') this.#watches.drop('')
      throw error
    }
  }

  async *read(entry: TargetEntry & { kind: 'file' }, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    await this.#deps.root.check()
    const [parent, name] = splitPath(entry.path)
    try {
      const dir = await this.#deps.root.openDir(parent)
      if (dir === null) throw changing(entry.path, 'is gone', true)
      try {
        const body = yield* streamFile(dir.at(name), signal)
        if (body === 'other') throw notShared(entry.path, 'not a file any more')
        if (body.hash !== entry.body.hash) throw changing(entry.path, 'changed since it was scanned', true)
      } finally {
        await dir.close()
      }
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw changing(entry.path, 'is gone', true)
      throw isErrno(error, 'EACCES', 'EPERM', 'EIO') ? unreadable(entry.path, error) : error
    }
  }

  apply(items: readonly ApplyItem[], bodies: BodySource, signal?: AbortSignal): Promise<ApplyResult[]> {
    return this.#inTurn(() => applySet(this.#deps, items, bodies, signal))
  }

  /** As `apply`; what `withhold` names, when something of the set could not be applied, waits. */
  applyWhole(
    items: readonly ApplyItem[],
    bodies: BodySource,
    withhold: Withhold,
    signal?: AbortSignal
  ): Promise<ApplyResult[]> {
    return this.#inTurn(() => applySet(this.#deps, items, bodies, signal, withhold))
  }

  settled(): Promise<void> {
    return this.#inTurn(async () => this.#deps.journal?.retire())
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#applying.then(work)
    this.#applying = turn.catch(() => {})
    return turn
  }

  async setAside(path: string, saveTo: string): Promise<void> {
    await this.putAside(path, saveTo)
  }

  /** As `setAside`; resolves with where it lies now. */
  async putAside(path: string, saveTo: string): Promise<string> {
    const place = await setAside(this.#deps, path, saveTo)
    this.#deps.logger.info('a file was set aside', { path, savedAs: place })
    return place
  }

  keepCopy(path: string, saveTo: string): Promise<string> {
    return keepCopy(this.#deps, path, saveTo)
  }

  async #start(): Promise<void> {
    await this.#deps.root.check()
    const { journal } = this.#deps
    if (journal !== undefined) this.#recovered = await recoverSet({ ...this.#deps, journal })
    await this.#ignoreFile.refresh()
    if (!this.#readOnly) await removeLeftovers(this.#deps.root, this.#deps.rules, this.#deps.logger)
    await this.#watches.add('')
    if (this.#state === 'new') this.#state = 'started'
  }

  async #prepareScan(): Promise<void> {
    const rulesChanged = await this.#ignoreFile.refresh()
    if (this.#state !== 'started') return
    if (rulesChanged) this.#settler.note('')
    else if (this.#watches.size === 0) await this.#watches.add('')
  }

  /** What a path that came to rest is; runs before it is hinted. */
  async #look(path: string): Promise<Look> {
    if (path === IGNORE_FILE && (await this.#ignoreFile.refresh())) this.#settler.note('')
    if (this.#deps.writing.has(path)) {
      // whether it is our own write can only be told when its new stat is remembered
      this.#settler.note(path)
      return 'nothing'
    }
    const [parent, name] = splitPath(path)
    const dir = await this.#deps.root.openDir(parent).catch(() => null)
    if (dir === null) return 'hint'
    try {
      const stat = await statOf(dir, name)
      if (stat?.isDirectory()) return await this.#lookAtDirectory(path)
      this.#watches.drop(path)
      if (!stat?.isFile()) return 'hint'
      const row = this.#deps.cache.get(path)
      if (row !== undefined && rowMatches(row, stat)) {
        // our own write, reported when it was applied
        if (row.recheck) return 'nothing'
      } else if (stat.size === 0n) return 'empty'
      return 'hint'
    } finally {
      await dir.close()
    }
  }

  async #lookAtDirectory(path: string): Promise<Look> {
    if (this.#deps.rules.ignores(path, 'dir')) return 'nothing'
    await this.#watches.add(path)
    return 'hint'
  }
}

/** A home inside the shared directory must never be shared: it holds the node's key. */
function homeRule(options: DirectoryOptions): string[] {
  if (options.home === undefined) return []
  const inside = relative(options.root, options.home)
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return []
  const escaped = inside
    .split(sep)
    .join('/')
    .replace(/[\\*?[\]!# ]/g, '\\$&')
  return [`/${escaped}`]
}

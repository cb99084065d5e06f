/**
 * Tells GeoServer what changed in its directory, gently. Rules (tests cite the numbers):
 * 1. What is to be told is noted before the files change, and is owed until GeoServer took it: over a restart of the node,
 *    and for as long as GeoServer is down.
 * 2. Changes that come together are told together, after a moment of quiet. What came and went meanwhile is not told.
 * 3. Reloads are gathered, begin only in this node's turn, and take at most some 2 % of GeoServer's time. While one is due
 *    what has nothing to do with it is told as ever (early.ts).
 * 4. What GeoServer does not know, where a call names it, only a reload helps. A fault of its own (5xx) may be over a moment
 *    later, as when two that share a directory save one file at once: so the call is made once more before a reload.
 * 5. After a reload every object is read back: GeoServer answers well whatever it could not load.
 * 6. What fails is tried again, more and more seldom, and shown with its reason; everything else goes on.
 * 7. Tiles are dropped when GeoServer draws the new look: the body of a style it notices by itself, within 10 s.
 * 8. Settings of all are told before anything else, and wait for no reload: with every other change GeoServer writes its own
 *    over the file.
 * 9. Where GeoServers share the directory each made some of the changes itself: see `ask-first.ts`. They are told one after
 *    the other, for with what it is told each writes the same files.
 * 10. What GeoServer writes along with what it is told (`written-along.ts`) it writes as it knows it. So no call is made while
 *    something newer of that lies there, and settings of all are not written under a reload.
 * 11. A good answer is not believed: what was made is read back, and a file that says again what it said before, while it was
 *    told otherwise (`taken.ts`), is put back as it was told. It is told once more and then counts as failed.
 */
import { GrapevineError, reasonOf } from '../../../errors.js'
import type { FileFacts } from '../objects.js'
import type { TellerDeps } from './teller-deps.js'
import { askFirst } from './ask-first.js'
import type { HttpCall } from './caller.js'
import { planOf, readBackOf, type Call, type FileChange, type Plan } from './calls.js'
import { tellableNow } from './early.js'
import { asOverRest } from './rest-root.js'
import type { TellerView } from './telling-view.js'
import {
  QUIET_MS,
  RELOAD_QUIET_MS,
  RELOAD_PATIENCE_MS,
  RELOAD_REST,
  MAX_RELOAD_REST_MS,
  NOTICED_MS,
  RETRY_MIN_MS,
  RETRY_MAX_MS,
  RELOAD_TIMEOUT_MS,
  MAX_READ_BACK
} from './pace.js'
import { dropTiles } from './tiles.js'
import { SETTINGS_OF_ALL, writtenAlong } from '../written-along.js'
import { Refused } from './refused.js'
import { reloadWaitMs, sharedWaitMs, WINDOW_MS } from './windows.js'

const XML = 'application/xml'
const RELOAD_TILES: Call = {
  method: 'POST',
  at: '/gwc/rest/reload',
  body: 'reload_configuration=1',
  type: 'application/x-www-form-urlencoded',
  about: 'tile layers'
}

export class Teller {
  readonly #deps: TellerDeps
  readonly #refused: Refused
  readonly #stop = new AbortController()
  #cancel: (() => void) | undefined
  #round: Promise<void> | undefined
  #lastOwedAt = 0
  /** Changed since the round that is under way began. */
  readonly #touched = new Set<string>()
  /** Changes of files and calls that make GeoServer write, one after the other. */
  #line: Promise<unknown> = Promise.resolve()
  /** The reload that is under way or was the last. */
  #reloading: Promise<unknown> | undefined
  #reloadDueSince: number | undefined
  #retryMs = RETRY_MIN_MS
  #trouble: 'unreachable' | 'unauthorized' | undefined
  #reason: string | undefined
  #reloads = 0
  #lastReload: { at: number; ms: number } | undefined
  /** Until then no reload begins, ms that never go back. */
  #restUntil = 0

  constructor(deps: TellerDeps) {
    this.#deps = deps
    this.#refused = new Refused(deps)
  }

  /**
   * `recovered`: paths that a crash left half told of, of which it is not known what GeoServer knows. Reading the directory
   * goes on behind.
   */
  async start(recovered: readonly string[] = []): Promise<void> {
    await this.#deps.debt.load()
    for (const path of recovered) {
      this.#deps.debt.owe(path, undefined)
      this.#refused.forReload.add(path)
    }
    this.#again(0)
  }

  /** The directory has been read. Throws what opening it throws. */
  ready(): Promise<void> {
    return this.#deps.knowledge.load()
  }

  /** What is owed stays owed. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#cancel?.()
    await this.#round
  }

  /**
   * Runs `change`, which changes these files. No call is under way meanwhile: GeoServer writes what it is told over the
   * file, and would write older content over a newer one. Throws what `change` throws, and what `ready` does.
   */
  async changing<T>(paths: readonly string[], change: () => Promise<T>): Promise<T> {
    await this.#deps.knowledge.load()
    return this.#inLine(async () => {
      // it ends with writing what it began with
      if (paths.includes(SETTINGS_OF_ALL)) await this.#reloading?.catch(() => undefined)
      const { debt, sayingsAt } = this.#deps
      if (sayingsAt !== undefined) for (const path of paths) await debt.noteBefore(path, sayingsAt)
      this.#owe(paths)
      return change().finally(() => this.#soon())
    })
  }

  /** These were changed by whoever shares the directory. GeoServer may know of it: it may have been itself. */
  async changed(paths: readonly string[]): Promise<void> {
    await this.#deps.knowledge.load()
    this.#owe(paths)
    this.#soon()
  }

  #owe(paths: readonly string[]): void {
    const { knowledge, debt, ownFields } = this.#deps
    for (const path of paths) {
      debt.owe(path, knowledge.at(path), ownFields?.(path))
      this.#refused.failed.delete(path)
      this.#touched.add(path)
    }
  }

  #soon(): void {
    this.#lastOwedAt = this.#deps.clock.monotonic()
    this.#retryMs = RETRY_MIN_MS
    this.#again(QUIET_MS + (this.#deps.shared === true ? sharedWaitMs(this.#deps.turn()) : 0))
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#line.then(work)
    this.#line = turn.catch(() => undefined)
    return turn
  }

  /** Somebody else, GeoServer above all, wrote these: it knows of them. */
  async noticed(paths: readonly string[]): Promise<void> {
    const { knowledge, debt } = this.#deps
    for (const path of paths) if (!debt.files.has(path)) await knowledge.look(path)
  }

  view(): TellerView {
    const { debt } = this.#deps
    const owed = debt.files.size
    const due = this.#reloadDueSince === undefined ? 'telling' : 'reload-due'
    return {
      state: this.#trouble ?? (owed === 0 ? 'told' : due),
      owed,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      reloads: this.#reloads,
      ...(this.#lastReload && { lastReload: this.#lastReload }),
      failed: [...this.#refused.failed.values()]
    }
  }

  // --- rounds -----------------------------------------------------------------------------------------------------

  /** The next round comes after `ms`; one that is planned already is put off, one that runs is followed by it. */
  #again(ms: number): void {
    if (this.#stop.signal.aborted) return
    this.#cancel?.()
    this.#cancel = this.#deps.clock.timer(Math.max(1, ms), () => {
      this.#cancel = undefined
      // one at a time: whichever way a round ends, it plans the next while anything is owed
      this.#round ??= this.#tell()
        .catch((error: unknown) => this.#fell(error))
        .finally(() => (this.#round = undefined))
    })
  }

  async #tell(): Promise<void> {
    const { debt, knowledge } = this.#deps
    await knowledge.load()
    const owed = [...debt.files]
    const changes = await this.#inLine(() => this.#look(owed))
    await this.#tellSettings(changes)
    const plan = await this.#planOf(changes)
    const wait = this.#reloadWait(plan)
    if (wait > 0) {
      await this.#tellNow(changes, plan)
      return this.#again(wait)
    }
    if (this.#needsReload(plan)) await this.#reload(plan, owed)
    else await this.#inTurn([...plan.calls, ...plan.objects.filter(({ file }) => this.#refused.failed.has(file!))])
    await this.#after(plan)
    this.#settle(changes)
    await dropTiles(this.#deps, this.#stop.signal)
    this.#trouble = undefined
    this.#reason = undefined
    this.#next()
  }

  /** Rule 3: while a reload is due. */
  async #tellNow(changes: readonly FileChange[], { reload }: Plan): Promise<void> {
    const some = tellableNow(changes, new Set([...reload, ...this.#refused.forReload]))
    const plan = await this.#planOf(some)
    await this.#inTurn(plan.calls)
    await this.#after(plan)
    this.#settle(some)
    await dropTiles(this.#deps, this.#stop.signal)
  }

  /** Never while a change is under way: of a file that is not in place yet it would say that it came and went. */
  async #look(owed: ReadonlyArray<readonly [string, FileFacts | undefined]>): Promise<FileChange[]> {
    this.#touched.clear()
    const changes: FileChange[] = []
    for (const [path, before] of owed) changes.push({ path, before, after: await this.#deps.knowledge.look(path) })
    return changes
  }

  #planOf(changes: readonly FileChange[]): Plan | Promise<Plan> {
    const { knowledge, shared, caller } = this.#deps
    if (shared !== true) return planOf(changes, knowledge.inventory)
    return askFirst(changes, knowledge.inventory, (path) => caller.text({ method: 'GET', path }, this.#stop.signal))
  }

  /** Rule 8. What was told leaves `changes`. */
  async #tellSettings(changes: FileChange[]): Promise<void> {
    const at = changes.findIndex(({ before, after }) => (after ?? before)?.class.kind === 'global')
    if (at < 0) return
    const settings = [changes[at]!]
    await this.#inTurn(planOf(settings, this.#deps.knowledge.inventory).calls)
    this.#settle(settings)
    if (!this.#deps.debt.files.has(settings[0]!.path)) changes.splice(at, 1)
  }

  /** The next round, when something is left to do. */
  #next(): void {
    const { debt, clock } = this.#deps
    const tiles = [...debt.tiles.values()]
    if (this.#refused.failed.size > 0 || debt.files.size > 0) {
      this.#again(this.#retryMs)
      this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2)
    } else if (tiles.length > 0) this.#again(Math.min(...tiles) - clock.now())
  }

  /** Rule 1: everything is owed still. */
  #fell(error: unknown): void {
    if (this.#stop.signal.aborted) return
    const { logger } = this.#deps
    const code = error instanceof GrapevineError ? error.code : undefined
    const trouble =
      code === 'geoserver-unreachable' ? 'unreachable' : code === 'geoserver-unauthorized' ? 'unauthorized' : undefined
    const facts = { owed: this.#deps.debt.files.size, reason: reasonOf(error) }
    if (trouble === undefined)
      logger.error('GeoServer could not be told; it is tried again.', { ...facts, stack: (error as Error).stack })
    else if (trouble !== this.#trouble)
      logger.warn('GeoServer cannot be told now; it is told when it lets itself be.', facts)
    this.#trouble = trouble
    this.#reason = reasonOf(error)
    this.#again(this.#retryMs)
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2)
  }

  /** What GeoServer took is owed no more, unless the file changed meanwhile. */
  #settle(changes: readonly FileChange[]): void {
    const { debt, knowledge } = this.#deps
    for (const { path, after } of changes) {
      const isOpen = this.#refused.has(path) || this.#touched.has(path)
      if (!isOpen && knowledge.at(path) === after) debt.paid(path)
    }
  }

  // --- calls ------------------------------------------------------------------------------------------------------

  async #inTurn(calls: readonly Call[]): Promise<void> {
    for (const call of calls) {
      this.#stop.signal.throwIfAborted()
      if (call.method === 'GET') await this.#one(call)
      else await this.#inLine(async () => this.#isOvertaken(call) || (await this.#one(call)))
    }
  }

  /** Rule 10: then it is told by the next round. */
  #isOvertaken({ file, gone }: Call): boolean {
    const path = file ?? gone
    if (path === undefined) return false
    const overtaken = writtenAlong(path, this.#deps.knowledge.inventory).some((each) => this.#touched.has(each))
    if (overtaken) this.#touched.add(path)
    return overtaken
  }

  async #one(call: Call): Promise<void> {
    const { method, at, file } = call
    try {
      const content = file === undefined || method === 'GET' ? undefined : await this.#deps.bytesOf(file)
      // gone meanwhile: that is owed by itself
      if (file !== undefined && method !== 'GET' && content === undefined) return
      const body =
        content === undefined || call.root === undefined ? (content ?? call.body) : asOverRest(content, call.root)
      const http: HttpCall = {
        method,
        path: at,
        makes: method === 'POST' && file !== undefined,
        ...(body && { body, type: call.type ?? XML })
      }
      const made = async (): Promise<void> => void (await this.#deps.caller.text(http, this.#stop.signal))
      if (content === undefined || this.#deps.whileTold === undefined) await made()
      else await this.#deps.whileTold(file!, content, made, this.#deps.debt.before.get(file!))
      if (file === undefined) return
      this.#refused.tookOver(file)
      if (http.makes) await this.#isThere(file)
    } catch (error) {
      this.#refused.note(call, error)
    }
  }

  /** Rule 11. */
  async #isThere(path: string): Promise<void> {
    const call = readBackOf({ path, before: undefined, after: this.#deps.knowledge.at(path) })
    if (call !== undefined) await this.#one(call)
  }

  // --- reloads ----------------------------------------------------------------------------------------------------

  #needsReload({ reload }: Plan): boolean {
    return reload.some((path) => !this.#refused.failed.has(path)) || this.#refused.forReload.size > 0
  }

  /** Rule 3. */
  #reloadWait(plan: Plan): number {
    if (!this.#needsReload(plan)) {
      this.#reloadDueSince = undefined
      return 0
    }
    const { clock, turn } = this.#deps
    const now = clock.monotonic()
    this.#reloadDueSince ??= now
    const quiet = Math.min(this.#lastOwedAt + RELOAD_QUIET_MS, this.#reloadDueSince + RELOAD_PATIENCE_MS) - now
    const wait = Math.max(quiet, this.#restUntil - now)
    return wait > 0 ? wait : reloadWaitMs(turn(), clock.now())
  }

  async #reload(plan: Plan, owed: ReadonlyArray<readonly [string, FileFacts | undefined]>): Promise<void> {
    const { clock, logger, caller } = this.#deps
    const at = clock.now()
    const began = clock.monotonic()
    const call = { method: 'POST', path: '/rest/reload', timeoutMs: RELOAD_TIMEOUT_MS } as const
    await this.#inLine(async () => void (this.#reloading = caller.text(call, this.#stop.signal)))
    await this.#reloading
    const ms = Math.round(clock.monotonic() - began)
    this.#reloads += 1
    this.#lastReload = { at, ms }
    this.#restUntil = clock.monotonic() + Math.min(MAX_RELOAD_REST_MS, ms * RELOAD_REST)
    this.#reloadDueSince = undefined
    this.#refused.reloaded(owed.map(([path]) => path))
    logger.info('GeoServer has reloaded its catalog; service was disturbed meanwhile.', { ms, files: owed.length })
    if (ms > WINDOW_MS / 2)
      logger.warn('A reload takes longer than a turn of this node: another node may reload at the same time.', { ms })
    await this.#readBack(plan.objects)
  }

  /** Rule 5. */
  async #readBack(objects: readonly Call[]): Promise<void> {
    if (objects.length > MAX_READ_BACK)
      this.#deps.logger.info('Not every object is read back after the reload.', {
        read: MAX_READ_BACK,
        of: objects.length
      })
    await this.#inTurn(objects.slice(0, MAX_READ_BACK))
  }

  // --- tiles and caches ---------------------------------------------------------------------------------------------

  async #after(plan: Plan): Promise<void> {
    const { debt, clock } = this.#deps
    await this.#inTurn(plan.tiles)
    if (plan.reloadTiles) await this.#one(RELOAD_TILES)
    if (plan.reset) await this.#one({ method: 'POST', at: '/rest/reset', about: 'caches' })
    for (const name of plan.truncate) debt.oweTiles(name, clock.now() + NOTICED_MS)
  }
}

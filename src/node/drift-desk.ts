/** Drift for people and by rule: what there is of it, what makes way, and what is proposed to nodes that may write. */
import type { AdoptionView, DriftView, RestoredView } from '../control/target.js'
import { GrapevineError, reasonOf } from '../errors.js'
import type { DriftEnd, DriftItem, TargetSync } from '../publish/index.js'
import type { Clock, Logger } from '../runtime.js'
import type { Adoption, ReadTarget } from './adoption.js'
import { regularly } from './regularly.js'

/** How long an answer waits for what is to make way, ms. */
const RESTORE_MS = 10_000
/** Between two proposals of what nobody took over, ms. */
const PROPOSE_AGAIN_MS = 30_000
/** What is found together is proposed together, ms after the first. */
const GATHER_MS = 200

export interface DriftDeskDeps {
  readonly sync: Pick<TargetSync, 'drift' | 'restoreDrift'>
  readonly adoption: Pick<Adoption, 'propose'>
  readonly read: ReadTarget
  readonly clock: Clock
  readonly logger: Logger
}

export class DriftDesk {
  readonly #deps: DriftDeskDeps
  /** Path -> why nobody took it over. */
  readonly #refused = new Map<string, string>()
  /** What was taken over and has not come back as a record yet. */
  readonly #taken = new Set<string>()
  readonly #waiting = new Map<string, (end: DriftEnd) => void>()
  #round: Promise<unknown> = Promise.resolve()
  #soon: (() => void) | undefined
  #stop: (() => void) | undefined

  constructor(deps: DriftDeskDeps) {
    this.#deps = deps
  }

  start(): void {
    const { clock, logger } = this.#deps
    this.#stop ??= regularly(
      clock,
      PROPOSE_AGAIN_MS,
      () => this.#propose(),
      (error) => logger.error('Drift could not be proposed.', { reason: reasonOf(error) })
    )
  }

  async stop(): Promise<void> {
    this.#stop?.()
    this.#soon?.()
    await this.#round
  }

  /** To be told of all drift as it is found and ends. */
  changed(item: DriftItem, end?: DriftEnd): void {
    const { path, policy } = item
    this.#taken.delete(path)
    this.#refused.delete(path)
    if (end !== undefined) {
      this.#waiting.get(path)?.(end)
      this.#waiting.delete(path)
    } else if (policy === 'adopt')
      this.#soon ??= this.#deps.clock.timer(GATHER_MS, () => {
        this.#soon = undefined
        void this.#propose()
      })
  }

  list(): DriftView[] {
    return this.#deps.sync.drift.list().map(({ path, kind, change, from, since, policy }) => {
      const refused = this.#refused.get(path)
      return {
        path,
        kind,
        change,
        ...(from === undefined ? {} : { from }),
        since: new Date(since).toISOString(),
        policy,
        ...(refused === undefined ? {} : { refused })
      }
    })
  }

  /** Throws `not-found` when there is no drift at or below the paths. */
  async restore(paths?: readonly string[]): Promise<RestoredView[]> {
    const items = this.#named(paths)
    const ends = items.map(({ path }) => this.#endOf(path))
    this.#deps.sync.restoreDrift(paths)
    return Promise.all(
      ends.map(async (end, at): Promise<RestoredView> => {
        const { path } = items[at]!
        const ended = await end
        if (ended === undefined) return { path, outcome: 'waiting' }
        return { path, outcome: 'restored', ...(ended.kept === undefined ? {} : { kept: ended.kept }) }
      })
    )
  }

  #endOf(path: string): Promise<DriftEnd | undefined> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.timer(RESTORE_MS, () => {
        this.#waiting.delete(path)
        resolve(undefined)
      })
      this.#waiting.set(path, (end) => {
        cancel()
        resolve(end)
      })
    })
  }

  /** Throws `not-found` when there is no drift at or below the paths. */
  adopt(paths?: readonly string[]): Promise<AdoptionView[]> {
    return this.#inTurn(this.#named(paths))
  }

  #propose(): Promise<void> {
    const due = this.#deps.sync.drift.list().filter(({ path, policy }) => policy === 'adopt' && !this.#taken.has(path))
    return due.length === 0 ? Promise.resolve() : this.#inTurn(due).then(() => undefined)
  }

  /** One proposal after the other: directories before what is in them, and what goes in reverse. */
  #inTurn(items: readonly DriftItem[]): Promise<AdoptionView[]> {
    const came = items.filter(({ now }) => now !== undefined)
    const went = items.filter(({ now }) => now === undefined).toReversed()
    const turn = this.#round.then(async () => {
      const views: AdoptionView[] = []
      for (const item of [...came, ...went]) {
        const view = await this.#deps.adoption.propose(item, this.#deps.read)
        if (view.outcome === 'adopted') this.#taken.add(item.path)
        this.#noteRefusal(view)
        views.push(view)
      }
      return views
    })
    this.#round = turn.catch(() => undefined)
    return turn
  }

  #noteRefusal({ path, reason }: AdoptionView): void {
    if (reason === undefined) this.#refused.delete(path)
    else if (this.#refused.get(path) !== reason) {
      this.#refused.set(path, reason)
      this.#deps.logger.info('A change of the target was proposed and not taken over.', { path, reason })
    }
  }

  #named(paths?: readonly string[]): DriftItem[] {
    const items = this.#deps.sync.drift.list(paths)
    if (items.length > 0 || paths === undefined) return items
    throw new GrapevineError('not-found', `nothing at ${paths.join(', ')} differs from the catalog`, {
      next: 'see "grapevine drift ls"',
      facts: { paths }
    })
  }
}

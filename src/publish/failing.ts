/**
 * Entries that the adapter could not apply, each with its reason, for people to see and to decide about.
 *
 * 1. What the system refused is tried again by itself, at growing intervals.
 * 2. What ran into a fault, or lacks what no trying brings, is held: tried again when the entry changes, with a scan of
 *    everything, at a start, and when asked. It keeps nothing else waiting.
 * 3. What a person dropped is not tried until the entry changes or a person asks; that lasts over a restart.
 * 4. Each is a problem in the status for as long as it lasts.
 */
import type { ApplyResult } from '../adapters/contract.js'
import { faultText, GrapevineError, type ErrorCode } from '../errors.js'
import type { Base } from './base.js'
import type { Desired } from './planner.js'
import type { Problems } from './problems.js'

export interface FailingEntry {
  readonly id: string
  readonly path: string
  readonly state: 'retried' | 'held' | 'dropped'
  readonly reason: string
  /** When it could not be applied first, ms of the wall clock. */
  readonly since: number
}

interface Failure extends FailingEntry {
  /** The tuples it could not be applied for. */
  readonly seen: readonly string[]
}

/** What another try a moment later does not change. */
const HELD: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['internal', 'file-broken', 'secret-missing'])

export interface FailingDeps {
  readonly base: Base
  readonly problems: Problems
  now(): number
}

export class Failing {
  readonly #deps: FailingDeps
  readonly #all = new Map<string, Failure>()

  constructor(deps: FailingDeps) {
    this.#deps = deps
  }

  /** What was dropped before the last stop. */
  async load(): Promise<void> {
    for await (const row of this.#deps.base.drops()) this.#set({ ...row, state: 'dropped' })
  }

  list(): FailingEntry[] {
    return [...this.#all.values()].map(shown).toSorted((a, b) => a.since - b.since)
  }

  /** Whether an entry is left as it is in the target for now. */
  rests({ id, seen }: Desired): boolean {
    const failure = this.#all.get(id)
    if (failure === undefined || failure.state === 'retried') return false
    return failure.seen.length === seen.length && failure.seen.every((key) => seen.includes(key))
  }

  /** Takes note of a result; true when it is held, and not to be tried again by itself. */
  failed({ id, seen }: Desired, { item, error }: ApplyResult): boolean {
    const { problems, now } = this.#deps
    if (error === undefined || error.code === 'stopped') return false
    const state = HELD.has(error.code) ? 'held' : 'retried'
    const since = this.#all.get(id)?.since ?? now()
    this.#forget(id)
    const failure: Failure = { id, path: item.path, state, reason: faultText(error.message), since, seen }
    if (error.code === 'internal') this.#set(failure)
    else {
      this.#all.set(id, failure)
      problems.open(item.path, error, since)
    }
    return state === 'held'
  }

  applied(id: string): void {
    this.#forget(id)
  }

  /** Lets these be applied again; returns their ids. */
  retry(which: (entry: FailingEntry) => boolean): string[] {
    const some = [...this.#all.values()].filter(which)
    for (const failure of some) {
      this.#deps.base.deleteDrop(failure.id)
      this.#all.set(failure.id, { ...failure, state: 'retried' })
    }
    return some.map(({ id }) => id)
  }

  /** False when nothing at this path failed. */
  drop(path: string): boolean {
    const some = [...this.#all.values()].filter((each) => each.path === path)
    for (const failure of some) {
      const { id, reason, since, seen } = failure
      this.#forget(id)
      this.#deps.base.setDrop({ id, path, reason, since, seen })
      this.#set({ ...failure, state: 'dropped' })
    }
    return some.length > 0
  }

  #set(failure: Failure): void {
    this.#all.set(failure.id, failure)
    this.#deps.problems.close(failure.path)
    this.#deps.problems.open(failure.path, quarantined(failure), failure.since)
  }

  #forget(id: string): void {
    const failure = this.#all.get(id)
    if (failure === undefined) return
    this.#all.delete(id)
    this.#deps.base.deleteDrop(id)
    this.#deps.problems.close(failure.path)
  }
}

function shown({ id, path, state, reason, since }: Failure): FailingEntry {
  return { id, path, state, reason, since }
}

function quarantined({ path, state, reason }: FailingEntry): GrapevineError {
  const [message, next] =
    state === 'dropped'
      ? [`is left as it is in the target until the entry changes, as somebody decided: ${reason}`, 'retry']
      : [`cannot be applied by this version and is held: ${reason}`, 'ls']
  return new GrapevineError('entry-quarantined', message, {
    next: `see "grapevine quarantine ${next}"`,
    facts: { path }
  })
}

/**
 * Alarms about clocks that are off, this node's or a peer's. Peers tell what their clock says; nothing is ever decided by
 * it. A wrong clock only makes ties fall the wrong way and times on the screen wrong, so it is said and nothing else.
 */
import { GrapevineError } from '../errors.js'
import type { Clock, NodeId } from '../runtime.js'

/** Clocks may differ by this much before it is said, ms: far above what a time service leaves, far below what confuses. */
export const CLOCK_ALARM_MS = 5 * 60_000
/** How often peers are told what our clock says, ms: an alarm comes within 30 s of a clock being set wrong. */
export const TELL_CLOCK_MS = 20_000

export interface ClocksDeps {
  readonly clock: Clock
  /** Tells every peer what our clock says. */
  tell(): void
  nameOf(node: NodeId): string | undefined
  changed(problem: ClockProblem, open: boolean): void
}

export interface ClockProblem {
  readonly error: GrapevineError
  /** By our own clock, ms. */
  readonly since: number
}

export class Clocks {
  readonly #deps: ClocksDeps
  /** How far each connected peer's clock is ahead of ours, ms. */
  readonly #ahead = new Map<NodeId, number>()
  #open = new Map<string, ClockProblem>()
  #cancel: (() => void) | undefined

  constructor(deps: ClocksDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#cancel ??= this.#deps.clock.timer(TELL_CLOCK_MS, () => {
      this.#cancel = undefined
      this.#deps.tell()
      this.start()
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** A peer said what its clock says; `aheadMs` is how far that is ahead of ours. */
  heard(node: NodeId, aheadMs: number): void {
    this.#ahead.set(node, aheadMs)
    this.#judge()
  }

  gone(node: NodeId): void {
    if (this.#ahead.delete(node)) this.#judge()
  }

  get problems(): ClockProblem[] {
    return [...this.#open.values()]
  }

  #judge(): void {
    const found = this.#found()
    const before = this.#open
    const now = this.#deps.clock.now()
    // the sentence follows what is heard; since when there is one to say stays
    this.#open = new Map([...found].map(([key, error]) => [key, { error, since: before.get(key)?.since ?? now }]))
    for (const [key, problem] of before) if (!found.has(key)) this.#deps.changed(problem, false)
    for (const [key, problem] of this.#open) if (!before.has(key)) this.#deps.changed(problem, true)
  }

  #found(): Map<string, GrapevineError> {
    const off = [...this.#ahead].filter(([, ms]) => Math.abs(ms) > CLOCK_ALARM_MS)
    const found = new Map<string, GrapevineError>()
    // of two nodes nobody can tell which is wrong; most of several agree against one
    if (off.length > 1 && off.length * 2 > this.#ahead.size) found.set('', this.#ownOff(off.map(([, ms]) => ms)))
    else for (const [node, ms] of off) found.set(node, this.#peerOff(node, ms))
    return found
  }

  #ownOff(ahead: readonly number[]): GrapevineError {
    const median = ahead.toSorted((a, b) => a - b)[Math.floor(ahead.length / 2)]!
    return clockOff(
      `the clock of this node is ${spanText(median)} ${median > 0 ? 'behind' : 'ahead of'} those of ${ahead.length} of ${this.#ahead.size} connected nodes`,
      {}
    )
  }

  #peerOff(node: NodeId, ms: number): GrapevineError {
    const name = this.#deps.nameOf(node) ?? node
    return clockOff(
      `the clock of ${name} is ${spanText(ms)} ${ms > 0 ? 'ahead of' : 'behind'} the clock of this node`,
      { node }
    )
  }
}

function clockOff(message: string, facts: Record<string, unknown>): GrapevineError {
  return new GrapevineError('clock-off', message, {
    next: 'set the clock of the node that is wrong, and have a time service keep it; nothing that was written is in danger',
    facts
  })
}

/** 3,600,000 -> `1 hours`. */
function spanText(ms: number): string {
  const seconds = Math.abs(ms) / 1_000
  const [size, unit] = (
    [
      [365.25 * 86_400, 'years'],
      [86_400, 'days'],
      [3_600, 'hours'],
      [60, 'minutes']
    ] as const
  ).find(([least]) => seconds >= least * 2) ?? [60, 'minutes']
  return `${Math.round(seconds / size)} ${unit}`
}

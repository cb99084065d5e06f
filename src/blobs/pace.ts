/** How fast peers answer, and who keeps others waiting. Times are of the monotonic clock, ms. */
import type { NodeId } from '../runtime.js'
import { REQUEST_TIMEOUT_MS } from './requests.js'

/** A part may take so many times as long as this peer usually takes before another one is asked for it, */
export const PATIENCE_TIMES = 8
/** and never less than this: a busy disk or a collection of garbage is no reason. */
export const MIN_PATIENCE_MS = 3_000
/** Who kept others waiting is asked last for this long, unless it answers after all, ms. */
export const STALLED_MS = 60_000
/** How much of the usual time is the latest one. */
const LATEST_WEIGHT = 0.2
/** Peers that are remembered; more are never connected. */
const MAX_PEERS = 4_096

interface Pace {
  readonly usualMs: number | undefined
  readonly stalledUntil: number
}

export class Paces {
  readonly #now: () => number
  readonly #paces = new Map<NodeId, Pace>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** How long it may take, ms. */
  patience(node: NodeId): number {
    const usual = this.#paces.get(node)?.usualMs ?? 0
    return Math.min(Math.max(MIN_PATIENCE_MS, PATIENCE_TIMES * usual), REQUEST_TIMEOUT_MS)
  }

  /** It sent a part, in so many ms: whoever is slow and answers is no worse than others. */
  answered(node: NodeId, tookMs: number): void {
    const usual = this.#paces.get(node)?.usualMs ?? tookMs
    this.#note(node, { usualMs: usual + (tookMs - usual) * LATEST_WEIGHT, stalledUntil: 0 })
  }

  stalled(node: NodeId): void {
    this.#note(node, { usualMs: this.#paces.get(node)?.usualMs, stalledUntil: this.#now() + STALLED_MS })
  }

  isStalled(node: NodeId): boolean {
    return (this.#paces.get(node)?.stalledUntil ?? 0) > this.#now()
  }

  #note(node: NodeId, pace: Pace): void {
    if (this.#paces.size >= MAX_PEERS && !this.#paces.has(node)) this.#paces.clear()
    this.#paces.set(node, pace)
  }
}

/** How fast peers answer, and who keeps others waiting. Times are of the monotonic clock, ms. */
import type { NodeId } from '../runtime.js'
import { REQUEST_TIMEOUT_MS } from './requests.js'

/** A part may take so many times as long as this peer usually takes before another one is asked for it, */
export const PATIENCE_TIMES = 8
/** and never less than this: a busy disk or a collection of garbage is no reason. */
export const MIN_PATIENCE_MS = 3_000
/** Who kept others waiting is asked last for this long, unless it answers after all, ms. */
export const STALLED_MS = 60_000
/** Who sends a part within this time is asked for twice as many chunks at once, ms, */
export const QUICK_MS = 250
/** and who takes so long for one chunk alone again: parts of a slow peer must not run out of time. */
export const SLOW_MS = 2_000
/** How much of the usual time is the latest one. */
const LATEST_WEIGHT = 0.2
/** Peers that are remembered; more are never connected. */
const MAX_PEERS = 4_096

interface Pace {
  readonly usualMs: number | undefined
  /** Of a part. */
  readonly chunks: number
  readonly stalledUntil: number
}

export class Paces {
  readonly #now: () => number
  readonly #mostChunks: number
  readonly #paces = new Map<NodeId, Pace>()

  /** @param mostChunks of one part. */
  constructor(now: () => number, mostChunks: number) {
    this.#now = now
    this.#mostChunks = mostChunks
  }

  /** How long it may take, ms. */
  patience(node: NodeId): number {
    const usual = this.#paces.get(node)?.usualMs ?? 0
    return Math.min(Math.max(MIN_PATIENCE_MS, PATIENCE_TIMES * usual), REQUEST_TIMEOUT_MS)
  }

  /** How many chunks it is asked for at once. */
  chunks(node: NodeId): number {
    return this.#paces.get(node)?.chunks ?? 1
  }

  /** It sent a part, in so many ms: whoever is slow and answers is no worse than others. */
  answered(node: NodeId, tookMs: number): void {
    const usual = this.#paces.get(node)?.usualMs ?? tookMs
    const chunks = this.chunks(node)
    this.#note(node, {
      usualMs: usual + (tookMs - usual) * LATEST_WEIGHT,
      chunks: tookMs <= QUICK_MS ? Math.min(chunks * 2, this.#mostChunks) : tookMs >= SLOW_MS ? 1 : chunks,
      stalledUntil: 0
    })
  }

  stalled(node: NodeId): void {
    const usualMs = this.#paces.get(node)?.usualMs
    this.#note(node, { usualMs, chunks: 1, stalledUntil: this.#now() + STALLED_MS })
  }

  isStalled(node: NodeId): boolean {
    return (this.#paces.get(node)?.stalledUntil ?? 0) > this.#now()
  }

  #note(node: NodeId, pace: Pace): void {
    if (this.#paces.size >= MAX_PEERS && !this.#paces.has(node)) this.#paces.clear()
    this.#paces.set(node, pace)
  }
}

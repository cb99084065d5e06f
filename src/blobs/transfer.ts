import { GrapevineError } from '../errors.js'
import type { Piece, Plan } from './plan.js'

/** After trouble with the disk a transfer rests 1 s, then 2 s, up to this, ms. */
export const MAX_REST_MS = 30_000
export const MIN_REST_MS = 1_000

/**
 * `queued`: waits for a peer that has it and for a free place. `opening`: what is on disk is being looked at.
 * `fetching`: parts are asked for. `finishing`: all is here and made durable. `resting`: the disk failed; tried again
 * at `dueMs`. `ended`: complete or no longer wanted.
 */
export type TransferState =
  | { readonly at: 'queued' }
  | { readonly at: 'opening' }
  | { readonly at: 'fetching'; readonly plan: Plan }
  | { readonly at: 'finishing' }
  | { readonly at: 'resting'; readonly dueMs: number }
  | { readonly at: 'ended' }

/** One blob on its way here. Pure: what to do is asked for, what happened is told. Each method is one arrow. */
export class Transfer {
  #state: TransferState = { at: 'queued' }
  #restMs = MIN_REST_MS

  get state(): TransferState {
    return this.#state
  }

  /** Whether it takes up one of the places for transfers. */
  get active(): boolean {
    return this.#state.at === 'opening' || this.#state.at === 'fetching' || this.#state.at === 'finishing'
  }

  /** Queued -> opening. */
  open(): void {
    this.#mustBe('queued')
    this.#state = { at: 'opening' }
  }

  /** Opening -> fetching, or finishing when nothing is missing. */
  opened(plan: Plan): void {
    this.#mustBe('opening')
    this.#state = plan.complete ? { at: 'finishing' } : { at: 'fetching', plan }
  }

  /** The piece to ask for next, of up to so many chunks; marked as in flight. Undefined in every state but fetching. */
  ask(most = 1): Piece | undefined {
    if (this.#state.at !== 'fetching') return undefined
    const piece = this.#state.plan.next(most)
    if (piece !== undefined) this.#state.plan.asked(piece)
    return piece
  }

  /** Fetching -> fetching, or finishing with the last piece. */
  arrived(piece: Piece, adopted: readonly number[] = []): void {
    const { plan } = this.#mustBe('fetching')
    plan.arrived(piece, adopted)
    this.#restMs = MIN_REST_MS
    if (plan.complete) this.#state = { at: 'finishing' }
  }

  /** Fetching -> fetching: the piece must be asked for again. */
  lost(piece: Piece): void {
    this.#mustBe('fetching').plan.lost(piece)
  }

  /** Opening | fetching | finishing -> queued: no peer has it any more, or the daemon stops. */
  park(): void {
    this.#mustBe('opening', 'fetching', 'finishing')
    this.#state = { at: 'queued' }
  }

  /** Opening | fetching | finishing -> resting. Returns when it is to be tried again, ms. */
  rest(nowMs: number): number {
    this.#mustBe('opening', 'fetching', 'finishing')
    const dueMs = nowMs + this.#restMs
    this.#restMs = Math.min(this.#restMs * 2, MAX_REST_MS)
    this.#state = { at: 'resting', dueMs }
    return dueMs
  }

  /** Resting -> queued, when its time has come; otherwise nothing. */
  wake(nowMs: number): boolean {
    if (this.#state.at !== 'resting' || this.#state.dueMs > nowMs) return false
    this.#state = { at: 'queued' }
    return true
  }

  /** Any -> ended. */
  end(): void {
    this.#state = { at: 'ended' }
  }

  #mustBe<K extends TransferState['at']>(...states: K[]): Extract<TransferState, { at: K }> {
    const state = this.#state
    if ((states as string[]).includes(state.at)) return state as Extract<TransferState, { at: K }>
    throw new GrapevineError('internal', `a transfer that is ${state.at} was treated as ${states.join(' or ')}`, {
      next: 'report this'
    })
  }
}

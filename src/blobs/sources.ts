import type { NodeId } from '../runtime.js'

/** A peer that does not have a blob is asked again after 1 s, then 2 s, up to this, ms. */
export const MAX_ASK_AGAIN_MS = 30_000
export const MIN_ASK_AGAIN_MS = 1_000
/** A peer that sent wrong bytes for a blob is not asked for that blob for ten minutes, ms. */
export const WRONG_BYTES_MS = 600_000

/**
 * What is known of one peer about one blob. `unknown`: to be asked. `has`: may be asked for parts. `later`: does not have
 * it or did not answer; asked again at `dueMs`. `wrong`: sent wrong bytes; skipped until `dueMs`, even when it reconnects.
 */
type Source =
  | { readonly at: 'unknown'; readonly pauseMs: number }
  | { readonly at: 'has'; readonly pauseMs: number }
  | { readonly at: 'later'; readonly pauseMs: number; readonly dueMs: number }
  | { readonly at: 'wrong'; readonly dueMs: number; readonly connected: boolean }

/** The connected peers as sources of one blob. Pure; times are of the monotonic clock. */
export class Sources {
  readonly #sources = new Map<NodeId, Source>()
  /** Peers that have it, the one used longest ago first. */
  readonly #usable = new Set<NodeId>()

  get usable(): ReadonlySet<NodeId> {
    return this.#usable
  }

  /** Connected -> unknown; a peer that sent wrong bytes stays so. True when it should be asked now. */
  connected(node: NodeId): boolean {
    const known = this.#sources.get(node)
    if (known?.at === 'wrong') this.#sources.set(node, { ...known, connected: true })
    if (known !== undefined) return false
    this.#sources.set(node, { at: 'unknown', pauseMs: MIN_ASK_AGAIN_MS })
    return true
  }

  /** Any -> forgotten, except that wrong bytes are remembered. */
  disconnected(node: NodeId): void {
    this.#usable.delete(node)
    const known = this.#sources.get(node)
    if (known?.at === 'wrong') this.#sources.set(node, { ...known, connected: false })
    else this.#sources.delete(node)
  }

  /** Unknown | later -> has. */
  has(node: NodeId): void {
    const known = this.#sources.get(node)
    if (known === undefined || known.at === 'wrong') return
    this.#sources.set(node, { at: 'has', pauseMs: known.pauseMs })
    this.#usable.add(node)
  }

  /** Unknown | has -> later. Returns when to ask again, ms; undefined when there is nothing to wait for. */
  absent(node: NodeId, nowMs: number, jitter: number): number | undefined {
    const known = this.#sources.get(node)
    if (known === undefined || known.at === 'wrong' || known.at === 'later') return undefined
    this.#usable.delete(node)
    const dueMs = nowMs + known.pauseMs * (1 + jitter / 4)
    this.#sources.set(node, { at: 'later', dueMs, pauseMs: Math.min(known.pauseMs * 2, MAX_ASK_AGAIN_MS) })
    return dueMs
  }

  /** Any -> wrong. Returns when it may be asked again, ms. */
  wrong(node: NodeId, nowMs: number): number {
    this.#usable.delete(node)
    this.#sources.set(node, { at: 'wrong', dueMs: nowMs + WRONG_BYTES_MS, connected: this.#sources.has(node) })
    return nowMs + WRONG_BYTES_MS
  }

  /** It answered with a right part: later pauses start small again. */
  delivered(node: NodeId): void {
    if (this.#usable.has(node)) this.#sources.set(node, { at: 'has', pauseMs: MIN_ASK_AGAIN_MS })
  }

  /** Later -> unknown, because it said or we heard that it may have it by now. True when it should be asked now. */
  mayHave(node: NodeId): boolean {
    if (this.#sources.get(node)?.at !== 'later') return false
    this.#sources.set(node, { at: 'unknown', pauseMs: MIN_ASK_AGAIN_MS })
    return true
  }

  /** Later | wrong -> unknown, when its time has come. True when it should be asked now. */
  due(node: NodeId, nowMs: number): boolean {
    const known = this.#sources.get(node)
    if (known === undefined || !('dueMs' in known) || known.dueMs > nowMs) return false
    if (known.at === 'wrong' && !known.connected) {
      this.#sources.delete(node)
      return false
    }
    this.#sources.set(node, { at: 'unknown', pauseMs: known.at === 'later' ? known.pauseMs : MIN_ASK_AGAIN_MS })
    return true
  }

  /** Takes the next peer to ask for a part: of those that pass, the least busy, then the one used longest ago. */
  pick(passes: (node: NodeId) => boolean, busy: (node: NodeId) => number): NodeId | undefined {
    let best: NodeId | undefined
    for (const node of this.#usable) {
      if (passes(node) && (best === undefined || busy(node) < busy(best))) best = node
    }
    if (best === undefined) return undefined
    this.#usable.delete(best)
    this.#usable.add(best)
    return best
  }
}

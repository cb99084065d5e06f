/** What the catalog may hold at each moment of the script. */
import type { Allowed } from './crash-check.js'
import { script, type Change, type Model } from './crash-script.js'

/** How far the script had come, as whoever ran it knows. */
export interface Moment {
  /** Changes acknowledged. */
  readonly acknowledged: number
  /** The next one was under way. */
  readonly pending: boolean
  /** Somebody had made it in the directory already; see Allowed. */
  readonly stays: boolean
}

/** Whether less is allowed at the first of two moments after the same number of acknowledgements. */
export function isStricter(one: Moment, other: Moment): boolean {
  const freedom = ({ pending, stays }: Moment): number => (!pending ? 0 : stays ? 1 : 2)
  return freedom(one) < freedom(other)
}

/** The models of the whole script. */
export class Models {
  readonly changes: readonly Change[] = script()
  readonly #after: Model[] = [new Map()]

  constructor() {
    for (const change of this.changes) {
      const next = new Map(this.#after.at(-1))
      change.apply(next)
      this.#after.push(next)
    }
  }

  allowedAt({ acknowledged, pending, stays }: Moment): Allowed {
    const before = this.#after[acknowledged]!
    return { before, after: pending ? this.#after[acknowledged + 1]! : before, stays: pending && stays }
  }

  describe({ acknowledged, pending }: Moment): string {
    return pending ? this.changes[acknowledged]!.what : `nothing, after ${acknowledged} changes`
  }
}

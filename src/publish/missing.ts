/**
 * What a look at the target does not find any more. A scan is no snapshot: of a rename that happens under it it may see
 * neither name, and the hint of the second name may come after that of the first. Taken for deleted at once, a folder that
 * was only renamed would be deleted on every node and made anew. So only what a second look misses too is gone.
 */
import { isWithin } from '../adapters/paths.js'
import { keep, type Diff } from './diff.js'

/** Time between the two looks, ms: more than twice what the watches need to gather the hints of one save. */
export const CONFIRM_MS = 60

export interface MissingDeps {
  /** Where the base has an entry now; it may have moved since it was missed. */
  pathOf(id: string): string | undefined
  /** Milliseconds that never go back. */
  now(): number
}

export class Missing {
  readonly #deps: MissingDeps
  /** Entry id -> when it was missed first. */
  readonly #since = new Map<string, number>()
  /** What was found beside the missing and waits for the second look, so that one save stays one set. */
  #held: { readonly since: number; readonly paths: readonly string[] } | undefined

  constructor(deps: MissingDeps) {
    this.#deps = deps
  }

  /** Whether everything was looked at twice. */
  get none(): boolean {
    return this.#since.size === 0 && this.#held === undefined
  }

  /** What the next look must cover. */
  paths(): string[] {
    const missed = [...this.#since.keys()].flatMap((id) => this.#deps.pathOf(id) ?? [])
    return [...missed, ...(this.#held?.paths ?? [])]
  }

  /**
   * Leaves in `diff.gone` what is certain. False when all of the diff has to wait for the second look. `paths`: what was
   * looked at, everything when absent; so long a look is not repeated for the sake of one set.
   */
  sift(diff: Diff, paths: readonly string[] | undefined): boolean {
    const now = this.#deps.now()
    const replaced = new Set([...diff.added, ...diff.moved.map((move) => move.now)].map(({ path }) => path))
    const missed = new Map(this.#since)
    this.#since.clear()
    keep(diff.gone, (row) => {
      const since = missed.get(row.id) ?? now
      if (now - since >= CONFIRM_MS || isWithin(row.path, replaced)) return true
      this.#since.set(row.id, since)
      return false
    })
    if (this.#since.size === 0 || paths === undefined || now - (this.#held?.since ?? now) >= CONFIRM_MS) {
      this.#held = undefined
      return true
    }
    this.#held = { since: this.#held?.since ?? now, paths }
    return false
  }
}

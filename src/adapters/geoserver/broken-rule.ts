/**
 * What is done with a reference to something that is nowhere: neither in the directory nor in the catalog. Its author had
 * it so, for records apply whole and after all that their author knew; or the author is still looking through what another
 * program is writing there. So it is held for a time and then passed on as it is, or held until it is mended.
 */
import type { Clock } from '../../runtime.js'
import { keyOf, type Need } from './needs.js'

export interface BrokenReferences {
  /** pass: it is passed on after `afterMs`. hold: it waits until it is mended. */
  readonly rule: 'pass' | 'hold'
  readonly afterMs: number
}

export class BrokenRule {
  readonly #settings: BrokenReferences
  readonly #clock: Pick<Clock, 'monotonic'>
  /** Path -> key of what it lacks -> since when, ms that never go back. */
  readonly #since = new Map<string, Map<string, number>>()
  readonly #asked = new Map<string, Set<string>>()

  constructor(settings: BrokenReferences, clock: Pick<Clock, 'monotonic'>) {
    this.#settings = settings
    this.#clock = clock
  }

  /** How long the file at `path` waits yet, ms; 0: it is passed on; undefined: until it is mended. */
  waitMs(path: string, need: Need): number | undefined {
    const { rule, afterMs } = this.#settings
    const key = keyOf(need)
    const now = this.#clock.monotonic()
    const known = this.#since.get(path) ?? new Map<string, number>()
    this.#since.set(path, known)
    const since = known.get(key) ?? now
    known.set(key, since)
    this.#asked.set(path, (this.#asked.get(path) ?? new Set()).add(key))
    return rule === 'hold' ? undefined : Math.max(0, since + afterMs - now)
  }

  /** These paths were judged: what was not asked about again is over. */
  judged(paths: Iterable<string>): void {
    for (const path of paths) {
      const asked = this.#asked.get(path)
      if (asked === undefined) this.#since.delete(path)
      else
        for (const key of this.#since.get(path)?.keys() ?? []) if (!asked.has(key)) this.#since.get(path)!.delete(key)
    }
    this.#asked.clear()
  }
}

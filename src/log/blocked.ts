/** Which logs wait for which: their next record builds on one that is not applied yet. */
export class Blocked {
  /** Log -> logs whose next record waits for it, each with the seq it waits for (0: not known). */
  readonly #blocked = new Map<string, Map<string, number>>()

  /** Remembers that the next record of `log` waits for `missing`. */
  add(log: string, missing: { log: string; seq?: number }): void {
    const waiting = this.#blocked.get(missing.log) ?? new Map<string, number>()
    this.#blocked.set(missing.log, waiting.set(log, missing.seq ?? 0))
  }

  /** Logs that waited for `log`; they are to be looked at again. */
  take(log: string): Iterable<string> {
    const waiting = this.#blocked.get(log)
    this.#blocked.delete(log)
    return waiting?.keys() ?? []
  }

  /** Logs whose next record waits for the next one of `log`. */
  by(log: string): Iterable<string> {
    return this.#blocked.get(log)?.keys() ?? []
  }

  /** Whether some log, one of those that `counts` holds for, waits for a record of `log` up to `seq`. */
  awaits(log: string, seq: number, counts: (waiting: string) => boolean): boolean {
    for (const [waiting, missing] of this.#blocked.get(log) ?? []) if (missing <= seq && counts(waiting)) return true
    return false
  }
}

/** Which logs wait for which: their next record builds on one that is not applied yet. */
export class Blocked {
  /** Log -> logs whose next record waits for it. */
  readonly #blocked = new Map<string, Set<string>>()

  /** Remembers that the next record of `log` waits for `missing`. */
  add(log: string, missing: { log: string }): void {
    const waiting = this.#blocked.get(missing.log)
    if (waiting === undefined) this.#blocked.set(missing.log, new Set([log]))
    else waiting.add(log)
  }

  /** Logs that waited for `log`; they are to be looked at again. */
  take(log: string): Iterable<string> {
    const waiting = this.#blocked.get(log)
    this.#blocked.delete(log)
    return waiting ?? []
  }

  /** Logs whose next record waits for the next one of `log`. */
  by(log: string): Iterable<string> {
    return this.#blocked.get(log) ?? []
  }
}

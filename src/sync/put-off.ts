/** Things that are left alone for a while. Each step costs what it changes, not how many there are. */
export class PutOff {
  /** For each length of a wait, ms, what waits so long, until when: the first added is the first due. */
  readonly #queues = new Map<number, Map<string, number>>()
  readonly #waitOf = new Map<string, number>()

  has(what: string): boolean {
    return this.#waitOf.has(what)
  }

  /** Leaves `what` alone for `ms` from now; `now` never goes back. */
  add(what: string, ms: number, now: number): void {
    this.#remove(what)
    let queue = this.#queues.get(ms)
    if (queue === undefined) {
      queue = new Map()
      this.#queues.set(ms, queue)
    }
    queue.set(what, now + ms)
    this.#waitOf.set(what, ms)
  }

  #remove(what: string): void {
    const ms = this.#waitOf.get(what)
    if (ms === undefined) return
    this.#waitOf.delete(what)
    const queue = this.#queues.get(ms)
    queue?.delete(what)
    if (queue?.size === 0) this.#queues.delete(ms)
  }

  /** Takes out what has waited long enough. */
  due(now: number): string[] {
    const due: string[] = []
    for (const queue of this.#queues.values())
      for (const [what, until] of queue) {
        if (until > now) break
        due.push(what)
      }
    for (const what of due) this.#remove(what)
    return due
  }

  /** When the next one is due; undefined: nothing waits. */
  get next(): number | undefined {
    let next: number | undefined
    for (const queue of this.#queues.values())
      for (const until of queue.values()) {
        next = Math.min(next ?? until, until)
        break
      }
    return next
  }

  /** Takes everything out. */
  all(): string[] {
    const all = [...this.#waitOf.keys()]
    this.#waitOf.clear()
    this.#queues.clear()
    return all
  }
}

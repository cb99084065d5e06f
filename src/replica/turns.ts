/** One thing at a time: whoever changes the log or the fold takes a turn. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  /** Turns taken or waited for so far. */
  taken = 0

  take<T>(work: () => Promise<T>): Promise<T> {
    this.taken += 1
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Resolves when every turn taken so far is over. */
  async idle(): Promise<void> {
    await this.#last
  }
}

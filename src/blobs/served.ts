/**
 * Answers that were just given: several nodes that fetch one blob ask for its parts in the same order, at about the same
 * time, so that a part is read, checked and encoded for the first of them and not for each.
 */
import type { Clock } from '../runtime.js'

/** Answers kept, bytes: 16 parts. What one node is ahead of another by more than these is read again. */
export const KEPT_BYTES = 4 * 1024 * 1024
/** Nothing is kept when nothing was asked for so long, ms. */
export const KEPT_MS = 2_000

/** An answer as it is sent, and how much of the blob is in it, bytes. */
export interface Answer {
  readonly frame: Uint8Array
  readonly bytes: number
}

export class Served {
  readonly #clock: Pick<Clock, 'timer'>
  /** The one used longest ago first. */
  readonly #answers = new Map<string, Answer>()
  /** Those being made. */
  readonly #making = new Map<string, Promise<Answer>>()
  #bytes = 0
  #cancel = (): void => undefined

  constructor(clock: Pick<Clock, 'timer'>) {
    this.#clock = clock
  }

  /** The answer known by this name, or a new one. One without bytes, as that something is absent, is not kept. Throws what `make` does. */
  async answer(name: string, make: () => Promise<Answer>): Promise<Answer> {
    this.#forgetLater()
    const known = this.#answers.get(name)
    if (known !== undefined) {
      this.#answers.delete(name)
      this.#answers.set(name, known)
      return known
    }
    const making = this.#making.get(name) ?? this.#make(name, make)
    return await making
  }

  #make(name: string, make: () => Promise<Answer>): Promise<Answer> {
    const making = make()
      .then((answer) => {
        if (answer.bytes > 0) this.#keep(name, answer)
        return answer
      })
      .finally(() => this.#making.delete(name))
    this.#making.set(name, making)
    return making
  }

  #keep(name: string, answer: Answer): void {
    this.#answers.set(name, answer)
    this.#bytes += answer.frame.length
    for (const [oldest, { frame }] of this.#answers) {
      if (this.#bytes <= KEPT_BYTES) break
      this.#answers.delete(oldest)
      this.#bytes -= frame.length
    }
  }

  #forgetLater(): void {
    this.#cancel()
    this.#cancel = this.#clock.timer(KEPT_MS, () => {
      this.#answers.clear()
      this.#bytes = 0
    })
  }
}

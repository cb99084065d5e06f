/**
 * Answers that were just given: several nodes that fetch one blob ask for its parts in the same order, at about the same
 * time, so that a part is read, checked and encoded for the first of them and not for each.
 */
import { giveBack, lend } from '../buffers.js'
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
  /** Those being made, and how many wait for each. */
  readonly #making = new Map<string, { readonly answer: Promise<Answer>; waiting: number }>()
  #bytes = 0
  #cancel = (): void => undefined

  constructor(clock: Pick<Clock, 'timer'>) {
    this.#clock = clock
  }

  /**
   * The answer known by this name, or a new one, lent to who asks: it is sent once. One without bytes, as that something is
   * absent, is not kept. Throws what `make` does.
   */
  async answer(name: string, make: () => Promise<Answer>): Promise<Answer> {
    this.#forgetLater()
    const known = this.#answers.get(name)
    if (known !== undefined) {
      this.#answers.delete(name)
      this.#answers.set(name, known)
      lend(known.frame)
      return known
    }
    const making = this.#making.get(name) ?? { answer: this.#make(name, make), waiting: 0 }
    this.#making.set(name, making)
    making.waiting += 1
    return await making.answer
  }

  async #make(name: string, make: () => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await make()
      // all at once: by the time each of them sends it, it may be kept no more
      for (let left = this.#making.get(name)!.waiting; left > 0; left -= 1) lend(answer.frame)
      if (answer.bytes > 0) this.#keep(name, answer)
      return answer
    } finally {
      this.#making.delete(name)
    }
  }

  #keep(name: string, answer: Answer): void {
    this.#answers.set(name, answer)
    this.#bytes += answer.frame.length
    for (const [oldest, { frame }] of this.#answers) {
      if (this.#bytes <= KEPT_BYTES) break
      this.#answers.delete(oldest)
      this.#bytes -= frame.length
      giveBack(frame)
    }
  }

  #forgetLater(): void {
    this.#cancel()
    this.#cancel = this.#clock.timer(KEPT_MS, () => {
      for (const { frame } of this.#answers.values()) giveBack(frame)
      this.#answers.clear()
      this.#bytes = 0
    })
  }
}

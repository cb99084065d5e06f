/** One line on a terminal that says how far something is; nothing where nobody watches. */
import type { Context } from './context.js'

export class Progress {
  readonly #context: Context
  #shown = false

  constructor(context: Context) {
    this.#context = context
  }

  async show(text: string): Promise<void> {
    if (!this.#context.err.isTTY || this.#context.json) return
    this.#shown = true
    await this.#context.err.write(`\r\u001b[K${text}`)
  }

  /** Clears the line. */
  async end(): Promise<void> {
    if (this.#shown) await this.#context.err.write('\r\u001b[K')
    this.#shown = false
  }
}

/** Everything that keeps a node from writing, each with its reason, until it is gone. */
import { GrapevineError, reasonOf } from '../errors.js'

export class Holds {
  #halted: GrapevineError | undefined
  #failure: GrapevineError | undefined
  readonly #held = new Map<string, GrapevineError>()

  /** For good, until the process ends. */
  halt(error: GrapevineError): void {
    this.#halted ??= error
  }

  /** The store failed. */
  fail(error: unknown): GrapevineError {
    this.#failure =
      error instanceof GrapevineError
        ? error
        : new GrapevineError('internal', `taking records in failed: ${reasonOf(error)}`, {
            next: 'restart the daemon; if it happens again run "grapevine rebuild"',
            cause: error
          })
    return this.#failure
  }

  recovered(): void {
    this.#failure = undefined
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Until `release` is called with the same word. */
  hold(why: string, error: GrapevineError): void {
    this.#held.set(why, error)
  }

  release(why: string): void {
    this.#held.delete(why)
  }

  /** With what the log itself says; what ends by itself comes last. */
  all(log: GrapevineError | undefined): GrapevineError[] {
    const held = [...this.#held.values()].toSorted((a, b) => Number(endsByItself(a)) - Number(endsByItself(b)))
    const all = [this.#halted, this.#failure, log, ...held]
    return [...new Set(all.filter((error) => error !== undefined))]
  }
}

const endsByItself = ({ code }: GrapevineError): boolean => code === 'catching-up'

import type { GrapevineError } from '../errors.js'

/** One change of a batch as LevelDB takes it. */
export type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string }

interface Waiting {
  readonly operations: Operation[]
  readonly durable: boolean
  resolve(): void
  reject(error: unknown): void
}

export interface WriteQueueDeps {
  /** Writes all or nothing. */
  write(operations: Operation[], sync: boolean): Promise<void>
}

/** Operations joined into one batch of LevelDB: bounds how long one write holds up the next. */
export const MAX_JOINED_OPERATIONS = 10_000

/**
 * Keeps writes in call order (LevelDB's own run in a thread pool, in any order) and joins those that wait into one
 * batch, so that many small callers share one write and one sync.
 *
 * After a failure everything waiting and everything later is refused until `resume()`: a later batch must never be
 * there without an earlier one.
 */
export class WriteQueue {
  readonly #deps: WriteQueueDeps
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #failure: GrapevineError | undefined

  constructor(deps: WriteQueueDeps) {
    this.#deps = deps
  }

  /** Why writes are refused at present. */
  get failure(): GrapevineError | undefined {
    return this.#failure
  }

  push(operations: Operation[], durable: boolean): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, durable, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Refuses everything from now on. */
  fail(error: GrapevineError): void {
    this.#failure = error
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error)
  }

  resume(): void {
    this.#failure = undefined
  }

  /** Resolves when nothing is being written and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    // Callers of the same turn of the event loop travel together.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#writeOne(this.#takeGroup())
    this.#running = undefined
  }

  #takeGroup(): Waiting[] {
    let operations = 0
    const end = this.#waiting.findIndex((waiting, at) => {
      operations += waiting.operations.length
      return at > 0 && operations > MAX_JOINED_OPERATIONS
    })
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
  }

  async #writeOne(group: Waiting[]): Promise<void> {
    const operations = group.length === 1 ? group[0]!.operations : group.flatMap((waiting) => waiting.operations)
    const durable = group.some((waiting) => waiting.durable)
    try {
      await this.#deps.write(operations, durable)
    } catch (error) {
      const failure = error as GrapevineError
      for (const waiting of group) waiting.reject(failure)
      this.fail(failure)
      return
    }
    for (const waiting of group) waiting.resolve()
  }
}

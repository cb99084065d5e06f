/** Runs tasks that share a key one after the other, tasks of different keys at once. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<unknown>>()

  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(key) ?? Promise.resolve()).then(task)
    const tail = result.catch(() => undefined)
    this.#tails.set(key, tail)
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
    return result
  }

  /** Resolves when everything that was running or waiting at this moment has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#tails.values())
  }
}

/** At most `slots` tasks at once; the others wait in order. */
export class Slots {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor(slots: number) {
    this.#free = slots
  }

  get waiting(): number {
    return this.#waiting.length
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}

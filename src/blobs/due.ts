/** Things to be done at a time, earliest first: a binary heap. Pure; `atMs` is of the monotonic clock. */
export class DueQueue<T> {
  readonly #heap: Array<{ atMs: number; item: T }> = []

  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs
  }

  get length(): number {
    return this.#heap.length
  }

  push(atMs: number, item: T): void {
    const heap = this.#heap
    heap.push({ atMs, item })
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1
      if (heap[parent]!.atMs <= heap[child]!.atMs) return
      this.#swap(parent, child)
      child = parent
    }
  }

  /** Takes everything that is due. */
  take(nowMs: number): T[] {
    const due: T[] = []
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= nowMs) due.push(this.#pop())
    return due
  }

  clear(): void {
    this.#heap.length = 0
  }

  #pop(): T {
    const first = this.#heap[0]!
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#sink()
    }
    return first.item
  }

  #sink(): void {
    const heap = this.#heap
    for (let parent = 0; ;) {
      let least = parent
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < heap.length && heap[child]!.atMs < heap[least]!.atMs) least = child
      }
      if (least === parent) return
      this.#swap(parent, least)
      parent = least
    }
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = held
  }
}

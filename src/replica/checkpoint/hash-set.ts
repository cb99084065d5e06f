/**
 * Many hashes in little memory: 8 bytes of each in a table of twice as many places. What was added is always found; of what
 * was not, one in 2^64 for each that was.
 */

const FIRST_PLACES = 1024

export class HashSet {
  /** Two words a place; both 0: empty. */
  #table = new Uint32Array(2 * FIRST_PLACES)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** `hash`: at least 16 hex. */
  add(hash: string): void {
    if (this.#put(high(hash), low(hash))) this.#size += 1
    if (this.#size * 4 > this.#table.length) this.#grow()
  }

  has(hash: string): boolean {
    const [first, second] = [high(hash), low(hash)]
    return isEmpty(first, second) || !isEmpty(...this.#at(this.#placeOf(first, second)))
  }

  /** Whether it is new. The one that is like an empty place counts as there. */
  #put(first: number, second: number): boolean {
    const place = this.#placeOf(first, second)
    if (isEmpty(first, second) || !isEmpty(...this.#at(place))) return false
    this.#table[place] = first
    this.#table[place + 1] = second
    return true
  }

  #at(place: number): [number, number] {
    return [this.#table[place]!, this.#table[place + 1]!]
  }

  /** Where it is, or the empty place where it belongs. Hashes are spread evenly by themselves. */
  #placeOf(first: number, second: number): number {
    const table = this.#table
    let place = (first * 2) % table.length
    while (!isEmpty(table[place]!, table[place + 1]!) && (table[place] !== first || table[place + 1] !== second))
      place = (place + 2) % table.length
    return place
  }

  #grow(): void {
    const old = this.#table
    this.#table = new Uint32Array(old.length * 2)
    for (let place = 0; place < old.length; place += 2) this.#put(old[place]!, old[place + 1]!)
  }
}

const high = (hash: string): number => Number.parseInt(hash.slice(0, 8), 16)
const low = (hash: string): number => Number.parseInt(hash.slice(8, 16), 16)
const isEmpty = (first: number, second: number): boolean => first === 0 && second === 0

/** A fixed number of yes/no marks with a count; the bytes are its form on disk (bit i of byte floor(i/8), lowest first). */
export class Bitmap {
  readonly length: number
  readonly #bytes: Uint8Array
  #count = 0

  constructor(length: number) {
    this.length = length
    this.#bytes = new Uint8Array(Math.ceil(length / 8))
  }

  /** Undefined when the bytes cannot be a bitmap of this length: wrong size, or marks past the end. */
  static from(bytes: Uint8Array, length: number): Bitmap | undefined {
    if (bytes.length !== Math.ceil(length / 8)) return undefined
    const map = new Bitmap(length)
    for (let index = 0; index < length; index += 1) if (bitAt(bytes, index)) map.set(index)
    return map.#bytes.at(-1) === bytes.at(-1) ? map : undefined
  }

  get count(): number {
    return this.#count
  }

  get full(): boolean {
    return this.#count === this.length
  }

  has(index: number): boolean {
    return bitAt(this.#bytes, index)
  }

  set(index: number): void {
    if (index < 0 || index >= this.length || this.has(index)) return
    this.#bytes[index >> 3]! |= 1 << (index & 7)
    this.#count += 1
  }

  copy(): Bitmap {
    const map = new Bitmap(this.length)
    map.#bytes.set(this.#bytes)
    map.#count = this.#count
    return map
  }

  toBytes(): Uint8Array {
    return this.#bytes.slice()
  }
}

function bitAt(bytes: Uint8Array, index: number): boolean {
  return ((bytes[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
}

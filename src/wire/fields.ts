/** Readers for decoded values: each checks shape, size and range, and throws through the `fail` it was made with. */

export type Fail = (what: string) => Error

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}

/** Reads the fields of one decoded map. */
export class Fields {
  readonly #map: Readonly<Record<string, unknown>>
  readonly #fail: Fail

  constructor(map: Readonly<Record<string, unknown>>, fail: Fail) {
    this.#map = map
    this.#fail = fail
  }

  has(key: string): boolean {
    return this.#map[key] !== undefined
  }

  value(key: string): unknown {
    return this.#map[key]
  }

  int(key: string, min: number, max: number): number {
    const value = this.#map[key]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.#fail(`field ${key} is not an integer from ${min} to ${max}`)
    }
    return value
  }

  bytes(key: string, min: number, max = min): Uint8Array {
    const value = this.#map[key]
    if (!(value instanceof Uint8Array) || value.length < min || value.length > max) {
      throw this.#fail(`field ${key} is not ${min === max ? min : `${min} to ${max}`} bytes`)
    }
    return value
  }

  optionalBytes(key: string, length: number): Uint8Array | undefined {
    return this.#map[key] === undefined ? undefined : this.bytes(key, length)
  }

  hex(key: string, length: number): string {
    return hexOf(this.bytes(key, length))
  }

  text(key: string, maxBytes: number): string {
    const value = this.#map[key]
    if (typeof value !== 'string' || Buffer.byteLength(value) > maxBytes)
      throw this.#fail(`field ${key} is not text of up to ${maxBytes} bytes`)
    return value
  }

  list(key: string, max: number): readonly unknown[] {
    const value = this.#map[key]
    if (!Array.isArray(value) || value.length > max) throw this.#fail(`field ${key} is not a list of up to ${max}`)
    return value
  }

  oneOf<T extends string>(key: string, values: readonly T[]): T {
    const value = this.#map[key]
    if (typeof value !== 'string' || !(values as readonly string[]).includes(value))
      throw this.#fail(`field ${key} is not one of ${values.join(', ')}`)
    return value as T
  }
}

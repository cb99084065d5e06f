/**
 * CBOR as Grapevine speaks it: deterministic on the way out (RFC 8949, 4.2.1), strict on the way in: no indefinite
 * lengths, no duplicate keys, no tags, no floats, no ill-formed text, bounded nesting.
 */
import { isUtf8 } from 'node:buffer'
import { decode as cborDecode, encode as cborEncode, rfc8949EncodeOptions, Tokenizer, type DecodeOptions } from 'cborg'
import { GrapevineError } from '../errors.js'
import { decodePlain, decodePlainInSteps, encodePlain, OTHER } from './cbor-plain.js'
import { MAX_CBOR_DEPTH } from './limits.js'

const DECODE: DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  retainStringBytes: false
}

/** Bytes of the head of a text by the low five bits of its first byte; shorter lengths are in those bits themselves. */
const TEXT_HEAD_BYTES: Readonly<Record<number, number>> = { 24: 2, 25: 3, 26: 5, 27: 9 }

/**
 * Counts open containers so that hostile nesting is refused before it is built, and refuses what would read differently
 * in another implementation: floats that pass for integers, and text that would be replaced while it is decoded.
 */
class StrictTokenizer extends Tokenizer {
  readonly #bytes: Uint8Array
  #open: number[] = []

  constructor(bytes: Uint8Array, options: DecodeOptions) {
    super(bytes, options)
    this.#bytes = bytes
  }

  override next(): ReturnType<Tokenizer['next']> {
    const start = this.pos()
    const token = super.next()
    if (token.type.name === 'float') throw new Error('holds a float')
    if (token.type.major === 3) this.#checkText(start, token)
    this.#count(token)
    return token
  }

  /** The decoder replaces ill-formed text and drops a byte order mark, both without an error. */
  #checkText(start: number, token: ReturnType<Tokenizer['next']>): void {
    const from = start + (TEXT_HEAD_BYTES[this.#bytes[start]! & 31] ?? 1)
    const text = this.#bytes.subarray(from, this.pos())
    if (!isUtf8(text)) throw new Error('holds text that is not UTF-8')
    if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) token.value = Buffer.from(text).toString()
  }

  #count(token: ReturnType<Tokenizer['next']>): void {
    while (this.#open.length > 0 && this.#open.at(-1) === 0) this.#open.pop()
    if (this.#open.length > 0) this.#open[this.#open.length - 1]! -= 1
    const { major } = token.type
    if (major === 4 || major === 5) {
      if (this.#open.length >= MAX_CBOR_DEPTH) throw new Error(`nested deeper than ${MAX_CBOR_DEPTH}`)
      this.#open.push(major === 4 ? Number(token.value) : 2 * Number(token.value))
    }
  }
}

export function encodeCbor(value: unknown): Uint8Array {
  const encoded = encodePlain(value)
  return encoded === OTHER ? encodeCborSlowly(value) : encoded
}

/** Any value, by the library. */
export function encodeCborSlowly(value: unknown): Uint8Array {
  return cborEncode(value, rfc8949EncodeOptions)
}

/** Decodes or throws a plain Error; callers turn it into their own typed error. */
export function decodeCborRaw(bytes: Uint8Array): unknown {
  const value = decodePlain(bytes)
  return value === OTHER ? decodeCborSlowly(bytes) : value
}

/** The same by the library, which has the last word about what is strict. */
export function decodeCborSlowly(bytes: Uint8Array): unknown {
  return cborDecode(bytes, { ...DECODE, tokenizer: new StrictTokenizer(bytes, DECODE) })
}

/** Decodes a peer's message; throws `message-malformed`. */
export function decodeMessage(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = decodeCborRaw(bytes)
  } catch (error) {
    throw malformed('is not strict CBOR', error)
  }
  if (!isMap(value)) throw malformed('is not a map')
  return value
}

/** What is not plain is left to the library, in one go: only so much of it, bytes. */
export const MAX_AT_ONCE_BYTES = 64 * 1024

/**
 * The same of a message that may be large, in steps between which others may run. What only the library could read is
 * refused in a large one. Throws `message-malformed`.
 */
export function* decodeMessageInSteps(
  bytes: Uint8Array,
  itemsAStep: number
): Generator<void, Readonly<Record<string, unknown>>> {
  const value = yield* decodePlainInSteps(bytes, itemsAStep)
  if (isMap(value)) return value
  if (bytes.length > MAX_AT_ONCE_BYTES) throw malformed('is not a map of plain CBOR')
  return decodeMessage(bytes)
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

export function malformed(what: string, cause?: unknown): GrapevineError {
  return new GrapevineError('message-malformed', `a message from a peer ${what}`, {
    next: 'check that all nodes run compatible versions',
    cause
  })
}

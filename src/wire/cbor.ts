/**
 * CBOR as Grapevine speaks it: deterministic on the way out (RFC 8949, 4.2.1), strict on the way in: no indefinite
 * lengths, no duplicate keys, no tags, no floats that are not finite, bounded nesting.
 */
import { decode as cborDecode, encode as cborEncode, rfc8949EncodeOptions, Tokenizer, type DecodeOptions } from 'cborg'
import { GrapevineError } from '../errors.js'
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

/** Counts open containers so that hostile nesting is refused before it is built. */
class BoundedTokenizer extends Tokenizer {
  #open: number[] = []

  override next(): ReturnType<Tokenizer['next']> {
    const token = super.next()
    while (this.#open.length > 0 && this.#open.at(-1) === 0) this.#open.pop()
    if (this.#open.length > 0) this.#open[this.#open.length - 1]! -= 1
    const { major } = token.type
    if (major === 4 || major === 5) {
      if (this.#open.length >= MAX_CBOR_DEPTH) throw new Error(`nested deeper than ${MAX_CBOR_DEPTH}`)
      this.#open.push(major === 4 ? Number(token.value) : 2 * Number(token.value))
    }
    return token
  }
}

export function encodeCbor(value: unknown): Uint8Array {
  return cborEncode(value, rfc8949EncodeOptions)
}

/** Decodes or throws a plain Error; callers turn it into their own typed error. */
export function decodeCborRaw(bytes: Uint8Array): unknown {
  return cborDecode(bytes, { ...DECODE, tokenizer: new BoundedTokenizer(bytes, DECODE) })
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

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

export function malformed(what: string, cause?: unknown): GrapevineError {
  return new GrapevineError('message-malformed', `a message from a peer ${what}`, {
    next: 'check that all nodes run compatible versions',
    cause
  })
}

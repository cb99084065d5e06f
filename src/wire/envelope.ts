/** Small maps as one line of text that people copy: a prefix that says what it is, CBOR and a checksum. SPEC.md, "Texts". */
import { GrapevineError } from '../errors.js'
import { sha256 } from './body.js'
import { decodeCborRaw, encodeCbor, isMap } from './cbor.js'
import { Fields } from './fields.js'

const CHECK_BYTES = 4

export interface Envelope {
  /** What the line begins with. */
  readonly prefix: string
  /** Longest line, characters. */
  readonly maxLength: number
  /** What it is to people: "invitation token". */
  readonly what: string
  /** What somebody does whose line is damaged. */
  readonly next: string
}

export function sealText({ prefix }: Envelope, map: Readonly<Record<string, unknown>>): string {
  const body = encodeCbor(map)
  return prefix + Buffer.concat([body, sha256(body).subarray(0, CHECK_BYTES)]).toString('base64url')
}

/** Throws `token-malformed` for anything that is not a whole, undamaged line of this kind. */
export function openText(envelope: Envelope, text: string): Fields {
  const { prefix, maxLength } = envelope
  const trimmed = text.trim()
  if (!trimmed.startsWith(prefix) || trimmed.length > maxLength) throw badText(envelope, 'does not look like one')
  const bytes = Buffer.from(trimmed.slice(prefix.length), 'base64url')
  const body = bytes.subarray(0, -CHECK_BYTES)
  if (!sha256(body).subarray(0, CHECK_BYTES).equals(bytes.subarray(-CHECK_BYTES)))
    throw badText(envelope, 'is cut short or damaged')
  let map: unknown
  try {
    map = decodeCborRaw(body)
  } catch (error) {
    throw badText(envelope, 'is damaged', error)
  }
  if (!isMap(map)) throw badText(envelope, 'is damaged')
  return new Fields(map, (what) => badText(envelope, what))
}

export function badText({ what, next }: Envelope, problem: string, cause?: unknown): GrapevineError {
  return new GrapevineError('token-malformed', `the ${what} ${problem}`, { next, cause })
}

/**
 * The one form of Yjs update an edit may carry, written and read here (v1 encoding, SPEC.md, "Edit"):
 *
 * - at most one struct: a ContentAny of tuples `[field, value, time, seq]` in the root array `f`, under the author's own
 *   client id, its clock exactly where that client stands, its origin the client's own previous item (none at clock 0),
 *   no right origin. So updates depend on nobody else's structs, Yjs never has anything pending, and a client's items
 *   stay one run that Yjs can merge: an entry's size follows its authors, not its edits.
 * - a delete set over tuples the author had seen.
 *
 * An update is taken only if it is, byte for byte, what this encoder makes of its meaning. That refuses hidden bytes,
 * odd encodings and lost keys at once.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { MAX_FIELD_NAME_BYTES, MAX_TIME, MAX_UPDATE_TUPLES, MAX_VALUE_DEPTH, refuseRecord } from '../wire/index.js'
import { byClient } from './by-client.js'
import { encoded, scratched } from './scratch.js'

/** What a field may hold. */
export type Value = null | boolean | number | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value }

/** One value of one field as the doc's array holds it. */
export type TupleContent = readonly [field: string, value: Value, time: number, seq: number]

export interface DeleteRange {
  readonly client: number
  readonly clock: number
  readonly length: number
}

export interface EditUpdate {
  readonly client: number
  /** Clock of the first tuple. */
  readonly clock: number
  readonly tuples: readonly TupleContent[]
  /** Sorted by client (descending, as Yjs writes them), then clock; not overlapping. */
  readonly deletes: readonly DeleteRange[]
}

export const ARRAY_NAME = 'f'
/** The field that deletes an entry; see view.ts. */
export const TOMBSTONE = '!'
/** `__proto__` and its kin: what would reach into the objects that hold a value. */
const FORBIDDEN_KEY = '__'
export const CONTENT_ANY = 8
const HAS_ORIGIN = 0x80
const MAX_CLOCK = 2 ** 40
const MAX_DELETE_RANGES = 4_096

export function encodeUpdate(update: EditUpdate): Uint8Array {
  return encoded((out) => writeUpdate(out, update))
}

function writeUpdate(out: encoding.Encoder, update: EditUpdate): void {
  if (update.tuples.length === 0) encoding.writeVarUint(out, 0)
  else writeStruct(out, update)
  writeDeletes(out, update.deletes)
}

function writeStruct(out: encoding.Encoder, { client, clock, tuples }: EditUpdate): void {
  encoding.writeVarUint(out, 1)
  encoding.writeVarUint(out, 1)
  encoding.writeVarUint(out, client)
  encoding.writeVarUint(out, clock)
  writeItemHead(out, CONTENT_ANY, client, clock)
  encoding.writeVarUint(out, tuples.length)
  for (const tuple of tuples) encoding.writeAny(out, tuple as unknown as encoding.AnyEncodable)
}

/** The head of an item of this client at this clock: it follows the client's own previous item, or begins in the root. */
export function writeItemHead(out: encoding.Encoder, content: number, client: number, clock: number): void {
  if (clock === 0) {
    encoding.writeUint8(out, content)
    encoding.writeVarUint(out, 1)
    encoding.writeVarString(out, ARRAY_NAME)
  } else {
    encoding.writeUint8(out, content | HAS_ORIGIN)
    encoding.writeVarUint(out, client)
    encoding.writeVarUint(out, clock - 1)
  }
}

export function writeDeletes(out: encoding.Encoder, deletes: readonly DeleteRange[]): void {
  const clients = byClient(deletes)
  encoding.writeVarUint(out, clients.size)
  for (const [client, ranges] of clients) {
    encoding.writeVarUint(out, client)
    encoding.writeVarUint(out, ranges.length)
    for (const { clock, length } of ranges) {
      encoding.writeVarUint(out, clock)
      encoding.writeVarUint(out, length)
    }
  }
}

/** Reads an update or throws `record-malformed`; says nothing yet about whether it fits an entry. */
export function decodeUpdate(bytes: Uint8Array): EditUpdate {
  let update: EditUpdate
  let isCanonical: boolean
  try {
    update = readUpdate(decoding.createDecoder(bytes))
    isCanonical = scratched(
      (out) => writeUpdate(out, update),
      (canonical) => Buffer.compare(bytes, canonical) === 0
    )
  } catch (error) {
    throw refuseRecord('holds an edit that is not a Yjs update of the permitted form', {}, error)
  }
  if (!isCanonical) throw refuseRecord('holds an edit that is not in its one canonical encoding')
  return update
}

function readUpdate(input: decoding.Decoder): EditUpdate {
  const clients = decoding.readVarUint(input)
  if (clients > 1) throw new Error('writes under more than one client id')
  const head = clients === 1 ? readStruct(input) : { client: 0, clock: 0, tuples: [] }
  return { ...head, deletes: readDeletes(input) }
}

function readStruct(input: decoding.Decoder): Omit<EditUpdate, 'deletes'> {
  if (decoding.readVarUint(input) !== 1) throw new Error('holds more than one struct')
  const client = readClient(input)
  const clock = decoding.readVarUint(input)
  if (clock > MAX_CLOCK) throw new Error('has a clock out of range')
  const info = decoding.readUint8(input)
  if (info !== (clock === 0 ? CONTENT_ANY : CONTENT_ANY | HAS_ORIGIN)) throw new Error('holds content of another kind')
  if (clock === 0) {
    if (decoding.readVarUint(input) !== 1 || decoding.readVarString(input) !== ARRAY_NAME)
      throw new Error('writes to another root')
  } else if (decoding.readVarUint(input) !== client || decoding.readVarUint(input) !== clock - 1) {
    throw new Error('does not follow its own previous item')
  }
  const count = decoding.readVarUint(input)
  if (count < 1 || count > MAX_UPDATE_TUPLES) throw new Error('holds too many values')
  const tuples: TupleContent[] = []
  for (let index = 0; index < count; index++) tuples.push(checkTuple(decoding.readAny(input)))
  return { client, clock, tuples }
}

/** lib0 lets the last group of a varint carry it beyond what numbers hold exactly. */
function readClient(input: decoding.Decoder): number {
  const client = decoding.readVarUint(input)
  if (client > Number.MAX_SAFE_INTEGER) throw new Error('names a client id out of range')
  return client
}

function readDeletes(input: decoding.Decoder): DeleteRange[] {
  const deletes: DeleteRange[] = []
  const clients = decoding.readVarUint(input)
  if (clients > MAX_DELETE_RANGES) throw new Error('deletes from too many clients')
  let lastClient = Number.POSITIVE_INFINITY
  for (let index = 0; index < clients; index++) {
    const client = readClient(input)
    if (client >= lastClient) throw new Error('deletes out of order')
    lastClient = client
    // ranges that touch would be one range: the same meaning has one encoding
    let end = -1
    for (let left = decoding.readVarUint(input); left > 0; left--) {
      const clock = decoding.readVarUint(input)
      const length = decoding.readVarUint(input)
      if (length < 1 || clock + length > MAX_CLOCK || clock <= end || deletes.length >= MAX_DELETE_RANGES)
        throw new Error('deletes out of range')
      end = clock + length
      deletes.push({ client, clock, length })
    }
  }
  return deletes
}

function checkTuple(value: unknown): TupleContent {
  if (!Array.isArray(value) || value.length !== 4) throw new Error('holds something that is not a tuple')
  const [field, content, time, seq] = value as unknown[]
  if (typeof field !== 'string' || field === '' || Buffer.byteLength(field) > MAX_FIELD_NAME_BYTES)
    throw new Error('has a bad field name')
  // a field becomes a key of the tombstone that deletes it, so what no map may hold is no name of a field
  if (field.startsWith(FORBIDDEN_KEY)) throw new Error(`has a field name that starts with "${FORBIDDEN_KEY}"`)
  if (!isTime(time) || !isTime(seq)) throw new Error('has a bad stamp')
  // a tombstone wraps the values of the fields it keeps once more
  checkValue(content, field === TOMBSTONE ? -1 : 0)
  return [field, content as Value, time, seq]
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= MAX_TIME
}

/** Throws a plain Error for anything a field may not hold. */
export function checkValue(value: unknown, depth: number): void {
  if (depth > MAX_VALUE_DEPTH) throw new Error(`is nested deeper than ${MAX_VALUE_DEPTH}`)
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || isBytes(value)) return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (Array.isArray(value)) return value.forEach((item) => checkValue(item, depth + 1))
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const [key, item] of Object.entries(value)) {
      if (key.startsWith(FORBIDDEN_KEY)) throw new Error(`has a key that starts with "${FORBIDDEN_KEY}"`)
      checkValue(item, depth + 1)
    }
    return
  }
  throw new Error('holds a value of a kind that is not permitted')
}

/** lib0 makes a map under `__proto__` the prototype of what holds it: such a map is an instance of whatever it names. */
function isBytes(value: unknown): boolean {
  if (!(value instanceof Uint8Array)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Uint8Array.prototype || prototype === Buffer.prototype
}

/** Whether two values have the same bytes below, told without making them. */
export function isSame(a: Value, b: Value): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return Object.is(a, b)
  if (a instanceof Uint8Array || b instanceof Uint8Array)
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (isList(a) || isList(b))
    return isList(a) && isList(b) && a.length === b.length && a.every((item, at) => isSame(item, b[at]!))
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key]!, b[key]!))
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** Deterministic bytes of a value, to hash. */
export function encodeValue(value: Value): Uint8Array {
  return encoded((out) => writeValue(out, value))
}

export function writeValue(out: encoding.Encoder, value: Value): void {
  encoding.writeAny(out, (holdsMap(value) ? sorted(value) : value) as encoding.AnyEncodable)
}

function holdsMap(value: Value): boolean {
  if (Array.isArray(value)) return value.some(holdsMap)
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

function sorted(value: Value): Value {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const map = value as { readonly [key: string]: Value }
  return Object.fromEntries(
    Object.keys(map)
      .toSorted()
      .map((key) => [key, sorted(map[key]!)])
  )
}

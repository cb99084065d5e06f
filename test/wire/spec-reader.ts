/**
 * A second implementation of the formats that carry meaning, written from SPEC.md alone: it imports nothing of src/. When
 * it and the real code agree on the golden bytes, the specification says enough. Written for clearness, not for speed.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function refuse(why: string): never {
  throw new Error(why)
}

function sha256(...parts: ReadonlyArray<Uint8Array | string>): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Takes bytes from the front. */
class Input {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) refuse('cut short')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  byte(): number {
    return this.take(1)[0]!
  }

  unsigned(length: number): number {
    return Number(BigInt(`0x${hex(this.take(length))}`))
  }

  /** Section 1, varint. */
  varint(): number {
    let value = 0
    for (let weight = 1, byte = 128; byte >= 128; weight *= 128) {
      byte = this.byte()
      value += (byte % 128) * weight
      if (value > Number.MAX_SAFE_INTEGER) refuse('a varint out of range')
    }
    return value
  }
}

// --- section 1: CBOR --------------------------------------------------------------------------------------------------

export type Cbor = null | boolean | number | string | Uint8Array | Cbor[] | Map<string, Cbor>

export function readCbor(bytes: Uint8Array): Cbor {
  const input = new Input(bytes)
  const value = readItem(input, 0)
  return input.done ? value : refuse('bytes after the value')
}

function readItem(input: Input, depth: number): Cbor {
  const first = input.byte()
  const major = first >> 5
  if (major === 7)
    return first === 0xf4 ? false : first === 0xf5 ? true : first === 0xf6 ? null : refuse('a simple value or a float')
  const length = readLength(input, first & 31)
  if (major === 0) return length
  if (major === 1) return -1 - length
  if (major === 2) return input.take(length)
  if (major === 3) return utf8.decode(input.take(length))
  if (major === 6) refuse('a tag')
  if (depth === 32) refuse('nested too deeply')
  if (major === 4) return Array.from({ length: Math.min(length, 1e6) }, () => readItem(input, depth + 1))
  const map = new Map<string, Cbor>()
  for (let left = length; left > 0; left--) {
    const key = readItem(input, depth + 1)
    if (typeof key !== 'string' || map.has(key)) refuse('a bad key')
    map.set(key as string, readItem(input, depth + 1))
  }
  return map
}

function readLength(input: Input, low: number): number {
  if (low < 24) return low
  if (low > 27) refuse('an indefinite length')
  const value = input.unsigned(2 ** (low - 24))
  const least = [24, 2 ** 8, 2 ** 16, 2 ** 32][low - 24]!
  return value >= least && value <= Number.MAX_SAFE_INTEGER ? value : refuse('a length that is not shortest')
}

// --- section 2: names -------------------------------------------------------------------------------------------------

export function clusterId(root: Uint8Array): string {
  return hex(sha256(root).subarray(0, 16))
}

export function logId(space: string, author: Uint8Array, epoch: Uint8Array): string {
  return hex(sha256('grapevine/log/1\0', author, epoch, space).subarray(0, 16))
}

export function entryId(parent: Uint8Array, name: string, kind: 0 | 1, turn: number): string {
  const head = Uint8Array.of(kind, turn & 255, turn >> 8)
  return hex(sha256('grapevine/entry/1\0', parent, head, name).subarray(0, 16))
}

export function clientId(author: Uint8Array, epoch: Uint8Array, entry: Uint8Array): number {
  const digest = sha256('grapevine/client/1\0', author, epoch, entry)
  return (digest.readUInt32BE(0) % 2 ** 21) * 2 ** 32 + digest.readUInt32BE(4) || 1
}

export function nodeId(publicKey: Uint8Array): string {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  const bytes = Buffer.concat([Buffer.from('002408011220', 'hex'), publicKey])
  let text = ''
  for (let rest = BigInt(`0x${hex(bytes)}`); rest > 0n; rest /= 58n) text = alphabet[Number(rest % 58n)]! + text
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros) + text
}

// --- section 3: record ------------------------------------------------------------------------------------------------

export interface SpecRecord {
  readonly id: string
  readonly log: string
  readonly cluster: string
  readonly space: string
  readonly author: Uint8Array
  readonly epoch: Uint8Array
  readonly seq: number
  readonly prev: string | null
  readonly deps: ReadonlyArray<{ log: string; seq: number; id: string }>
  readonly depth: number
  readonly time: number
  readonly ops: ReadonlyArray<ReadonlyMap<string, Cbor>>
}

const int = (value: Cbor | undefined, least: number, most: number): number =>
  typeof value === 'number' && value >= least && value <= most ? value : refuse('not an integer in its range')
const bytes = (value: Cbor | undefined, length: number): Uint8Array =>
  value instanceof Uint8Array && value.length === length ? value : refuse(`not ${length} bytes`)
const list = (value: Cbor | undefined, most: number): Cbor[] =>
  Array.isArray(value) && value.length <= most ? value : refuse('not a list')
const text = (value: Cbor | undefined, most: number): string =>
  typeof value === 'string' && Buffer.byteLength(value) <= most ? value : refuse('not text')

/** Decodes a record and checks its signature. */
export function readRecord(record: Uint8Array): SpecRecord {
  if (record.length > 524_288) refuse('too large')
  const body = record.subarray(64)
  const map = readCbor(body)
  if (!(map instanceof Map) || map.get('v') !== 1) refuse('not a record of version 1')
  const fields = map as Map<string, Cbor>
  const author = bytes(fields.get('author'), 32)
  const epoch = bytes(fields.get('epoch'), 8)
  const space = text(fields.get('space'), 32)
  const seq = int(fields.get('seq'), 1, 2 ** 48 - 1)
  if (fields.has('prev') !== seq > 1) refuse('prev belongs to every record but the first')
  if (!signed(author, Buffer.concat([Buffer.from('grapevine/record/1\0'), body]), record.subarray(0, 64)))
    refuse('a bad signature')
  return {
    id: hex(sha256(body)),
    log: logId(space, author, epoch),
    cluster: hex(bytes(fields.get('cluster'), 16)),
    space,
    author,
    epoch,
    seq,
    prev: seq === 1 ? null : hex(bytes(fields.get('prev'), 32)),
    deps: list(fields.get('deps'), 1_024).map((dep) => {
      const [log, at, id] = list(dep, 3)
      return { log: hex(bytes(log, 16)), seq: int(at, 1, 2 ** 48 - 1), id: hex(bytes(id, 32)) }
    }),
    depth: int(fields.get('depth'), 1, 2 ** 48 - 1),
    time: int(fields.get('time'), 0, 2 ** 53 - 1),
    ops: list(fields.get('ops'), 2_000).map((op) =>
      op instanceof Map && typeof op.get('k') === 'string' ? op : refuse('an op without a kind')
    )
  }
}

export function signed(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key])
  return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
}

// --- section 5: update ------------------------------------------------------------------------------------------------

/** A map is kept as `{ map }`, a list of its pairs, so that their order is seen. */
export interface AnyMap {
  readonly map: ReadonlyArray<readonly [string, SpecValue]>
}
export type SpecValue = null | boolean | number | string | Uint8Array | readonly SpecValue[] | AnyMap

export interface SpecUpdate {
  readonly client: number
  readonly clock: number
  readonly tuples: ReadonlyArray<{ field: string; value: SpecValue; time: number; seq: number }>
  readonly deletes: ReadonlyArray<{ client: number; clock: number; length: number }>
}

export function readUpdate(update: Uint8Array): SpecUpdate {
  const input = new Input(update)
  const head = readStructs(input)
  const result = { ...head, deletes: readDeletes(input) }
  if (!input.done) refuse('bytes after the update')
  if (!Buffer.from(writeUpdate(result)).equals(update)) refuse('not the canonical bytes')
  return result
}

function readStructs(input: Input): Omit<SpecUpdate, 'deletes'> {
  const writers = input.varint()
  if (writers === 0) return { client: 0, clock: 0, tuples: [] }
  if (writers !== 1 || input.varint() !== 1) refuse('more than one struct')
  const client = input.varint()
  const clock = input.varint()
  if (clock > 2 ** 40) refuse('a clock out of range')
  if (clock === 0) {
    if (hex(input.take(4)) !== '08010166') refuse('not the first item of the root array')
  } else if (input.byte() !== 0x88 || input.varint() !== client || input.varint() !== clock - 1)
    refuse('not behind its own previous tuple')
  const count = input.varint()
  if (count < 1 || count > 256) refuse('too many tuples')
  return { client, clock, tuples: Array.from({ length: count }, () => readTuple(input)) }
}

function readTuple(input: Input): SpecUpdate['tuples'][number] {
  if (hex(input.take(2)) !== '7504') refuse('not a list of four')
  const [field, value, time, seq] = Array.from({ length: 4 }, () => readAny(input, -1))
  const stamp = (number: SpecValue | undefined): number =>
    typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : refuse('a bad stamp')
  if (typeof field !== 'string' || field === '' || Buffer.byteLength(field) > 64) refuse('a bad field')
  return { field: field as string, value: value as SpecValue, time: stamp(time), seq: stamp(seq) }
}

function readDeletes(input: Input): SpecUpdate['deletes'] {
  const deletes: Array<{ client: number; clock: number; length: number }> = []
  let above = Number.POSITIVE_INFINITY
  for (let clients = input.varint(); clients > 0; clients--) {
    const client = input.varint()
    if (client >= above) refuse('clients out of order')
    above = client
    let end = -1
    for (let ranges = input.varint(); ranges > 0; ranges--) {
      const clock = input.varint()
      const length = input.varint()
      if (clock <= end || length < 1 || clock + length > 2 ** 40 || deletes.length === 4_096) refuse('a bad range')
      end = clock + length
      deletes.push({ client, clock, length })
    }
  }
  return deletes
}

function readAny(input: Input, depth: number): SpecValue {
  if (depth > 16) refuse('nested too deeply')
  const string = (): string => utf8.decode(input.take(input.varint()))
  switch (input.byte()) {
    case 0x74:
      return input.take(input.varint())
    case 0x75:
      return Array.from({ length: Math.min(input.varint(), 1e6) }, () => readAny(input, depth + 1))
    case 0x76: {
      const map = Array.from({ length: Math.min(input.varint(), 1e6) }, () => {
        const key = string()
        return [key.startsWith('__') ? refuse('a key that begins with __') : key, readAny(input, depth + 1)] as const
      })
      return new Set(map.map(([key]) => key)).size === map.length ? { map } : refuse('a key twice')
    }
    case 0x77:
      return string()
    case 0x78:
      return true
    case 0x79:
      return false
    case 0x7b:
      return finite(Buffer.from(input.take(8)).readDoubleBE())
    case 0x7c:
      return finite(Buffer.from(input.take(4)).readFloatBE())
    case 0x7d:
      return signedVarint(input)
    case 0x7e:
      return null
    default:
      return refuse('a value of a kind that is not permitted')
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : refuse('a number that is not finite')
}

function signedVarint(input: Input): number {
  let byte = input.byte()
  const sign = (byte & 64) === 0 ? 1 : -1
  let value = byte & 63
  for (let weight = 64; byte >= 128; weight *= 128) {
    byte = input.byte()
    value += (byte % 128) * weight
  }
  return sign * value
}

// --- writing, for the comparison that section 5 demands and the hash of section 8 -------------------------------------

function varint(value: number): Buffer {
  const out: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    out.push(rest >= 128 ? (rest % 128) + 128 : rest)
    if (rest < 128) return Buffer.from(out)
  }
}

const sized = (part: Uint8Array): Buffer => Buffer.concat([varint(part.length), part])

export function writeUpdate({ client, clock, tuples, deletes }: SpecUpdate): Buffer {
  const parts: Uint8Array[] = []
  if (tuples.length === 0) parts.push(Buffer.of(0))
  else {
    const place =
      clock === 0 ? Buffer.from('08010166', 'hex') : Buffer.concat([Buffer.of(0x88), varint(client), varint(clock - 1)])
    parts.push(Buffer.of(1, 1), varint(client), varint(clock), place, varint(tuples.length))
    for (const { field, value, time, seq } of tuples) parts.push(writeAny([field, value, time, seq]))
  }
  const clients = [...new Set(deletes.map((range) => range.client))]
  parts.push(varint(clients.length))
  for (const each of clients) {
    const ranges = deletes.filter((range) => range.client === each)
    parts.push(
      varint(each),
      varint(ranges.length),
      ...ranges.flatMap((range) => [varint(range.clock), varint(range.length)])
    )
  }
  return Buffer.concat(parts)
}

export function writeAny(value: SpecValue): Buffer {
  if (value === null) return Buffer.of(0x7e)
  if (typeof value === 'boolean') return Buffer.of(value ? 0x78 : 0x79)
  if (typeof value === 'string') return Buffer.concat([Buffer.of(0x77), sized(Buffer.from(value))])
  if (typeof value === 'number') return writeNumber(value)
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.of(0x74), sized(value)])
  if (Array.isArray(value)) return Buffer.concat([Buffer.of(0x75), varint(value.length), ...value.map(writeAny)])
  const { map } = value as AnyMap
  return Buffer.concat([
    Buffer.of(0x76),
    varint(map.length),
    ...ordered(map).flatMap(([key, item]) => [sized(Buffer.from(key)), writeAny(item)])
  ])
}

function writeNumber(value: number): Buffer {
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 31 - 1) {
    const magnitude = Math.abs(value)
    const sign = value < 0 || Object.is(value, -0) ? 64 : 0
    if (magnitude < 64) return Buffer.of(0x7d, sign + magnitude)
    return Buffer.concat([Buffer.of(0x7d, 128 + sign + (magnitude % 64)), varint(Math.floor(magnitude / 64))])
  }
  const single = Buffer.alloc(5, 0x7c)
  single.writeFloatBE(value, 1)
  if (single.readFloatBE(1) === value) return single
  const double = Buffer.alloc(9, 0x7b)
  double.writeDoubleBE(value, 1)
  return double
}

const isIndex = (key: string): boolean => /^(0|[1-9][0-9]{0,9})$/.test(key) && Number(key) <= 2 ** 32 - 2

/** Integers first, ascending; the rest as they come. */
function ordered(map: AnyMap['map']): AnyMap['map'] {
  const indexes = map.filter(([key]) => isIndex(key)).toSorted(([a], [b]) => Number(a) - Number(b))
  return [...indexes, ...map.filter(([key]) => !isIndex(key))]
}

// --- section 8: hashes ------------------------------------------------------------------------------------------------

export interface SpecTuple {
  readonly field: string
  readonly log: string
  readonly seq: number
  readonly clock: number
  readonly time: number
  readonly value: SpecValue
}

export function canonicalHash(entry: Uint8Array, tuples: readonly SpecTuple[]): string {
  const rows = tuples.map(({ field, log, seq, clock, time, value }) =>
    Buffer.concat([
      sized(Buffer.from(field)),
      Buffer.from(log, 'hex'),
      varint(seq),
      varint(clock),
      varint(time),
      sized(writeAny(sortedKeys(value)))
    ])
  )
  return hex(sha256(entry, ...rows.toSorted(Buffer.compare)))
}

function sortedKeys(value: SpecValue): SpecValue {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const { map } = value as AnyMap
  return { map: map.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sortedKeys(item)] as const) }
}

export function readVector(rows: Uint8Array): Array<{ log: string; seq: number; head: string }> {
  const input = new Input(rows)
  const vector: Array<{ log: string; seq: number; head: string }> = []
  while (!input.done) vector.push({ log: hex(input.take(16)), seq: input.unsigned(6), head: hex(input.take(8)) })
  return vector
}

export function vectorDigest(rows: Uint8Array): string {
  const each = Array.from({ length: rows.length / 30 }, (_, row) => rows.subarray(row * 30, row * 30 + 30))
  return hex(sha256(...each.toSorted((a, b) => Buffer.compare(a.subarray(0, 16), b.subarray(0, 16)))))
}

// --- section 9: bodies ------------------------------------------------------------------------------------------------

export function bodyId(body: Uint8Array): string {
  if (body.length <= 262_144) return hex(sha256(body))
  const group = (level: Uint8Array, size: number): Uint8Array[] =>
    Array.from({ length: Math.ceil(level.length / size) }, (_, at) => level.subarray(at * size, (at + 1) * size))
  let level: Uint8Array = Buffer.concat(group(body, 262_144).map((chunk) => sha256(chunk)))
  while (level.length > 8_192 * 32)
    level = Buffer.concat(group(level, 8_192 * 32).map((node) => sha256('grapevine/node/1\0', node)))
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(body.length))
  return hex(sha256('grapevine/tree/1\0', size, level))
}

// --- sections 11 and 15: frame and token ------------------------------------------------------------------------------

export function readFrame(frame: Uint8Array): { type: number; id: number; payload: Uint8Array } {
  const input = new Input(frame)
  const type = input.byte()
  const id = input.varint()
  return { type, id, payload: input.take(frame.length - 1 - varint(id).length) }
}

export function readToken(token: string): Map<string, Cbor> {
  if (!token.startsWith('gv1-') || token.length > 4_096) refuse('not a token')
  const all = Buffer.from(token.slice(4), 'base64url')
  const body = all.subarray(0, -4)
  if (!sha256(body).subarray(0, 4).equals(all.subarray(-4))) refuse('a damaged token')
  const map = readCbor(body)
  return map instanceof Map ? map : refuse('not a map')
}

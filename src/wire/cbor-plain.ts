/**
 * CBOR of what records and messages mostly hold: counts, text, bytes, lists and maps. Each function does exactly what
 * `cbor.ts` would do by the library, several times faster, or gives `OTHER` for it to do: what is rare, and all that is
 * refused, is decided there alone.
 */
import { isUtf8 } from 'node:buffer'
import { MAX_CBOR_DEPTH } from './limits.js'

export const OTHER = Symbol('what the library decides')

/** Longer bytes are given as a part of the message; shorter ones as a copy, for whoever keeps them keeps that alone. */
const MAX_COPIED_BYTES = 512
/** Room that is kept for the next value, bytes: most records fit, and a part of a file. */
const KEPT_ROOM_BYTES = 320 * 1024
/** Below this a text is encoded here, characters: a call costs more. Reading one, the same. */
const SHORT_TEXT = 64
const SHORT_READ = 12

const UINT = 0
const BYTES = 2
const TEXT = 3
const LIST = 4
const MAP = 5
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6

/** Only the encoding under way uses these; nothing else runs meanwhile. */
let room = new Uint8Array(KEPT_ROOM_BYTES)
let roomText = Buffer.from(room.buffer)
let end = 0

export function encodePlain(value: unknown): Uint8Array | typeof OTHER {
  end = 0
  const isPlain = write(value, 0)
  const encoded = isPlain ? room.slice(0, end) : OTHER
  if (room.length > KEPT_ROOM_BYTES) setRoom(new Uint8Array(KEPT_ROOM_BYTES))
  return encoded
}

function setRoom(bytes: Uint8Array<ArrayBuffer>): void {
  room = bytes
  roomText = Buffer.from(room.buffer)
}

function need(bytes: number): void {
  if (room.length - end >= bytes) return
  const larger = new Uint8Array(Math.max(room.length * 2, end + bytes))
  larger.set(room.subarray(0, end))
  setRoom(larger)
}

/** False for what is not plain; what was written so far is worth nothing then. */
function write(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return writeText(value)
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0) && head(UINT, value)
  if (typeof value === 'boolean') return simple(value ? TRUE : FALSE)
  if (value === null) return simple(NULL)
  if (typeof value !== 'object' || depth >= MAX_CBOR_DEPTH) return false
  if (Array.isArray(value)) return writeList(value, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) return writeMap(value as Readonly<Record<string, unknown>>, depth)
  return (prototype === Uint8Array.prototype || prototype === Buffer.prototype) && writeBytes(value as Uint8Array)
}

function simple(byte: number): true {
  need(1)
  room[end++] = byte
  return true
}

function head(major: number, count: number): true {
  need(9)
  const kind = major << 5
  if (count < 24) room[end++] = kind | count
  else if (count <= 0xff) {
    room[end++] = kind | 24
    room[end++] = count
  } else if (count <= 0xffff) {
    room[end++] = kind | 25
    room[end++] = count >>> 8
    room[end++] = count
  } else if (count <= 0xffffffff) {
    room[end++] = kind | 26
    writeWord(count)
  } else {
    room[end++] = kind | 27
    writeWord(Math.floor(count / 2 ** 32))
    writeWord(count % 2 ** 32)
  }
  return true
}

function writeWord(word: number): void {
  room[end++] = word >>> 24
  room[end++] = word >>> 16
  room[end++] = word >>> 8
  room[end++] = word
}

function writeBytes(bytes: Uint8Array): true {
  head(BYTES, bytes.length)
  need(bytes.length)
  room.set(bytes, end)
  end += bytes.length
  return true
}

function writeText(text: string): boolean {
  if (text.length < SHORT_TEXT && isAscii(text)) {
    head(TEXT, text.length)
    need(text.length)
    for (let at = 0; at < text.length; at++) room[end++] = text.charCodeAt(at)
    return true
  }
  if (!text.isWellFormed()) return false
  const length = Buffer.byteLength(text)
  head(TEXT, length)
  need(length)
  end += roomText.write(text, end, length)
  return true
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

function writeList(list: readonly unknown[], depth: number): boolean {
  head(LIST, list.length)
  for (const item of list) if (!write(item, depth + 1)) return false
  return true
}

/** The keys in the order of their encoding: shorter ones first, then by their bytes. */
function writeMap(map: Readonly<Record<string, unknown>>, depth: number): boolean {
  const keys = Object.keys(map)
  if (!isSorted(keys)) keys.sort(compareKeys)
  head(MAP, keys.length)
  for (const key of keys) if (!isAscii(key) || !writeText(key) || !write(map[key], depth + 1)) return false
  return true
}

function isSorted(keys: readonly string[]): boolean {
  for (let at = 1; at < keys.length; at++) if (compareKeys(keys[at - 1]!, keys[at]!) > 0) return false
  return true
}

/** For keys of ASCII alone. */
function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1)
}

export function decodePlain(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.read(0)
  return reader.isAtEnd ? value : OTHER
}

/**
 * A map whose lists may be long, read in steps: between two of them others may run. Gives what `decodePlain` would, or
 * `OTHER`.
 */
export function* decodePlainInSteps(bytes: Uint8Array, itemsAStep: number): Generator<void, unknown> {
  const reader = new Reader(bytes)
  const map = yield* reader.mapInSteps(itemsAStep)
  return reader.isAtEnd ? map : OTHER
}

class Reader {
  readonly #bytes: Uint8Array
  #buffer: Buffer | undefined
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The next value. What is not plain, or not whole, is `OTHER`, and so is all it is in. */
  read(depth: number): unknown {
    const first = this.#bytes[this.#at]
    if (first === undefined) return OTHER
    const major = first >> 5
    if (major > MAP) return this.#simple(first)
    this.#at += 1
    const count = this.#count(first & 31)
    if (count < 0) return OTHER
    if (major === UINT) return count
    if (major === BYTES) return this.#bytesOf(count)
    if (major === TEXT) return this.#text(count)
    if (depth >= MAX_CBOR_DEPTH) return OTHER
    if (major === LIST) return this.#list(count, depth)
    return major === MAP ? this.#map(count, depth) : OTHER
  }

  *mapInSteps(itemsAStep: number): Generator<void, unknown> {
    const count = this.#headOf(MAP)
    const map: Record<string, unknown> = {}
    for (let left = count ?? 0; left > 0; left--) {
      const key = this.read(1)
      if (typeof key !== 'string' || key === '__proto__' || Object.hasOwn(map, key)) return OTHER
      const items = this.#headOf(LIST)
      const item = items === undefined ? this.read(1) : yield* this.#listInSteps(items, itemsAStep)
      if (item === OTHER) return OTHER
      map[key] = item
    }
    return count === undefined ? OTHER : map
  }

  *#listInSteps(count: number, itemsAStep: number): Generator<void, unknown> {
    const list: unknown[] = []
    for (let left = count; left > 0; left--) {
      const item = this.read(2)
      if (item === OTHER) return OTHER
      list.push(item)
      if (list.length % itemsAStep === 0) yield
    }
    return list
  }

  /** The count of what comes next, when that is of this kind; otherwise nothing is read. */
  #headOf(major: number): number | undefined {
    const at = this.#at
    const first = this.#bytes[at]
    if (first === undefined || first >> 5 !== major) return undefined
    this.#at += 1
    const count = this.#count(first & 31)
    if (count >= 0) return count
    this.#at = at
    return undefined
  }

  #simple(byte: number): unknown {
    this.#at += 1
    if (byte === TRUE) return true
    if (byte === FALSE) return false
    return byte === NULL ? null : OTHER
  }

  /** The count in a head; below 0 when it is not in its shortest form, not exact, or not there. */
  #count(short: number): number {
    if (short < 24) return short
    const bytes = this.#bytes
    const at = this.#at
    if (short === 24) {
      this.#at += 1
      const count = bytes[at] ?? 0
      return count < 24 ? -1 : count
    }
    if (short === 25) {
      this.#at += 2
      if (this.#at > bytes.length) return -1
      const count = (bytes[at]! << 8) | bytes[at + 1]!
      return count <= 0xff ? -1 : count
    }
    if (short === 26) {
      this.#at += 4
      if (this.#at > bytes.length) return -1
      const count = this.#word(at)
      return count <= 0xffff ? -1 : count
    }
    this.#at += 8
    if (short !== 27 || this.#at > bytes.length) return -1
    const high = this.#word(at)
    return high === 0 || high > 0x1fffff ? -1 : high * 2 ** 32 + this.#word(at + 4)
  }

  #word(at: number): number {
    const bytes = this.#bytes
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  #take(length: number): Uint8Array | typeof OTHER {
    const at = this.#at
    if (length > this.#bytes.length - at) return OTHER
    this.#at += length
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length)
  }

  #bytesOf(length: number): Uint8Array | typeof OTHER {
    const taken = this.#take(length)
    return taken === OTHER || length > MAX_COPIED_BYTES ? taken : taken.slice()
  }

  #text(length: number): string | typeof OTHER {
    const at = this.#at
    const taken = length < SHORT_READ ? undefined : this.#take(length)
    if (taken === undefined) return this.#shortText(length)
    if (taken === OTHER || !isUtf8(taken)) return OTHER
    this.#buffer ??= Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
    return this.#buffer.toString('utf8', at, at + length)
  }

  #shortText(length: number): string | typeof OTHER {
    const end = this.#at + length
    if (end > this.#bytes.length) return OTHER
    let text = ''
    for (; this.#at < end; this.#at++) {
      const byte = this.#bytes[this.#at]!
      if (byte > 0x7f) return OTHER
      text += String.fromCharCode(byte)
    }
    return text
  }

  #list(count: number, depth: number): unknown {
    const list: unknown[] = []
    for (let left = count; left > 0; left--) {
      const item = this.read(depth + 1)
      if (item === OTHER) return OTHER
      list.push(item)
    }
    return list
  }

  #map(count: number, depth: number): unknown {
    const map: Record<string, unknown> = {}
    for (let left = count; left > 0; left--) {
      const key = this.read(depth + 1)
      if (typeof key !== 'string' || key === '__proto__' || Object.hasOwn(map, key)) return OTHER
      const item = this.read(depth + 1)
      if (item === OTHER) return OTHER
      map[key] = item
    }
    return map
  }
}

/** Ways to harm good input: bytes, text, and values with a structure. All by a seed. */
import { decodeCborRaw, encodeCbor } from '../../src/wire/index.js'
import type { SeededRandom } from '../sim/random.js'

/** Heads of CBOR, varints and lib0's values that lie about what follows do more harm than random ones. */
const HEADS = [
  0x00, 0x01, 0x7f, 0x80, 0x9b, 0xbb, 0x9f, 0xbf, 0xff, 0xfb, 0xf9, 0xc0, 0x5b, 0x7b, 0x75, 0x76, 0x77, 0x78, 0x7a, 0x1b
]
export const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.5,
  2 ** 31,
  2 ** 32,
  2 ** 48,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1e308,
  Number.NaN,
  Number.POSITIVE_INFINITY
]
export const TEXTS = [
  '',
  'a',
  'a/b',
  '..',
  '.',
  '../../etc/passwd',
  '/absolute',
  'a\\b',
  '\u0000',
  '\u001b[31m',
  'é',
  'e\u0301',
  '\ud800',
  '\u202e',
  '\u200b',
  'CON',
  'aux.xml',
  'x ',
  'x.',
  'GIT~1',
  '%2e%2e',
  '__proto__',
  'constructor',
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(600)
]
/** Around what is allowed, and rarely far beyond it: making that takes longer than refusing it. */
const DEPTHS = [15, 16, 17, 31, 32, 33]
const FAR = 0.03
const FAR_DEPTH = 12_000
const FAR_COUNT = 5_000

export function harmBytes(random: SeededRandom, good: readonly Uint8Array[]): Uint8Array {
  if (good.length === 0 || random.chance(0.03)) return random.bytes(random.below(200))
  let bytes = random.pick(good)
  for (let times = 1 + random.below(3); times > 0; times--) bytes = harmOnce(random, bytes, good)
  return bytes
}

function harmOnce(random: SeededRandom, bytes: Uint8Array, good: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1)
  const length = 1 + random.below(random.chance(0.1) ? 4_000 : 40)
  const front = bytes.subarray(0, at)
  const part = bytes.subarray(at, at + length)
  const rest = bytes.subarray(at + length)
  switch (random.below(8)) {
    case 0:
    case 1: {
      const copy = Uint8Array.from(bytes)
      if (at < copy.length) copy[at]! ^= 1 << random.below(8)
      return copy
    }
    case 2:
      return Buffer.concat([front, Buffer.alloc(part.length, random.pick(HEADS)), rest])
    case 3:
      return front
    case 4:
      return Buffer.concat([front, rest])
    case 5:
      return Buffer.concat([front, part, part, rest])
    case 6:
      return Buffer.concat([
        front,
        Buffer.alloc(length, random.chance(0.5) ? random.pick(HEADS) : random.below(256)),
        part,
        rest
      ])
    default: {
      const other = random.pick(good)
      return Buffer.concat([front, other.subarray(random.below(other.length + 1))])
    }
  }
}

export function nastyValue(random: SeededRandom, depth = 0): unknown {
  switch (random.below(depth > 4 ? 6 : 9)) {
    case 0:
      return null
    case 1:
      return random.chance(0.5)
    case 2:
      return random.pick(NUMBERS)
    case 3:
      return random.chance(FAR) ? 'x'.repeat(70_000) : random.pick(TEXTS)
    case 4:
      return random.bytes(random.pick([0, 1, 8, 15, 16, 31, 32, 33, 64]))
    case 5:
      return random.chance(0.5) ? 5n : undefined
    case 6:
      return Array.from({ length: random.below(5) }, () => nastyValue(random, depth + 1))
    case 7:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [random.pick(TEXTS.slice(0, -1)), nastyValue(random, depth + 1)])
      )
    default: {
      let value: unknown = 1
      for (let left = random.chance(FAR) ? FAR_DEPTH : random.pick(DEPTHS); left > 0; left--) value = [value]
      return value
    }
  }
}

/** The value with something in it replaced, left out, doubled or named otherwise. */
export function harmValue(random: SeededRandom, value: unknown): unknown {
  const inside = containerOf(value)
  if (inside === undefined || random.chance(0.1)) return nastyValue(random)
  const keys = Object.keys(inside)
  if (keys.length === 0) return nastyValue(random)
  const key = random.pick(keys)
  const copy: Record<string, unknown> | unknown[] = Array.isArray(inside) ? [...inside] : { ...inside }
  const at = copy as Record<string, unknown>
  const what = random.below(6)
  if (what === 0 && Array.isArray(copy)) copy.splice(Number(key), 1)
  else if (what === 0) delete at[key]
  else if (what === 1 && Array.isArray(copy))
    copy.push(...Array.from({ length: random.chance(FAR) ? FAR_COUNT : random.pick([1, 17, 40]) }, () => at[key]))
  else if (what === 1) at[random.pick(TEXTS)] = at[key]
  else if (what === 2) at[key] = nastyValue(random)
  else at[key] = harmValue(random, at[key])
  return copy
}

function containerOf(value: unknown): Record<string, unknown> | unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[]
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined
  return value as Record<string, unknown>
}

/** CBOR that is well formed, and what it says harmed; now and then its bytes. */
export function harmCbor(random: SeededRandom, good: readonly Uint8Array[]): Uint8Array {
  if (random.chance(0.4)) return harmBytes(random, good)
  const base = random.pick(good)
  try {
    return encodeCbor(harmValue(random, decodeCborRaw(base)))
  } catch {
    // what no encoder of ours writes
    return harmBytes(random, [base])
  }
}

export function harmJson(random: SeededRandom, good: readonly unknown[]): Uint8Array {
  const value = random.pick(good)
  const text = Buffer.from(jsonOf(random.chance(0.8) ? harmValue(random, value) : value))
  return random.chance(0.25) ? harmBytes(random, [text]) : text
}

export function jsonOf(value: unknown): string {
  const text = (_: string, part: unknown): unknown =>
    typeof part === 'bigint' ? String(part) : part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part
  try {
    return JSON.stringify(value, text) ?? 'null'
  } catch {
    // nested deeper than the writer goes
    return `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  }
}

export function harmText(random: SeededRandom, good: readonly string[]): Uint8Array {
  if (random.chance(0.15)) return Buffer.from(random.pick(TEXTS))
  if (random.chance(0.3)) return Buffer.from(random.pick(good) + random.pick(TEXTS))
  return harmBytes(
    random,
    good.map((text) => Buffer.from(text))
  )
}

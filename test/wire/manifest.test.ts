/** What is large is read in short steps, and means the same as when it is read at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeManifest,
  decodeMessageInSteps,
  decodeOffer,
  encodeCbor,
  encodeManifest,
  encodeOffer,
  manifestInSteps,
  MAX_AT_ONCE_BYTES,
  offerInSteps,
  type Manifest
} from '../../src/wire/index.js'

const hex = (bytes: number, of: number): string => of.toString(16).padStart(bytes * 2, '0')
const place = (of: number): { log: string; seq: number; id: string } => ({
  log: hex(16, of),
  seq: of + 1,
  id: hex(32, of)
})
const ROWS = 1_000
/** Rows of one step, each read twice: as CBOR, and as what it means. */
const A_STEP = 64

const MANIFEST: Manifest = {
  cluster: hex(16, 7),
  proposal: place(1),
  before: { proposal: place(2), manifest: { hash: hex(32, 9), size: 9 } },
  entries: 5,
  logs: Array.from({ length: ROWS }, (_, at) => ({
    ...place(at),
    depth: at + 1,
    knowledge: Buffer.alloc(22, at),
    author: Buffer.alloc(32, at),
    epoch: hex(8, at)
  })),
  border: Array.from({ length: ROWS }, (_, at) => ({
    ...place(at),
    depth: at + 1,
    knowledge: new Uint8Array(0),
    verdict: 'rightless'
  })),
  chunks: Array.from({ length: ROWS }, (_, at) => ({ first: hex(16, at), hash: hex(32, at), size: at + 1 }))
}

function drive<T>(steps: Generator<void, T>): { value: T; steps: number } {
  for (let count = 1; ; count++) {
    const { done, value } = steps.next()
    if (done === true) return { value, steps: count }
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('a manifest is read in steps of so many rows, and is the same', () => {
  const bytes = encodeManifest(MANIFEST)
  const { value, steps } = drive(manifestInSteps(bytes))
  assert.deepEqual(plain(value), plain(decodeManifest(bytes)))
  assert.deepEqual(Buffer.from(encodeManifest(value)), Buffer.from(bytes))
  assert.equal(steps, 3 * 2 * Math.floor(ROWS / A_STEP) + 1)
})

test('an offer is read in steps as well', () => {
  const refs = MANIFEST.chunks.map(({ hash, size }) => ({ hash, size }))
  const bytes = encodeOffer({ manifest: refs[0]!, packs: refs, ownPacks: refs, proofs: [Uint8Array.of(1)] })
  const { value, steps } = drive(offerInSteps(bytes))
  assert.deepEqual(plain(value), plain(decodeOffer(bytes)))
  assert.equal(steps, 2 * 2 * Math.floor(ROWS / A_STEP) + 1)
})

test('what only the library reads is left to it in a small message, and refused one byte past that', () => {
  const message = (size: number): Uint8Array => {
    const head = encodeCbor({ n: -1, pad: new Uint8Array(40_000) }).length - 40_000
    return encodeCbor({ n: -1, pad: new Uint8Array(size - head) })
  }
  const small = message(MAX_AT_ONCE_BYTES)
  assert.equal(small.length, MAX_AT_ONCE_BYTES)
  assert.equal(drive(decodeMessageInSteps(small, A_STEP)).value.n, -1)
  assert.throws(() => drive(decodeMessageInSteps(message(MAX_AT_ONCE_BYTES + 1), A_STEP)), {
    code: 'message-malformed'
  })
})

test('what is no map, not whole, or holds a key twice is refused in steps, too', () => {
  const good = encodeCbor({ a: [1, 2, 3], b: 1 })
  const twice = Buffer.from('a2616101616102', 'hex')
  const lists = encodeCbor({ a: [[-1]], b: [] })
  for (const bad of [encodeCbor([1]), good.subarray(0, -1), Buffer.concat([good, good]), twice, new Uint8Array(0)])
    assert.throws(() => drive(decodeMessageInSteps(bad, 1)), { code: 'message-malformed' })
  assert.deepEqual(drive(decodeMessageInSteps(good, 1)).value, { a: [1, 2, 3], b: 1 })
  assert.deepEqual(drive(decodeMessageInSteps(lists, 1)).value, { a: [[-1]], b: [] })
})

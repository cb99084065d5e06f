import assert from 'node:assert/strict'
import test from 'node:test'
import { inspect } from 'node:util'
import { encode } from 'cborg'
import fc from 'fast-check'
import { GrapevineError } from '../../src/errors.js'
import {
  decodeBlobAnswer,
  decodeBlobRequest,
  encodeBlobAnswer,
  encodeBlobRequest,
  headOfBytes,
  MAX_BLOB_ANSWER_BYTES,
  MAX_BLOB_REQUEST_BYTES,
  MAX_CHUNK_INDEX,
  MAX_HAVE_HASHES,
  MAX_NODE_INDEX,
  MAX_TREE_LEVEL,
  MIN_LONG_LENGTH,
  type BlobAnswer,
  type BlobRequest
} from '../../src/wire/blob-messages.js'
import { BLOB_CHUNK_BYTES, MAX_BODY_BYTES, MAX_FRAME_BYTES, MAX_PART_CHUNKS } from '../../src/wire/limits.js'

const HASH = 'ab'.repeat(32)
const RAW = Buffer.from(HASH, 'hex')

function isMalformed(error: unknown): boolean {
  return error instanceof GrapevineError && error.code === 'message-malformed'
}

function refuses(decode: (frame: Uint8Array) => unknown, message: unknown): void {
  assert.throws(() => decode(encode(message)), isMalformed, inspect(message))
}

const REQUESTS: BlobRequest[] = [
  { t: 'node', hash: HASH, size: MAX_BODY_BYTES, level: MAX_TREE_LEVEL, index: MAX_NODE_INDEX },
  { t: 'node', hash: HASH, size: 0, level: 0, index: 0 },
  { t: 'chunk', hash: HASH, size: MAX_BODY_BYTES, index: MAX_CHUNK_INDEX },
  { t: 'chunk', hash: HASH, size: 0, index: 0, count: 1 },
  { t: 'chunk', hash: HASH, size: 9, index: 2, count: MAX_PART_CHUNKS },
  { t: 'have', hashes: [HASH] },
  { t: 'have', hashes: Array.from({ length: MAX_HAVE_HASHES }, () => HASH) }
]

const ANSWERS: BlobAnswer[] = [
  { t: 'bytes', bytes: new Uint8Array(0) },
  { t: 'bytes', bytes: new Uint8Array(MAX_PART_CHUNKS * BLOB_CHUNK_BYTES).fill(7) },
  { t: 'bytes', bytes: new Uint8Array(MIN_LONG_LENGTH).fill(7) },
  { t: 'bytes', bytes: new Uint8Array(MIN_LONG_LENGTH - 1).fill(7) },
  { t: 'absent' },
  { t: 'sizes', sizes: [] },
  { t: 'sizes', sizes: [null, 0, MAX_BODY_BYTES] },
  { t: 'sizes', sizes: Array.from({ length: MAX_HAVE_HASHES }, () => MAX_BODY_BYTES) }
]

test('every request survives the way over the wire, up to its limits', () => {
  for (const request of REQUESTS) assert.deepEqual(decodeBlobRequest(encodeBlobRequest(request)), request)
})

test('every answer survives the way over the wire, up to its limits', () => {
  for (const answer of ANSWERS) assert.deepEqual(decodeBlobAnswer(encodeBlobAnswer(answer)), answer)
})

test('the bytes of a request are those of the specification', () => {
  const frame = encodeBlobRequest({ t: 'chunk', hash: HASH, size: 300_000, index: 1 })
  assert.equal(
    Buffer.from(frame).toString('hex'),
    `a46174656368756e6b64686173685820${HASH}6473697a651a000493e065696e64657801`
  )
})

test('a large answer is made of its head and its bytes, and read without a copy', () => {
  for (const length of [MIN_LONG_LENGTH, BLOB_CHUNK_BYTES, MAX_PART_CHUNKS * BLOB_CHUNK_BYTES]) {
    const bytes = new Uint8Array(length).fill(7)
    const frame = Buffer.concat([headOfBytes(length), bytes])
    assert.ok(frame.equals(encodeBlobAnswer({ t: 'bytes', bytes })), `${length}`)
    const read = decodeBlobAnswer(frame)
    assert.ok(read.t === 'bytes' && read.bytes.buffer === frame.buffer && read.bytes.length === length)
  }
})

test('an answer whose head is nearly that of bytes is refused', () => {
  const frame = Buffer.concat([headOfBytes(MIN_LONG_LENGTH), new Uint8Array(MIN_LONG_LENGTH)])
  for (let at = 0; at < frame.length - MIN_LONG_LENGTH; at++) {
    const damaged = Buffer.from(frame)
    damaged[at]! ^= 1
    assert.throws(() => decodeBlobAnswer(damaged), isMalformed, `byte ${at}`)
  }
  assert.throws(() => decodeBlobAnswer(frame.subarray(0, -1)), isMalformed)
  assert.throws(() => decodeBlobAnswer(Buffer.concat([frame, new Uint8Array(1)])), isMalformed)
})

test('the largest messages fit into their limits and into a frame', () => {
  assert.ok(encodeBlobRequest(REQUESTS.at(-1)!).length <= MAX_BLOB_REQUEST_BYTES)
  assert.ok(encodeBlobAnswer(ANSWERS[1]!).length <= MAX_BLOB_ANSWER_BYTES)
  assert.ok(MAX_BLOB_ANSWER_BYTES <= MAX_FRAME_BYTES)
})

test('requests one past a limit or of another shape are refused', () => {
  const node = { t: 'node', hash: RAW, size: 1, level: 0, index: 0 }
  const chunk = { t: 'chunk', hash: RAW, size: 1, index: 0 }
  const wrong: unknown[] = [
    { ...node, level: MAX_TREE_LEVEL + 1 },
    { ...node, index: MAX_NODE_INDEX + 1 },
    { ...node, index: -1 },
    { ...node, size: MAX_BODY_BYTES + 1 },
    { ...node, size: -1 },
    { ...node, size: 1.5 },
    { ...node, hash: RAW.subarray(1) },
    { ...node, hash: HASH },
    { ...chunk, index: MAX_CHUNK_INDEX + 1 },
    { ...chunk, count: 0 },
    { ...chunk, count: MAX_PART_CHUNKS + 1 },
    { ...chunk, count: null },
    { ...chunk, size: '1' },
    { ...chunk, size: 2n ** 60n },
    { t: 'chunk', hash: RAW, size: 1 },
    { t: 'have', hashes: [] },
    { t: 'have', hashes: Array.from({ length: MAX_HAVE_HASHES + 1 }, () => RAW) },
    { t: 'have', hashes: [Buffer.concat([RAW, RAW])] },
    { t: 'have', hashes: [HASH] },
    { t: 'have', hashes: RAW },
    ['chunk'],
    'chunk',
    null
  ]
  for (const message of wrong) refuses(decodeBlobRequest, message)
})

test('answers one past a limit or of another shape are refused', () => {
  const wrong: unknown[] = [
    { t: 'bytes', bytes: new Uint8Array(MAX_PART_CHUNKS * BLOB_CHUNK_BYTES + 1) },
    { t: 'bytes', bytes: 'text' },
    { t: 'bytes' },
    { t: 'sizes', sizes: [MAX_BODY_BYTES + 1] },
    { t: 'sizes', sizes: [-1] },
    { t: 'sizes', sizes: ['1'] },
    { t: 'sizes', sizes: Array.from({ length: MAX_HAVE_HASHES + 1 }, () => null) }
  ]
  for (const message of wrong) refuses(decodeBlobAnswer, message)
})

test('kinds that are not known are refused, a request where an answer is due as well', () => {
  for (const message of [{ t: 'want' }, { t: 7 }, {}, { t: 'constructor' }]) {
    refuses(decodeBlobRequest, message)
    refuses(decodeBlobAnswer, message)
  }
  assert.throws(() => decodeBlobAnswer(encodeBlobRequest(REQUESTS[0]!)), isMalformed)
  assert.throws(() => decodeBlobRequest(encodeBlobAnswer({ t: 'absent' })), isMalformed)
})

test('fields of later versions are ignored', () => {
  const frame = encode({ t: 'chunk', hash: RAW, size: 1, index: 0, zz: [1, { a: 2 }] })
  assert.deepEqual(decodeBlobRequest(frame), { t: 'chunk', hash: HASH, size: 1, index: 0 })
})

test('an encoding that is not the deterministic one is refused', () => {
  const frame = Buffer.from(encodeBlobAnswer({ t: 'absent' }))
  assert.equal(frame.toString('hex'), 'a1617466616273656e74')
  const others = {
    'indefinite map': 'bf617466616273656e74ff',
    'indefinite text': 'a161747f66616273656e74ff',
    'long length': 'a161747806616273656e74',
    tag: 'd9d9f7a1617466616273656e74',
    'twice the same key': 'a2617466616273656e74617466616273656e74',
    'bytes after the end': 'a1617466616273656e7400',
    'cut short': 'a1617466616273656e'
  }
  for (const [what, hex] of Object.entries(others)) {
    assert.throws(() => decodeBlobAnswer(Buffer.from(hex, 'hex')), isMalformed, what)
  }
  const keysOutOfOrder = Buffer.from(`a464686173685820${HASH}6174656368756e6b6473697a650165696e64657800`, 'hex')
  assert.throws(() => decodeBlobRequest(keysOutOfOrder), isMalformed)
  const sizeAsFloat = Buffer.from(
    `a46174656368756e6b64686173685820${HASH}6473697a65fb3ff000000000000065696e64657800`,
    'hex'
  )
  assert.throws(() => decodeBlobRequest(sizeAsFloat), isMalformed)
})

test('frames that are too long or nested too deep are refused without harm', () => {
  const sized = (message: object, length: number): Uint8Array => {
    const overhead = encode({ ...message, zz: new Uint8Array(70_000) }).length - 70_000
    const padded = encode({ ...message, zz: new Uint8Array(length - overhead) })
    return padded.length === length ? padded : encode({ ...message, zz: new Uint8Array(length - overhead + 2) })
  }
  const have = { t: 'have', hashes: [RAW] }
  assert.equal(decodeBlobRequest(sized(have, MAX_BLOB_REQUEST_BYTES)).t, 'have')
  assert.throws(() => decodeBlobRequest(sized(have, MAX_BLOB_REQUEST_BYTES + 1)), isMalformed)
  assert.equal(decodeBlobAnswer(sized({ t: 'absent' }, MAX_BLOB_ANSWER_BYTES)).t, 'absent')
  assert.throws(() => decodeBlobAnswer(sized({ t: 'absent' }, MAX_BLOB_ANSWER_BYTES + 1)), isMalformed)
  assert.throws(() => decodeBlobRequest(new Uint8Array(MAX_BLOB_REQUEST_BYTES).fill(0x81)), isMalformed)
})

test('any damaged message decodes to something well formed or is refused with its typed error', () => {
  const frames = [...REQUESTS.slice(0, 4).map(encodeBlobRequest), ...[ANSWERS[4]!, ANSWERS[6]!].map(encodeBlobAnswer)]
  fc.assert(
    fc.property(
      fc.constantFrom(...frames),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.boolean(),
      (frame, at, byte, cut) => {
        const damaged = Buffer.from(frame)
        damaged[at % damaged.length] = byte
        for (const decode of [decodeBlobRequest, decodeBlobAnswer]) {
          try {
            decode(cut ? damaged.subarray(0, at % damaged.length) : damaged)
          } catch (error) {
            assert.ok(isMalformed(error), String(error))
          }
        }
      }
    ),
    { numRuns: 2_000 }
  )
})

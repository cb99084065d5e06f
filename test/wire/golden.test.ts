import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { decodeEntry, encodeEntry, entryHash } from '../../src/catalog/entry.js'
import { decodeUpdate, encodeUpdate } from '../../src/catalog/update.js'
import { verify } from '../../src/identity/index.js'
import { FRAME_HEAD_BYTES, payloadIntact, readHead, readSegmentHeader, SEGMENT_VERSION } from '../../src/log/frame.js'
import {
  decodeKnowledge,
  decodeLogRow,
  decodeRecordRow,
  encodeKnowledge,
  encodeLogRow,
  encodeRecordRow
} from '../../src/log/rows.js'
import { decodeFrame, encodeFrame } from '../../src/net/frames.js'
import { decodeAddresses, decodeHello, encodeAddresses, encodeHello } from '../../src/net/hello.js'
import {
  decodeBlobAnswer,
  decodeBlobRequest,
  encodeBlobAnswer,
  encodeBlobRequest
} from '../../src/wire/blob-messages.js'
import {
  bodyOf,
  decodeAnswer,
  decodeGossip,
  decodeJoinAnswer,
  decodeJoinRequest,
  decodeNotice,
  decodeRecord,
  decodeRequest,
  decodeToken,
  encodeAnswer,
  encodeBody,
  encodeGossip,
  encodeJoinAnswer,
  encodeJoinRequest,
  encodeNotice,
  encodeRequest,
  encodeToken,
  hexOf,
  SIGNATURE_BYTES,
  signedBytes
} from '../../src/wire/index.js'
import { goldenBytes, goldenPath, readGolden } from '../golden/files.js'
import { blobMessages, ENTRY, indexRows, messages, names, RECORDS, segments, UPDATES } from '../golden/fixtures.js'
import * as spec from './spec-reader.js'

const hexes = (table: Record<string, Uint8Array>): Record<string, string> =>
  Object.fromEntries(Object.entries(table).map(([name, bytes]) => [name, hexOf(bytes)]))

/** Decodes a message of this kind and encodes it again. */
const ROUND_TRIPS: ReadonlyArray<[prefix: string, again: (bytes: Uint8Array) => Uint8Array]> = [
  ['notice: ', (bytes) => encodeNotice(decodeNotice(bytes))],
  ['request: ', (bytes) => encodeRequest(decodeRequest(bytes))],
  ['answer: records', (bytes) => encodeAnswer(decodeAnswer(bytes, 'records'))],
  ['answer: root-is', (bytes) => encodeAnswer(decodeAnswer(bytes, 'root-is'))],
  ['answer: bucket-is', (bytes) => encodeAnswer(decodeAnswer(bytes, 'bucket-is'))],
  ['gossip', (bytes) => encodeGossip(decodeGossip(bytes))],
  ['join request', (bytes) => encodeJoinRequest(decodeJoinRequest(bytes))],
  ['join answer', (bytes) => encodeJoinAnswer(decodeJoinAnswer(bytes))],
  ['hello', (bytes) => encodeHello(decodeHello(bytes))],
  ['addresses', (bytes) => encodeAddresses(decodeAddresses(bytes))],
  ['frame: ', (bytes) => ((frame) => encodeFrame(frame.type, frame.id, frame.payload))(decodeFrame(bytes))],
  ['token', (bytes) => Buffer.from(encodeToken(decodeToken(Buffer.from(bytes).toString())))]
]

describe('golden bytes of version 1', () => {
  it('are all there', () => {
    for (const file of ['updates', 'records', 'messages', 'blobs', 'segments', 'index', 'names'])
      assert.ok(existsSync(goldenPath(`${file}.json`)), file)
  })

  it('are what this version writes for the same meaning', () => {
    assert.deepEqual(hexes(messages()), readGolden('messages.json'))
    assert.deepEqual(hexes(blobMessages()), readGolden('blobs.json'))
    assert.deepEqual(hexes(segments()), readGolden('segments.json'))
    assert.deepEqual(hexes(indexRows()), readGolden('index.json'))
    assert.deepEqual(names(), readGolden('names.json'))
    for (const { name, update } of UPDATES)
      assert.equal(hexOf(encodeUpdate(update)), readGolden('updates.json')[name], name)
    for (const { name, record } of RECORDS) assert.equal(hexOf(record.bytes), readGolden('records.json')[name], name)
  })

  it('of updates are read with the meaning they were written with, and encoded again the same', () => {
    const golden = goldenBytes('updates.json')
    assert.equal(golden.size, UPDATES.length)
    for (const { name, update } of UPDATES) {
      const back = decodeUpdate(golden.get(name)!)
      assert.deepEqual(plain(back), plain(update), name)
      assert.deepEqual(Buffer.from(encodeUpdate(back)), golden.get(name), name)
    }
  })

  it('of records are read with the meaning they were written with, and encoded again the same', () => {
    const golden = goldenBytes('records.json')
    for (const { name, record } of RECORDS) {
      const back = decodeRecord(golden.get(name)!)
      assert.deepEqual(plain(back.body), plain(record.body), name)
      assert.deepEqual([back.id, back.log], [record.id, record.log], name)
      assert.deepEqual(Buffer.from(encodeBody(back.body)), Buffer.from(bodyOf(golden.get(name)!)), name)
      assert.ok(
        verify(back.body.author, signedBytes(bodyOf(back.bytes)), back.bytes.subarray(0, SIGNATURE_BYTES)),
        name
      )
    }
  })

  it('of messages are encoded again the same', () => {
    for (const [name, bytes] of goldenBytes('messages.json')) {
      if (name === 'join refusal') continue
      const [, again] = ROUND_TRIPS.find(([prefix]) => name.startsWith(prefix))!
      assert.equal(hexOf(again(bytes)), hexOf(bytes), name)
    }
  })

  it('of the blob lane are encoded again the same', () => {
    for (const [name, bytes] of goldenBytes('blobs.json')) {
      const again = name.startsWith('request')
        ? encodeBlobRequest(decodeBlobRequest(bytes))
        : encodeBlobAnswer(decodeBlobAnswer(bytes))
      assert.equal(hexOf(again), hexOf(bytes), name)
    }
  })

  it('of a refusal to join name the error', () => {
    assert.throws(() => decodeJoinAnswer(goldenBytes('messages.json').get('join refusal')!), { code: 'token-used' })
  })

  it('of rows are encoded again the same', () => {
    const golden = goldenBytes('index.json')
    const again: Record<string, (bytes: Uint8Array) => Uint8Array> = {
      'record row': (bytes) => encodeRecordRow(decodeRecordRow(bytes)),
      'log row': (bytes) => encodeLogRow(decodeLogRow(bytes)),
      'knowledge row': (bytes) => encodeKnowledge(decodeKnowledge(bytes)),
      'entry row': (bytes) => encodeEntry(decodeEntry(bytes))
    }
    for (const [name, repeat] of Object.entries(again))
      assert.equal(hexOf(repeat(golden.get(name)!)), hexOf(golden.get(name)!), name)
    assert.deepEqual(plain(decodeEntry(golden.get('entry row')!)), plain(ENTRY))
  })

  it('of a segment are recognised, at their own place only', () => {
    const golden = goldenBytes('segments.json')
    assert.equal(readSegmentHeader(Buffer.from(golden.get('segment header')!)), SEGMENT_VERSION)
    const frame = Buffer.from(golden.get('segment frame at offset 12 of segment 1')!)
    assert.equal(readHead(frame, 0, { segment: 1, offset: 12 }), frame.length - FRAME_HEAD_BYTES)
    assert.equal(readHead(frame, 0, { segment: 2, offset: 12 }), undefined)
    assert.equal(readHead(frame, 0, { segment: 1, offset: 13 }), undefined)
    assert.ok(payloadIntact(frame))
    assert.equal(
      decodeRecord(frame.subarray(FRAME_HEAD_BYTES)).id,
      RECORDS.find(({ name }) => name === 'edit that moves')!.record.id
    )
  })

  it('of a later version keep what this version does not know', () => {
    const record = decodeRecord(goldenBytes('records.json').get('a field of a later version')!)
    assert.equal(record.body.seq, 1)
    assert.ok(Buffer.from(record.bytes).includes('later'))
    const [op] = decodeRecord(goldenBytes('records.json').get('an op of a later version')!).body.ops
    assert.equal(op?.k, 'unknown')
  })
})

describe('a reader written from the specification alone', () => {
  const golden = readGolden('names.json')
  const fromHex = (text: string): Buffer => Buffer.from(text, 'hex')
  const founder = fromHex(golden['founder public key']!)
  const epoch = fromHex('0102030405060708')

  it('computes the same names', () => {
    const styles = fromHex(golden['entry id of /styles']!)
    const point = fromHex(golden['entry id of /styles/point.sld']!)
    assert.equal(spec.clusterId(fromHex(golden['root public key']!)), golden['cluster id'])
    assert.equal(spec.nodeId(founder), golden['node id of the founder'])
    assert.equal(spec.logId('members', founder, epoch), golden['members log'])
    assert.equal(spec.logId('catalog', founder, epoch), golden['catalog log'])
    assert.equal(spec.entryId(Buffer.alloc(16), 'styles', 1, 0), golden['entry id of /styles'])
    assert.equal(spec.entryId(styles, 'point.sld', 0, 0), golden['entry id of /styles/point.sld'])
    assert.equal(spec.entryId(styles, 'point.sld', 0, 1), golden['entry id of /styles/point.sld, second turn'])
    assert.equal(String(spec.clientId(founder, epoch, point)), golden['client id of the founder in /styles/point.sld'])
    assert.equal(spec.bodyId(Buffer.alloc(0)), golden['body id of the empty body'])
    assert.equal(spec.bodyId(Buffer.from('<sld/>\n')), golden['body id of /styles/point.sld'])
    assert.equal(spec.bodyId(Buffer.alloc(256 * 1024 + 1, 7)), golden['body id of 262,145 times the byte 7'])
  })

  it('reads records with the same meaning, signature and id', () => {
    for (const [name, bytes] of goldenBytes('records.json')) {
      const { body, id, log } = decodeRecord(bytes)
      const read = spec.readRecord(bytes)
      assert.deepEqual([read.id, read.log], [id, log], name)
      const { ops, author, epoch: at, ...rest } = read
      assert.deepEqual(
        { ...rest, author: hexOf(author), epoch: hexOf(at) },
        { id, log, ...withoutOps(body), author: hexOf(body.author) },
        name
      )
      assert.deepEqual(
        ops.map((op) => op.get('k')),
        body.ops.map((op) => (op.k === 'unknown' ? op.raw['k'] : op.k)),
        name
      )
    }
  })

  it('refuses a record with one byte changed', () => {
    const bytes = Buffer.from(goldenBytes('records.json').get('edit that moves')!)
    for (let at = 0; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1
      assert.throws(() => spec.readRecord(damaged), `byte ${at}`)
    }
  })

  it('reads updates with the same meaning', () => {
    for (const [name, bytes] of goldenBytes('updates.json')) {
      const update = decodeUpdate(bytes)
      const read = spec.readUpdate(bytes)
      assert.deepEqual([read.client, read.clock, read.deletes], [update.client, update.clock, update.deletes], name)
      assert.deepEqual(
        read.tuples.map(({ field, value, time, seq }) => [field, flat(value), time, seq]),
        plain(update.tuples),
        name
      )
    }
  })

  it('computes the same canonical hash', () => {
    const log = golden['catalog log']!
    const written = new Map<number, spec.SpecTuple>()
    for (const name of ['a file is created', 'it moves and becomes executable']) {
      const update = spec.readUpdate(goldenBytes('updates.json').get(name)!)
      for (const { clock, length } of update.deletes) for (let at = clock; at < clock + length; at++) written.delete(at)
      update.tuples.forEach((tuple, index) =>
        written.set(update.clock + index, { ...tuple, log, clock: update.clock + index })
      )
    }
    const id = fromHex(golden['entry id of /styles/point.sld']!)
    assert.equal(spec.canonicalHash(id, [...written.values()]), golden['canonical hash of the entry'])
    assert.equal(hexOf(entryHash(hexOf(id), ENTRY)), golden['canonical hash of the entry'])
  })

  it('sorts the keys of maps in the canonical hash as the real one does', () => {
    const value = { b: 1, '10': 2, a: 3, '9': 4, '01': 5, é: 6, '4294967295': 7, '4294967294': 8 }
    const tuple = { field: 'x', log: '11'.repeat(16), seq: 1, clock: 0, time: 5, client: 1 }
    const map = { map: Object.entries(value).toReversed() }
    const ours = entryHash('22'.repeat(16), { ...ENTRY, tuples: [{ ...tuple, value }] })
    assert.equal(spec.canonicalHash(fromHex('22'.repeat(16)), [{ ...tuple, value: map }]), hexOf(ours))
  })

  it('reads vectors, frames and tokens with the same meaning', () => {
    const bytes = goldenBytes('messages.json')
    const notice = spec.readCbor(bytes.get('notice: vector, full, with root')!) as Map<string, spec.Cbor>
    const rows = notice.get('vector') as Uint8Array
    const real = decodeNotice(bytes.get('notice: vector, full, with root')!)
    assert.deepEqual(spec.readVector(rows), real.t === 'vector' ? real.vector : [])
    assert.equal(spec.vectorDigest(rows), golden['digest of the vector'])
    const frame = bytes.get('frame: request 300')!
    assert.deepEqual(plain(spec.readFrame(frame)), plain(decodeFrame(frame)))
    const text = Buffer.from(bytes.get('token')!).toString()
    const token = spec.readToken(text)
    const { cluster, issuer, addresses } = decodeToken(text)
    assert.deepEqual(
      [hexOf(token.get('c') as Uint8Array), hexOf(token.get('i') as Uint8Array), token.get('a')],
      [cluster, hexOf(issuer), addresses]
    )
  })
})

function withoutOps(body: ReturnType<typeof decodeRecord>['body']): object {
  return Object.fromEntries(Object.entries(body).filter(([key]) => key !== 'ops'))
}

/** Bytes as hex, so that buffers and arrays compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${hexOf(value)}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

/** What the specification's reader read, in the shape of the real one. */
function flat(value: spec.SpecValue): unknown {
  if (value instanceof Uint8Array) return `bytes ${hexOf(value)}`
  if (Array.isArray(value)) return value.map(flat)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries((value as spec.AnyMap).map.map(([key, item]) => [key, flat(item)]))
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { keyPairOf } from '../../src/identity/index.js'
import { RecordLog, SegmentLog } from '../../src/log/index.js'
import { answerRequest, type AnswerDeps } from '../../src/replica/answers.js'
import { silentLogger } from '../../src/runtime.js'
import { MemoryStore, Overlay } from '../../src/store/index.js'
import {
  decodeAnswer,
  decodeCborRaw,
  decodeRecord,
  encodeAnswer,
  encodeCbor,
  encodePacked,
  encodeRequest,
  sealRecord,
  type Op,
  type SignedRecord
} from '../../src/wire/index.js'
import { MAX_PACKED_BYTES } from '../../src/wire/limits.js'
import { counted } from '../golden/fixtures.js'
import { SimDisk } from '../sim/disk.js'

const refused = { code: 'message-malformed' }

const fieldsOf = (bytes: Uint8Array): Record<string, unknown> => decodeCborRaw(bytes) as Record<string, unknown>

const answerOf = (records: readonly Uint8Array[]): Parameters<typeof encodePacked>[0] => ({
  t: 'records',
  records,
  head: records.length
})

const text = (length: number): Uint8Array => Buffer.alloc(length, '<layer>contours</layer>')

/** Bytes no compression helps with, the same in every run. */
function noise(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24)
}

/** A record that says so much text. */
function recordOf(seq: number, prev: string | null, length: number): SignedRecord {
  const keys = keyPairOf(counted(32, 0))
  const op: Op = { k: 'body', bytes: text(length) }
  const base = { cluster: '00'.repeat(16), space: 'catalog', author: keys.publicKey, epoch: '00'.repeat(8) }
  return sealRecord({ ...base, seq, prev, deps: [], depth: seq, time: 0, ops: [op] }, keys.sign)
}

describe('packed records', () => {
  it('are those that were packed, in fewer bytes', () => {
    const records = [text(3_000), text(500), noise(100)]
    const packed = encodePacked(answerOf(records))
    assert.ok(packed.length < 700, `${packed.length} bytes`)
    assert.deepEqual(
      decodeAnswer(packed, 'records').records.map((record) => Buffer.from(record)),
      records.map((record) => Buffer.from(record))
    )
  })

  it('are not made of few bytes, of more than may be unpacked, and of what does not get shorter', () => {
    for (const records of [[], [text(500)], Array.from({ length: 5 }, () => text(60_000)), [noise(4_000)]]) {
      const answer = answerOf(records)
      assert.deepEqual(encodePacked(answer), encodeAnswer(answer))
    }
  })

  it('are refused when they are cut, are none, or stand beside others', () => {
    const good = fieldsOf(encodePacked(answerOf([text(3_000)])))
    const packed = good['packed'] as Uint8Array
    const harmed: ReadonlyArray<Record<string, unknown>> = [
      { ...good, packed: packed.subarray(0, -2) },
      { ...good, packed: noise(200) },
      { ...good, packed: 7 },
      { ...good, packed: deflateRawSync(encodeCbor({ records: 'many' })) },
      { ...good, packed: deflateRawSync(encodeCbor([])) },
      { ...good, records: [text(10)] }
    ]
    for (const fields of harmed) assert.throws(() => decodeAnswer(encodeCbor(fields), 'records'), refused)
  })

  it('are refused before they are whole when they would unpack to far more than is ever packed', () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * MAX_PACKED_BYTES))
    assert.ok(bomb.length < MAX_PACKED_BYTES)
    const before = process.memoryUsage().arrayBuffers
    const fields = { t: 'records', records: [], head: 1, packed: bomb }
    assert.throws(() => decodeAnswer(encodeCbor(fields), 'records'), refused)
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * MAX_PACKED_BYTES)
  })

  it('are sent to those alone who say that they understand them', async () => {
    const first = recordOf(1, null, 4_000)
    const second = recordOf(2, first.id, 4_000)
    const store = new MemoryStore()
    const segments = await SegmentLog.open(new SimDisk(), { logger: silentLogger })
    const log = new RecordLog({ segments, rows: new Overlay({ store }), store, logger: silentLogger })
    await log.append([first, second])
    const ask = async (packed: { packed?: true }): Promise<Record<string, unknown>> => {
      const request = encodeRequest({ t: 'pull', log: first.log, from: 1, count: 10, ...packed })
      const bytes = await answerRequest(request, { log } as unknown as AnswerDeps)
      assert.deepEqual(
        decodeAnswer(bytes, 'records').records.map((record) => decodeRecord(record).id),
        [first.id, second.id]
      )
      return fieldsOf(bytes)
    }
    assert.equal((await ask({}))['packed'], undefined)
    assert.ok((await ask({ packed: true }))['packed'] instanceof Uint8Array)
    await segments.close()
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { decodeUpdate, encodeUpdate, type EditUpdate, type Value } from '../../src/catalog/update.js'
import { checkField } from '../../src/catalog/view.js'
import { inviteBody } from '../../src/control/requests.js'
import { keyPairOf } from '../../src/identity/index.js'
import { RecordLog, SegmentLog } from '../../src/log/index.js'
import { answerRequest, type AnswerDeps } from '../../src/replica/answers.js'
import { silentLogger } from '../../src/runtime.js'
import { MemoryStore, Overlay } from '../../src/store/index.js'
import {
  decodeBlobAnswer,
  decodeBlobRequest,
  encodeBlobAnswer,
  encodeBlobRequest
} from '../../src/wire/blob-messages.js'
import {
  bodyRefOf,
  decodeAnswer,
  decodeCborRaw,
  decodeGossip,
  decodeJoinAnswer,
  decodeJoinRequest,
  hadIn,
  decodeNotice,
  decodeOffer,
  decodeOp,
  decodeRecord,
  decodeRequest,
  decodeToken,
  encodeCbor,
  encodeOffer,
  encodeRequest,
  encodeToken,
  MAX_JOIN_RECORDS,
  MAX_PULL_RECORDS,
  MAX_TOKEN_LENGTH,
  MAX_VECTOR_LOGS,
  nameProblem,
  pathProblem,
  sealRecord,
  sha256,
  treeLevels,
  type Op,
  type RecordBody
} from '../../src/wire/index.js'
import * as limits from '../../src/wire/limits.js'
import { counted, TOKEN } from '../golden/fixtures.js'
import { SimDisk } from '../sim/disk.js'

const keys = keyPairOf(counted(32, 0))
const malformed = { code: 'record-malformed' }
const badMessage = { code: 'message-malformed' }

/** What is taken at the limit, and refused one past it with this error. */
interface Case {
  take(amount: number): unknown
  readonly refused: { code: string } | RegExp
}

function body(fields: Partial<RecordBody> = {}): RecordBody {
  const base = {
    cluster: '00'.repeat(16),
    space: 'catalog',
    author: keys.publicKey,
    epoch: '00'.repeat(8),
    seq: 1,
    prev: null,
    deps: [],
    depth: 1,
    time: 0,
    ops: []
  }
  return { ...base, ...fields }
}

const seal = (fields: Partial<RecordBody>): Uint8Array => sealRecord(body(fields), keys.sign).bytes
const unknownOp = (padding: number): Op => ({ k: 'unknown', raw: { k: 'pad', p: new Uint8Array(padding) } })

/** A record of exactly this many bytes. */
function recordOf(bytes: number, fields: Partial<RecordBody> = {}): Uint8Array {
  const overhead = seal({ ...fields, ops: [unknownOp(100_000)] }).length - 100_000
  const record = seal({ ...fields, ops: [unknownOp(bytes - overhead)] })
  assert.equal(record.length, bytes)
  return record
}

const updateOf = (tuples: EditUpdate['tuples']): Uint8Array =>
  encodeUpdate({ client: 5, clock: 0, tuples, deletes: [] })
const nestedLists = (depth: number): Value => (depth === 0 ? [] : [nestedLists(depth - 1)])

/** `depth` arrays in one another, as bytes: the encoder would need the stack for it. */
const nestedCbor = (depth: number): Uint8Array => Buffer.concat([Buffer.alloc(depth - 1, 0x81), Buffer.of(0x80)])

function gossipOf(bytes: number): Uint8Array {
  const overhead = encodeCbor({ r: [new Uint8Array(30_000)], h: new Uint8Array() }).length - 30_000
  return encodeCbor({ r: [new Uint8Array(bytes - overhead)], h: new Uint8Array() })
}

const ref = { hash: '11'.repeat(32), size: 1 }
const offerOf = (packs: number, proofs: number): Uint8Array =>
  encodeOffer({
    manifest: ref,
    packs: Array.from({ length: packs }, () => ref),
    ownPacks: [],
    proofs: Array.from({ length: proofs }, () => new Uint8Array(1))
  })

const LIMITS: Record<keyof typeof limits, Case> = {
  MAX_RECORD_BYTES: { take: (bytes) => decodeRecord(recordOf(bytes)), refused: malformed },
  MAX_RECORD_OPS: {
    take: (ops) => decodeRecord(seal({ ops: Array.from({ length: ops }, () => unknownOp(0)) })),
    refused: malformed
  },
  MAX_RECORD_DEPS: {
    take: (deps) =>
      decodeRecord(
        seal({ deps: Array.from({ length: deps }, () => ({ log: '11'.repeat(16), seq: 1, id: '22'.repeat(32) })) })
      ),
    refused: malformed
  },
  MAX_UPDATE_BYTES: {
    take: (bytes) => decodeOp({ k: 'edit', e: new Uint8Array(16), u: new Uint8Array(bytes) }),
    refused: malformed
  },
  MAX_UPDATE_TUPLES: {
    take: (count) =>
      decodeUpdate(updateOf(Array.from({ length: count }, (_, index) => [`x${index}`, null, 0, 1] as const))),
    refused: malformed
  },
  MAX_FIELD_NAME_BYTES: {
    take: (bytes) => decodeUpdate(updateOf([[`é${'x'.repeat(bytes - 2)}`, null, 0, 1]])),
    refused: malformed
  },
  MAX_VALUE_DEPTH: { take: (depth) => decodeUpdate(updateOf([['x', nestedLists(depth), 0, 1]])), refused: malformed },
  MAX_NAME_BYTES: {
    take: (bytes) => throwProblem(nameProblem('é'.padEnd(bytes - 1, 'x'))),
    refused: /has more than 255 bytes/
  },
  MAX_PATH_BYTES: {
    take: (bytes) => throwProblem(pathProblem('é/'.padEnd(bytes - 1, 'x/').replace(/\/$/, 'x'))),
    refused: /has more than 4096 bytes/
  },
  MAX_CBOR_DEPTH: { take: (depth) => decodeCborRaw(nestedCbor(depth)), refused: /nested deeper than 32/ },
  MAX_INLINE_BODY_BYTES: { take: (bytes) => decodeOp({ k: 'body', b: new Uint8Array(bytes) }), refused: malformed },
  MAX_MANIFEST_BYTES: {
    take: (bytes) => decodeOp({ k: 'attest', p: new Uint8Array(32), h: new Uint8Array(32), z: bytes }),
    refused: malformed
  },
  MAX_CHECKPOINT_PROOFS: { take: (count) => decodeOffer(offerOf(0, count)), refused: badMessage },
  MAX_CHECKPOINT_PACKS: { take: (count) => decodeOffer(offerOf(count, 0)), refused: badMessage },
  MAX_GOSSIP_BYTES: { take: (bytes) => decodeGossip(gossipOf(bytes)), refused: badMessage },
  MAX_FRAME_BYTES: {
    // rows of a bucket are 48 bytes each: the last that fits, and one more
    take: (bytes) =>
      decodeAnswer(
        encodeCbor({ t: 'bucket-is', rows: new Uint8Array(Math.ceil((bytes - 32) / 48) * 48) }),
        'bucket-is'
      ),
    refused: badMessage
  },
  MAX_PACKED_BYTES: { take: (bytes) => decodeAnswer(packedAnswer(bytes), 'records'), refused: badMessage },
  MAX_PULL_BYTES: { take: (bytes) => pullAll(bytes), refused: /the last one fits no more/ },
  BLOB_CHUNK_BYTES: {
    take: (bytes) =>
      decodeBlobAnswer(encodeBlobAnswer({ t: 'bytes', bytes: new Uint8Array(bytes * limits.MAX_PART_CHUNKS) })),
    refused: badMessage
  },
  MAX_PART_CHUNKS: {
    take: (count) =>
      decodeBlobRequest(encodeBlobRequest({ t: 'chunk', hash: '00'.repeat(32), size: 1, index: 0, count })),
    refused: badMessage
  },
  BLOB_TREE_FANOUT: {
    take: (hashes) => assert.equal(treeLevels(new Uint8Array(hashes * 32)).length, 1, 'needs a second level'),
    refused: /needs a second level/
  },
  MAX_BODY_BYTES: { take: (size) => checkField('body', [new Uint8Array(32), size]), refused: malformed },
  MAX_INVITE_USES: {
    take: (uses) => decodeOp({ k: 'invite', i: new Uint8Array(16), h: new Uint8Array(32), r: 'admin', x: 0, n: uses }),
    refused: malformed
  },
  MAX_ROUND: { take: (round) => decodeOp({ k: 'renew', n: round, l: [] }), refused: malformed },
  MAX_RENEWED_KEYS: {
    take: (count) => decodeOp({ k: 'renew', n: 1, l: Array.from({ length: count }, () => new Uint8Array(32)) }),
    refused: malformed
  },
  MAX_SECRET_BOXES: {
    take: (count) => decodeOp(secretOp(1, count)),
    refused: malformed
  },
  MAX_SERIAL: { take: (generation) => decodeOp(secretOp(generation, 1)), refused: malformed },
  MAX_SCOPES: {
    take: (count) => decodeOp(admitOp(Array.from({ length: count }, (_, index) => `p${index}`))),
    refused: malformed
  },
  MAX_SCOPE_BYTES: { take: (bytes) => decodeOp(admitOp(['é/'.padEnd(bytes - 1, 'x')])), refused: malformed },
  MAX_REVOCATION_CUTS: {
    take: (cuts) => decodeOp(revokeOp(Array.from({ length: cuts }, () => 1))),
    refused: malformed
  },
  MAX_SEQ: { take: (seq) => decodeOp(revokeOp([seq])), refused: malformed },
  MAX_INVITE_MS: { take: (expiresMs) => inviteBody.parse({ role: 'author', expiresMs, uses: 1 }), refused: /Too big/ },
  MAX_TIME: { take: (time) => decodeRecord(withTime(BigInt(time))), refused: malformed },
  MAX_SYSTEM_BYTES: {
    take: (bytes) => decodeNotice(digestWith({ sys: 'é'.padEnd(bytes - 1, 'x') })),
    refused: badMessage
  },
  MAX_LACKS: {
    take: (count) => decodeNotice(digestWith({ sys: 'x', lacks: Array.from({ length: count }, () => 'css') })),
    refused: badMessage
  }
}

function digestWith(fields: Record<string, unknown>): Uint8Array {
  return encodeCbor({ t: 'digest', digest: new Uint8Array(32), ...fields })
}

function secretOp(generation: number, boxes: number): Record<string, unknown> {
  const b = Array.from({ length: boxes }, () => [new Uint8Array(32), new Uint8Array(80)])
  return { k: 'secret', n: generation, i: new Uint8Array(16), b }
}

/** An admission for these paths; names of a path have at most 255 bytes. */
function admitOp(paths: readonly string[]): Record<string, unknown> {
  const s = paths.map((path) => path.replaceAll(/x{200}/g, `${'x'.repeat(199)}/`))
  return { k: 'admit', key: new Uint8Array(32), r: 'author', name: '', s }
}

/** A removal with cuts at these seqs. */
function revokeOp(seqs: readonly number[]): Record<string, unknown> {
  return { k: 'revoke', key: new Uint8Array(32), c: seqs.map((seq) => [new Uint8Array(16), seq, new Uint8Array(32)]) }
}

function throwProblem(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem)
}

/** A record whose time may lie where numbers are not exact any more. */
function withTime(time: bigint): Uint8Array {
  const bytes = Buffer.from(seal({ time: limits.MAX_TIME }))
  const at = bytes.indexOf(Buffer.from('1b001fffffffffffff', 'hex'))
  bytes.writeBigUInt64BE(time === BigInt(limits.MAX_TIME) ? time : BigInt(limits.MAX_TIME) + 1n, at + 1)
  return bytes
}

/** What each record but the last counts for besides its bytes. */
const COUNTED_PER_RECORD_BYTES = 4

/** Pulls three records of together `bytes`, as the answer counts them, from a real log; throws when one is left out. */
async function pullAll(bytes: number): Promise<void> {
  const first = recordOf(400_000)
  const second = recordOf(limits.MAX_RECORD_BYTES, { seq: 2, prev: decodeRecord(first).id, depth: 2 })
  const third = recordOf(bytes - first.length - second.length - 2 * COUNTED_PER_RECORD_BYTES, {
    seq: 3,
    prev: decodeRecord(second).id,
    depth: 3
  })
  const store = new MemoryStore()
  const segments = await SegmentLog.open(new SimDisk(), { logger: silentLogger })
  const log = new RecordLog({ segments, rows: new Overlay({ store }), store, logger: silentLogger })
  const records = [first, second, third].map(decodeRecord)
  await log.append(records)
  const request = encodeRequest({ t: 'pull', log: records[0]!.log, from: 1, count: 4_096 })
  const answer = decodeAnswer(await answerRequest(request, { log } as unknown as AnswerDeps), 'records')
  await segments.close()
  assert.equal(answer.head, 3)
  if (answer.records.length < 3) throw new Error('the last one fits no more')
}

/** Packed records that unpack to exactly so many bytes. */
function packedAnswer(bytes: number): Uint8Array {
  const whole = Math.floor(bytes / 60_000)
  const plain = (last: number): Uint8Array =>
    encodeCbor({ records: [...Array.from({ length: whole }, () => 59_000), last].map((size) => new Uint8Array(size)) })
  const rest = bytes - plain(1_000).length + 1_000
  const packed = plain(rest)
  assert.equal(packed.length, bytes)
  return encodeCbor({ t: 'records', records: [], head: 1, packed: deflateRawSync(packed) })
}

describe('every limit on the wire', () => {
  for (const [name, { take, refused }] of Object.entries(LIMITS)) {
    const limit = limits[name as keyof typeof limits]
    it(`${name} takes ${limit} and refuses one more`, async () => {
      await take(limit)
      await assert.rejects(async () => take(limit + 1), refused)
    })
  }

  it('is in the table above and in the specification, and nothing else is', async () => {
    const { readFile } = await import('node:fs/promises')
    const { join } = await import('node:path')
    const { REPOSITORY } = await import('../golden/files.js')
    const text = await readFile(join(REPOSITORY, 'src/wire/SPEC.md'), 'utf8')
    const documented = [...text.matchAll(/^\| `([A-Z_]+)` +\| ([0-9,]+) +\|/gm)].map(
      ([, name, value]) => [name!, Number(value!.replaceAll(',', ''))] as const
    )
    const known = Object.entries(limits).toSorted(([a], [b]) => (a < b ? -1 : 1))
    assert.deepEqual(
      documented.toSorted(([a], [b]) => (a < b ? -1 : 1)),
      known
    )
    assert.deepEqual(
      Object.keys(LIMITS).toSorted(),
      known.map(([name]) => name)
    )
  })
})

describe('other counts and lengths', () => {
  const cases: ReadonlyArray<[what: string, limit: number, take: (amount: number) => unknown, code: string]> = [
    ['seq of a record', 2 ** 48 - 1, (seq) => decodeRecord(seal({ seq, prev: '33'.repeat(32) })), 'record-malformed'],
    ['depth of a record', 2 ** 48 - 1, (depth) => decodeRecord(seal({ depth })), 'record-malformed'],
    ['bytes of a space', 32, (length) => decodeRecord(seal({ space: 'x'.repeat(length) })), 'record-malformed'],
    [
      'bytes of a member name',
      128,
      (length) => decodeOp({ k: 'admit', key: new Uint8Array(32), r: 'relay', name: 'x'.repeat(length) }),
      'record-malformed'
    ],
    [
      'clock of an update',
      2 ** 40,
      (clock) => decodeUpdate(encodeUpdate({ client: 5, clock, tuples: [['x', null, 0, 1]], deletes: [] })),
      'record-malformed'
    ],
    [
      'delete ranges of an update',
      4_096,
      (count) =>
        decodeUpdate(
          encodeUpdate({
            client: 0,
            clock: 0,
            tuples: [],
            deletes: Array.from({ length: count }, (_, index) => ({ client: 5, clock: index * 2, length: 1 }))
          })
        ),
      'record-malformed'
    ],
    [
      'end of a delete range',
      2 ** 40,
      (end) =>
        decodeUpdate(
          encodeUpdate({ client: 0, clock: 0, tuples: [], deletes: [{ client: 5, clock: end - 1, length: 1 }] })
        ),
      'record-malformed'
    ],
    [
      'units of an order key',
      1_024,
      (length) => checkField('place', [new Uint8Array(16), 'x', 'a'.repeat(length)]),
      'record-malformed'
    ],
    [
      'logs of a vector',
      MAX_VECTOR_LOGS,
      (logs) => decodeNotice(encodeCbor({ t: 'vector', full: true, vector: new Uint8Array(logs * 30) })),
      'message-malformed'
    ],
    [
      'records of a pull',
      MAX_PULL_RECORDS,
      (count) => decodeRequest(encodeCbor({ t: 'pull', log: new Uint8Array(16), from: 1, count })),
      'message-malformed'
    ],
    [
      'records of an answer',
      MAX_PULL_RECORDS,
      (count) =>
        decodeAnswer(
          encodeCbor({ t: 'records', records: Array.from({ length: count }, () => new Uint8Array(1)), head: 1 }),
          'records'
        ),
      'message-malformed'
    ],
    [
      'bytes of a record in an answer',
      limits.MAX_RECORD_BYTES,
      (bytes) => decodeAnswer(encodeCbor({ t: 'records', records: [new Uint8Array(bytes)], head: 1 }), 'records'),
      'message-malformed'
    ],
    ['index of a bucket', 4_095, (index) => decodeRequest(encodeCbor({ t: 'bucket', index })), 'message-malformed'],
    [
      'records of a join answer',
      MAX_JOIN_RECORDS,
      (count) => decodeJoinAnswer(encodeCbor({ ok: true, r: Array.from({ length: count }, () => new Uint8Array(1)) })),
      'message-malformed'
    ],
    [
      'records of all pages of a join answer',
      limits.MAX_SEQ,
      (n) => decodeJoinAnswer(encodeCbor({ ok: true, r: [], n })),
      'message-malformed'
    ],
    [
      'logs that an issuer held',
      MAX_VECTOR_LOGS,
      (logs) => decodeJoinAnswer(encodeCbor({ ok: true, r: [], v: new Uint8Array(logs * 30) })),
      'message-malformed'
    ],
    ['records had of a join answer', limits.MAX_SEQ, (p) => hadIn(encodeCbor({ back: true, p })), 'message-malformed'],
    [
      'bytes of a newcomer name',
      128,
      (length) =>
        decodeJoinRequest(encodeCbor({ i: new Uint8Array(16), s: new Uint8Array(16), name: 'x'.repeat(length) })),
      'message-malformed'
    ],
    [
      'addresses of a token',
      32,
      (count) => decodeToken(encodeToken({ ...TOKEN, addresses: Array.from({ length: count }, () => 'x') })),
      'token-malformed'
    ],
    [
      'units of an address in a token',
      512,
      (length) => decodeToken(encodeToken({ ...TOKEN, addresses: ['x'.repeat(length)] })),
      'token-malformed'
    ]
  ]
  for (const [what, limit, take, code] of cases) {
    it(`${what}: takes ${limit} and refuses one more`, () => {
      take(limit)
      assert.throws(() => take(limit + 1), { code })
    })
  }

  it('characters of a token: takes no more than 4,096', () => {
    const sized = (extra: number): string =>
      encodeToken({
        ...TOKEN,
        addresses: [
          'x'.repeat(500),
          'x'.repeat(500),
          'x'.repeat(500),
          'x'.repeat(500),
          'x'.repeat(400),
          'x'.repeat(extra)
        ]
      })
    const fits = [...Array(500).keys()].findLast((extra) => sized(extra).length <= MAX_TOKEN_LENGTH)!
    assert.ok(fits > 0 && fits < 499)
    decodeToken(sized(fits))
    assert.throws(() => decodeToken(sized(fits + 1)), { code: 'token-malformed' })
  })

  it('a body of one chunk is named by its own hash, a larger one is not', () => {
    const chunk = Buffer.alloc(limits.BLOB_CHUNK_BYTES, 1)
    assert.equal(bodyRefOf(chunk).hash, sha256(chunk).toString('hex'))
    const larger = Buffer.alloc(limits.BLOB_CHUNK_BYTES + 1, 1)
    assert.notEqual(bodyRefOf(larger).hash, sha256(larger).toString('hex'))
  })

  it('nesting of 12,000 is refused as quickly as nesting of 33', () => {
    assert.throws(() => decodeCborRaw(nestedCbor(12_000)), /nested deeper than 32/)
    const update = Buffer.concat([
      Buffer.from('0101050008010166017504770178', 'hex'),
      Buffer.from('7501'.repeat(12_000), 'hex'),
      Buffer.from('75007d007d0100', 'hex')
    ])
    assert.throws(() => decodeUpdate(update), malformed)
  })
})

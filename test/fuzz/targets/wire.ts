/** Every decoder that meets bytes from outside. */
import '../../../src/polyfill.js'
import { encode } from 'it-length-prefixed'
import { storedBucketSum } from '../../../src/catalog/check.js'
import { decodeUpdate } from '../../../src/catalog/update.js'
import { bucketOf } from '../../../src/catalog/index.js'
import { decodeFrame, encodeFrame, FrameAssembly } from '../../../src/net/frames.js'
import { decodeAddresses, decodeHello } from '../../../src/net/hello.js'
import { MemoryStore } from '../../../src/store/index.js'
import {
  decodeBlobAnswer,
  decodeBlobRequest,
  encodeBlobAnswer,
  encodeBlobRequest
} from '../../../src/wire/blob-messages.js'
import {
  decodeAnswer,
  decodeAppointmentRequest,
  decodeCborRaw,
  decodeCertificate,
  decodeGossip,
  decodeJoinAnswer,
  decodeJoinRequest,
  decodeManifest,
  decodeNotice,
  decodeOffer,
  decodeRecord,
  decodeProposal,
  decodeProposalAnswer,
  decodeRequest,
  encodeProposal,
  encodeProposalAnswer,
  decodeToken,
  encodeAnswer,
  encodePacked,
  encodeAppointmentRequest,
  encodeCbor,
  encodeCertificate,
  encodeManifest,
  encodeOffer,
  sha256,
  SIGNATURE_BYTES,
  type SyncAnswer
} from '../../../src/wire/index.js'
import { goldenBytes } from '../../golden/files.js'
import type { SeededRandom } from '../../sim/random.js'
import { Lab } from '../../replica/lab.js'
import { harmBytes, harmCbor, harmValue } from '../mutate.js'
import { stateless, type Target } from '../target.js'

const MALFORMED = ['message-malformed'] as const
const messages = goldenBytes('messages.json')
const records = [...goldenBytes('records.json').values()]
const named = (prefix: string): Uint8Array[] =>
  [...messages].filter(([name]) => name.startsWith(prefix)).map(([, bytes]) => bytes)
const hash = 'ab'.repeat(32)
const BLOB_REQUESTS = [
  encodeBlobRequest({ t: 'node', hash, size: 2 ** 31, level: 1, index: 0 }),
  encodeBlobRequest({ t: 'chunk', hash, size: 5, index: 0 }),
  encodeBlobRequest({ t: 'have', hashes: [hash, hash] })
]
const BLOB_ANSWERS = [
  encodeBlobAnswer({ t: 'bytes', bytes: new Uint8Array(40) }),
  encodeBlobAnswer({ t: 'absent' }),
  encodeBlobAnswer({ t: 'sizes', sizes: [1, null, 2 ** 40] })
]

const message = (
  name: string,
  share: number,
  good: readonly Uint8Array[],
  take: (bytes: Uint8Array) => unknown
): Target => ({
  name,
  share,
  codes: MALFORMED,
  open: stateless((random) => harmCbor(random, good), take)
})

const ANSWERS: ReadonlyArray<SyncAnswer['t']> = ['records', 'root-is', 'buckets-are', 'bucket-is', 'checkpoint-is']
const answers = [
  ...ANSWERS.flatMap((kind) => named(`answer: ${kind}`)),
  encodeAnswer({ t: 'checkpoint-is', offer: { hash, size: 500 } }),
  encodePacked({ t: 'records', records: [Buffer.alloc(3_000, 'layer')], head: 1 })
]

const PLACE = { log: 'cd'.repeat(16), seq: 5, id: hash }
const FROZEN = { ...PLACE, depth: 7, knowledge: new Uint8Array(44) }
/** That of some hundred thousand entries: larger ones are read in one go, and take longer than one input may. */
const MANIFEST_BYTES = 128 * 1024
const CHECKPOINT = { proposal: PLACE, manifest: { hash, size: 500 } }
const MANIFESTS = [undefined, CHECKPOINT].map((before) =>
  encodeManifest({
    cluster: 'ab'.repeat(16),
    proposal: PLACE,
    before,
    entries: 3,
    logs: [{ ...FROZEN, author: new Uint8Array(32), epoch: '1'.repeat(16) }],
    border: [{ ...FROZEN, verdict: 'rejected' }],
    chunks: [{ first: 'ef'.repeat(16), hash, size: 900 }]
  })
)
const OFFER = encodeOffer({
  manifest: { hash, size: 500 },
  packs: [{ hash, size: 5 }],
  ownPacks: [{ hash, size: 6 }],
  proofs: records.slice(0, 2)
})

/** A body whose value is harmed, under a signature of the right length. */
function harmRecord(random: SeededRandom): Uint8Array {
  if (random.chance(0.4)) return harmBytes(random, records)
  const record = random.pick(records)
  try {
    const body = encodeCbor(harmValue(random, decodeCborRaw(record.subarray(SIGNATURE_BYTES))))
    return Buffer.concat([record.subarray(0, SIGNATURE_BYTES), body])
  } catch {
    return harmBytes(random, [record])
  }
}

/** A line of text whose checksum holds: what is in it is harmed, not how it was copied. */
function harmLine(random: SeededRandom, good: string): Uint8Array {
  if (random.chance(0.4)) return harmBytes(random, [Buffer.from(good)])
  const start = good.indexOf('-') + 1
  const bytes = Buffer.from(good.slice(start), 'base64url')
  const body = harmCbor(random, [bytes.subarray(0, -4)])
  const sum = sha256(body).subarray(0, 4)
  return Buffer.from(good.slice(0, start) + Buffer.concat([body, sum]).toString('base64url'))
}

const line = (name: string, share: number, good: string, take: (text: string) => unknown): Target => ({
  name,
  share,
  codes: ['token-malformed'],
  open: stateless(
    (random) => harmLine(random, good),
    (bytes) => take(Buffer.from(bytes).toString('latin1'))
  )
})

const APPOINTMENT = {
  cluster: 'ab'.repeat(16),
  key: new Uint8Array(32),
  name: 'north',
  serial: 3,
  overrides: [
    { log: 'cd'.repeat(16), seq: 5 },
    { log: 'ef'.repeat(16), seq: 1 }
  ]
}

const frames = [...named('frame'), encodeFrame(1, 7, named('request')[0]!), encodeFrame(0, 0, named('notice')[0]!)]
/** Errors of the length prefix, which the lane turns into its own. */

/** Several frames behind length prefixes, as they come over a stream, some of it harmed. */
function harmLane(random: SeededRandom): Uint8Array {
  const parts = Array.from({ length: 1 + random.below(4) }, () => encode.single(random.pick(frames)).subarray())
  const bytes = Buffer.concat(parts)
  if (random.chance(0.2)) return Buffer.concat([Buffer.from(random.pick(LENGTHS), 'hex'), bytes])
  return harmBytes(random, [bytes])
}
/** 2^31, 2^53, 2^63, -1 and nothing but continuation bits. */
const LENGTHS = [
  '8080808008',
  '80808080808080 10'.replace(' ', ''),
  '80808080808080808001',
  'ffffffffffffffffff01',
  'ff'.repeat(12),
  '00'
]

function readLane(bytes: Uint8Array): unknown {
  // in two pieces, as the network may cut it
  const cut = bytes.length >> 1
  const assembly = new FrameAssembly()
  let read = 0
  for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)])
    for (const frame of assembly.take(piece)) read += frame.type
  assembly.mustBeAtEnd()
  return { read }
}

/** Rows of entries as the index of a node holds them. */
async function entryRows(): Promise<Array<[string, Uint8Array]>> {
  const [node] = await new Lab().nodes(1)
  for (let at = 0; at < 5; at++) await node!.put(`d/f${at % 3}`, `text ${at}`)
  await node!.restart()
  const rows: Array<[string, Uint8Array]> = []
  for await (const row of node!.store.iterate({ gte: 'e/', lt: 'e0' })) rows.push(row)
  return rows
}

const PROPOSALS = [
  encodeProposal({ path: 'a/b', change: 'remove', entry: '01'.repeat(16), seen: ['1:0', '7:3'] }),
  encodeProposal({
    path: 'a/b',
    change: 'write',
    seen: [],
    body: { hash: '02'.repeat(32), size: 3 },
    bytes: Buffer.from('abc'),
    exec: true
  })
]

export const WIRE: readonly Target[] = [
  message('notice', 6, named('notice'), decodeNotice),
  message('request', 4, named('request'), decodeRequest),
  message('proposal', 4, PROPOSALS, decodeProposal),
  message('proposal answer', 2, [encodeProposalAnswer({ outcome: 'refused', reason: 'no' })], decodeProposalAnswer),
  {
    name: 'answer',
    share: 6,
    codes: MALFORMED,
    open: async () => {
      let kind: SyncAnswer['t'] = 'records'
      return {
        make: (random) => {
          kind = random.pick(ANSWERS)
          const own = named(`answer: ${kind}`)
          return harmCbor(random, own.length > 0 && random.chance(0.8) ? own : answers)
        },
        take: (bytes) => decodeAnswer(bytes, kind)
      }
    }
  },
  { ...message('gossip', 6, named('gossip'), decodeGossip) },
  message('hello', 6, named('hello'), decodeHello),
  message('addresses', 4, named('addresses'), decodeAddresses),
  message('join request', 4, named('join request'), decodeJoinRequest),
  {
    ...message('join answer', 4, [...named('join answer'), ...named('join refusal')], decodeJoinAnswer),
    // a refusal is thrown as the error the issuer named
    codes: [
      'message-malformed',
      'peer-refused',
      'token-expired',
      'token-used',
      'token-unknown',
      'token-revoked',
      'internal'
    ]
  },
  message('manifest', 4, MANIFESTS, (bytes) => decodeManifest(bytes.subarray(0, MANIFEST_BYTES))),
  message('checkpoint offer', 4, [OFFER], decodeOffer),
  message('blob request', 4, BLOB_REQUESTS, decodeBlobRequest),
  message('blob answer', 4, BLOB_ANSWERS, decodeBlobAnswer),
  { name: 'frame', share: 4, codes: MALFORMED, open: stateless((random) => harmBytes(random, frames), decodeFrame) },
  { name: 'lane', share: 5, codes: ['message-malformed', 'too-large'], open: stateless(harmLane, readLane) },
  line('token', 6, Buffer.from(named('token')[0]!).toString('latin1'), decodeToken),
  line('root request', 2, encodeAppointmentRequest(APPOINTMENT), decodeAppointmentRequest),
  line('certificate', 3, encodeCertificate({ ...APPOINTMENT, signature: new Uint8Array(64) }), decodeCertificate),
  { name: 'record', share: 10, codes: ['record-malformed'], open: stateless(harmRecord, decodeRecord) },
  {
    name: 'update',
    share: 10,
    codes: ['record-malformed'],
    open: stateless((random) => harmBytes(random, [...goldenBytes('updates.json').values()]), decodeUpdate)
  },
  {
    name: 'entry row',
    share: 5,
    codes: ['store-damaged'],
    open: async () => {
      const rows = await entryRows()
      const [key] = rows[0]!
      return {
        make: (random) =>
          harmBytes(
            random,
            rows.map(([, row]) => row)
          ),
        take: async (bytes) => {
          const store = new MemoryStore()
          await store.write(new Map([[key, bytes]]))
          return storedBucketSum(store, bucketOf(key.slice(2)))
        }
      }
    }
  }
]

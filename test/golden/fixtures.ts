/**
 * The meaning of every golden file: fixed inputs, encoded by the code of this version. `write.ts` turned them into bytes
 * once; from then on the tests compare both ways. Keys and secrets in here are made of counted bytes and protect nothing.
 */
import {
  deleteRanges,
  emptyEntry,
  encodeEntry,
  entryHash,
  type EntryState,
  type Tuple
} from '../../src/catalog/entry.js'
import { clientIdOf, entryIdOfPath, ROOT_ID } from '../../src/catalog/ids.js'
import { encodeUpdate, type EditUpdate, type Value } from '../../src/catalog/update.js'
import { placeValue } from '../../src/catalog/view.js'
import {
  clusterIdOf,
  keyPairOf,
  nodeIdOf,
  sealSecret,
  secretIdOf,
  signAppointment,
  signFounder,
  signRekey
} from '../../src/identity/index.js'
import { frameBytes, segmentHeader, writeFrame } from '../../src/log/frame.js'
import { encodeKnowledge, encodeLogRow, encodeRecordRow } from '../../src/log/rows.js'
import { encodeFrame, FrameType } from '../../src/net/frames.js'
import { encodeAddresses, encodeHello } from '../../src/net/hello.js'
import { encodeBlobAnswer, encodeBlobRequest } from '../../src/wire/blob-messages.js'
import {
  bodyRefOf,
  encodeAnswer,
  encodeBody,
  encodeCbor,
  encodeGossip,
  encodeJoinAnswer,
  encodeJoinRefusal,
  encodeJoinRequest,
  encodeNotice,
  encodeRequest,
  encodeToken,
  hexOf,
  logIdOf,
  RECORD_DOMAIN,
  sealRecord,
  sha256,
  vectorDigest,
  type Op,
  type RecordBody,
  type SignedRecord,
  type Token
} from '../../src/wire/index.js'

/** `length` bytes counting up from `first`. */
export const counted = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (first + index) & 255)

const root = keyPairOf(counted(32, 0))
const founder = keyPairOf(counted(32, 32))
const newcomer = keyPairOf(counted(32, 64))
const cluster = clusterIdOf(root.publicKey)
const EPOCH = '0102030405060708'
const TIME = 1_795_000_000_000_000
const invite = hexOf(counted(16, 96))
const secret = counted(16, 112)
const clusterSecret = counted(32, 128)

const membersLog = logIdOf('members', founder.publicKey, EPOCH)
const catalogLog = logIdOf('catalog', founder.publicKey, EPOCH)
const stylesId = entryIdOfPath(ROOT_ID, 'styles', 'dir', 0)
const pointId = entryIdOfPath(stylesId, 'point.sld', 'file', 0)
const pointBody = Buffer.from('<sld/>\n')

export interface GoldenRecord {
  readonly name: string
  readonly record: SignedRecord
}

function recordOf(
  space: string,
  seq: number,
  prev: SignedRecord | undefined,
  deps: readonly SignedRecord[],
  ops: readonly Op[]
): SignedRecord {
  const body: RecordBody = {
    cluster,
    space,
    author: founder.publicKey,
    epoch: EPOCH,
    seq,
    prev: prev?.id ?? null,
    deps: deps.map(({ log, id, body: { seq: at } }) => ({ log, seq: at, id })),
    depth: 1 + Math.max(prev?.body.depth ?? 0, ...deps.map((dep) => dep.body.depth)),
    time: TIME + seq,
    ops
  }
  return sealRecord(body, founder.sign)
}

// --- updates ----------------------------------------------------------------------------------------------------------

const client = clientIdOf(founder.publicKey, EPOCH, pointId)
const stylesClient = clientIdOf(founder.publicKey, EPOCH, stylesId)
const bodyRef = bodyRefOf(pointBody)

export const createDirectory: EditUpdate = {
  client: stylesClient,
  clock: 0,
  tuples: [['place', placeValue({ parent: ROOT_ID, name: 'styles', order: null, from: null }), TIME + 1, 1]],
  deletes: []
}
export const createFile: EditUpdate = {
  client,
  clock: 0,
  tuples: [
    ['place', placeValue({ parent: stylesId, name: 'point.sld', order: null, from: null }), TIME + 1, 1],
    ['body', [Buffer.from(bodyRef.hash, 'hex'), bodyRef.size], TIME + 1, 1]
  ],
  deletes: []
}
const moveFile: EditUpdate = {
  client,
  clock: 2,
  tuples: [
    [
      'place',
      placeValue({ parent: ROOT_ID, name: 'dot.sld', order: 'a0', from: { parent: stylesId, name: 'point.sld' } }),
      TIME + 2,
      2
    ],
    ['exec', true, TIME + 2, 2]
  ],
  deletes: [{ client, clock: 0, length: 1 }]
}
const deleteFile: EditUpdate = {
  client,
  clock: 4,
  tuples: [['!', { body: [Buffer.from(bodyRef.hash, 'hex'), bodyRef.size], exec: true }, TIME + 3, 3]],
  deletes: [{ client, clock: 1, length: 3 }]
}
/** Every kind of value a field of a later version may hold, at the ends of their ranges. */
const values: EditUpdate = {
  client: 2 ** 53 - 1,
  clock: 0,
  tuples: (
    [
      null,
      true,
      false,
      0,
      -1,
      63,
      64,
      -64,
      2 ** 31 - 1,
      2 ** 31,
      -(2 ** 31),
      2 ** 53 - 1,
      0.5,
      0.1,
      -1.5e300,
      '',
      'naïve ☂',
      Buffer.alloc(0),
      Buffer.from([0, 255]),
      [],
      [1, [2, ['three']]],
      {},
      { b: 1, a: { c: null } }
    ] as Value[]
  ).map((value, index) => [`x-${index}`, value, TIME, 1] as const),
  deletes: []
}
const deleteOnly: EditUpdate = {
  client: 0,
  clock: 0,
  tuples: [],
  deletes: [
    { client: 9_000_000_000_000_000, clock: 3, length: 130 },
    { client: 7, clock: 0, length: 1 },
    { client: 7, clock: 2, length: 2 }
  ]
}

export const UPDATES: ReadonlyArray<{ name: string; update: EditUpdate }> = [
  { name: 'a directory is created', update: createDirectory },
  { name: 'a file is created', update: createFile },
  { name: 'it moves and becomes executable', update: moveFile },
  { name: 'it is deleted', update: deleteFile },
  { name: 'values of every kind', update: values },
  { name: 'deletes and writes nothing', update: deleteOnly }
]

// --- records ----------------------------------------------------------------------------------------------------------

const found = recordOf(
  'members',
  1,
  undefined,
  [],
  [
    {
      k: 'found',
      root: root.publicKey,
      signature: signFounder(root, founder.publicKey),
      name: 'maps',
      nodeName: 'north'
    }
  ]
)
const invited = recordOf(
  'members',
  2,
  found,
  [],
  [{ k: 'invite', invite, secretHash: sha256(secret), role: 'author', expires: 1_795_003_600_000, uses: 1 }]
)
const admitted = recordOf(
  'members',
  3,
  invited,
  [],
  [
    { k: 'admit', key: newcomer.publicKey, role: 'author', name: 'south', invite },
    { k: 'admit', key: root.publicKey, role: 'relay', name: 'west' }
  ]
)
const uninvited = recordOf('members', 4, admitted, [], [{ k: 'uninvite', invite }])
const revoked = recordOf(
  'members',
  5,
  uninvited,
  [],
  [{ k: 'revoke', key: newcomer.publicKey, cuts: [{ log: admitted.log, seq: 2, id: invited.id }] }]
)
const scoped = recordOf(
  'members',
  6,
  revoked,
  [],
  [
    {
      k: 'invite',
      invite: 'cd'.repeat(16),
      secretHash: sha256(secret),
      role: 'author',
      expires: 1_795_003_600_000,
      uses: 2,
      scope: ['styles', 'workspaces/topp']
    },
    { k: 'admit', key: sha256(secret), role: 'author', name: 'east', scope: ['styles'] }
  ]
)
const appointment = { key: newcomer.publicKey, name: 'south', serial: 1, overrides: [{ log: revoked.log, seq: 5 }] }
const renewed = recordOf(
  'members',
  7,
  scoped,
  [],
  [
    { k: 'renew', round: 3, keys: [founder.publicKey, newcomer.publicKey] },
    { k: 'admit', key: sha256(sha256(secret)), role: 'public', name: 'late', round: 3 },
    { k: 'rekey', key: newcomer.publicKey, signature: signRekey(newcomer, cluster, founder.publicKey) },
    {
      k: 'secret',
      generation: 1,
      id: secretIdOf(sha256(secret)),
      boxes: [{ key: founder.publicKey, box: sealSecret(sha256(secret), founder.publicKey, sha256(invited.bytes)) }]
    },
    { k: 'retire', ids: [secretIdOf(secret)] }
  ]
)
const appointed = recordOf(
  'members',
  8,
  renewed,
  [],
  [{ k: 'appoint', ...appointment, signature: signAppointment(root, cluster, appointment) }]
)
const created = recordOf(
  'catalog',
  1,
  undefined,
  [admitted],
  [
    { k: 'edit', entry: stylesId, update: encodeUpdate(createDirectory) },
    { k: 'body', bytes: pointBody },
    { k: 'edit', entry: pointId, update: encodeUpdate(createFile) }
  ]
)
const moved = recordOf('catalog', 2, created, [], [{ k: 'edit', entry: pointId, update: encodeUpdate(moveFile) }])
const deleted = recordOf('catalog', 3, moved, [], [{ k: 'edit', entry: pointId, update: encodeUpdate(deleteFile) }])
const unknown = recordOf(
  'catalog',
  4,
  deleted,
  [],
  [{ k: 'unknown', raw: { k: 'of-a-later-version', x: [1, 'two', Buffer.from([3])] } }]
)

export const RECORDS: readonly GoldenRecord[] = [
  { name: 'found', record: found },
  { name: 'invite', record: invited },
  { name: 'admit', record: admitted },
  { name: 'body and edits', record: created },
  { name: 'edit that moves', record: moved },
  { name: 'edit that deletes', record: deleted },
  { name: 'an op of a later version', record: unknown },
  { name: 'uninvite', record: uninvited },
  { name: 'revoke', record: revoked },
  { name: 'invite and admit with a scope', record: scoped },
  { name: 'renew, admit in a round, rekey, secret and retire', record: renewed },
  { name: 'appoint', record: appointed }
]

/** A later version's field in the body: kept as bytes, and not read. */
export const LATER_FIELD: Uint8Array = (() => {
  const map = {
    v: 1,
    cluster: Buffer.from(cluster, 'hex'),
    space: 'catalog',
    author: founder.publicKey,
    epoch: Buffer.from(EPOCH, 'hex'),
    seq: 1,
    deps: [],
    depth: 1,
    time: TIME,
    ops: [],
    later: 'field'
  }
  const body = encodeCbor(map)
  return Buffer.concat([founder.sign(Buffer.concat([RECORD_DOMAIN, body])), body])
})()

export { encodeBody }

// --- token and join ---------------------------------------------------------------------------------------------------

export const TOKEN: Token = {
  cluster,
  clusterSecret,
  root: root.publicKey,
  issuer: founder.publicKey,
  invite,
  secret,
  role: 'author',
  expires: 1_795_003_600_000,
  clusterName: 'maps',
  addresses: ['/ip4/192.0.2.1/tcp/4470']
}

const vector = [
  { log: membersLog, seq: 3, head: admitted.id.slice(0, 16) },
  { log: catalogLog, seq: 2 ** 48 - 1, head: unknown.id.slice(0, 16) }
]
const rootHash = hexOf(sha256(counted(8, 1)))
const other = { node: nodeIdOf(newcomer.publicKey), address: '/ip4/192.0.2.2/tcp/4470' }

/** Name -> bytes. What each means stands in SPEC.md and in the tests that read them. */
export function messages(): Record<string, Uint8Array> {
  return {
    'notice: vector, full, with root': encodeNotice({ t: 'vector', full: true, vector, root: rootHash }),
    'notice: vector, of changed logs': encodeNotice({ t: 'vector', full: false, vector: vector.slice(1) }),
    'notice: digest, with root': encodeNotice({ t: 'digest', digest: vectorDigest(vector), root: rootHash }),
    'notice: digest, without root': encodeNotice({ t: 'digest', digest: vectorDigest([]) }),
    'notice: ask-vector': encodeNotice({ t: 'ask-vector' }),
    'request: pull': encodeRequest({ t: 'pull', log: catalogLog, from: 2, count: 4_096 }),
    'request: root': encodeRequest({ t: 'root' }),
    'request: buckets': encodeRequest({ t: 'buckets' }),
    'request: bucket': encodeRequest({ t: 'bucket', index: 4_095 }),
    'answer: records': encodeAnswer({ t: 'records', records: [moved.bytes, deleted.bytes], head: 4 }),
    'answer: root-is': encodeAnswer({ t: 'root-is', root: rootHash, vector }),
    'answer: bucket-is': encodeAnswer({
      t: 'bucket-is',
      rows: Buffer.concat([Buffer.from(pointId, 'hex'), entryHash(pointId, ENTRY)])
    }),
    gossip: encodeGossip({ records: [moved.bytes], heads: vector }),
    'join request': encodeJoinRequest({ invite, secret, name: 'south' }),
    'join answer': encodeJoinAnswer({ records: [found.bytes, invited.bytes, admitted.bytes] }),
    'join answer, with what the issuer held': encodeJoinAnswer({ records: [admitted.bytes], total: 9, held: vector }),
    'join refusal': encodeJoinRefusal('token-used'),
    hello: encodeHello({
      versions: [1],
      instance: hexOf(counted(16, 1)),
      listen: ['/ip4/192.0.2.1/tcp/4470'],
      peers: [other]
    }),
    addresses: encodeAddresses([other]),
    'frame: notify': encodeFrame(FrameType.notify, 0, encodeNotice({ t: 'ask-vector' })),
    'frame: request 300': encodeFrame(FrameType.request, 300, encodeRequest({ t: 'root' })),
    'frame: refusal of 2^32 - 1': encodeFrame(FrameType.refusal, 0xffff_ffff, Buffer.from('message-malformed')),
    token: Buffer.from(encodeToken(TOKEN))
  }
}

/** Messages of the blob lane. */
export function blobMessages(): Record<string, Uint8Array> {
  const hash = bodyRef.hash
  return {
    'request: node': encodeBlobRequest({ t: 'node', hash, size: 2 ** 40, level: 1, index: 511 }),
    'request: chunk': encodeBlobRequest({ t: 'chunk', hash, size: 300_000, index: 1 }),
    'request: have': encodeBlobRequest({ t: 'have', hashes: [hash, rootHash] }),
    'answer: bytes': encodeBlobAnswer({ t: 'bytes', bytes: pointBody }),
    'answer: absent': encodeBlobAnswer({ t: 'absent' }),
    'answer: sizes': encodeBlobAnswer({ t: 'sizes', sizes: [7, null] })
  }
}

// --- what a node keeps ------------------------------------------------------------------------------------------------

function tuplesOf(update: EditUpdate, seq: number): Tuple[] {
  return update.tuples.map(([field, value, time], index) => ({
    client: update.client,
    clock: update.clock + index,
    log: catalogLog,
    seq,
    field,
    value,
    time
  }))
}

/** The file of the records above after its move. */
export const ENTRY: EntryState = {
  ...emptyEntry(),
  clients: [{ client, log: catalogLog, clock: 4 }],
  tuples: [...tuplesOf(createFile, 1).slice(1), ...tuplesOf(moveFile, 2)],
  doc: [encodeUpdate(createFile), encodeUpdate(moveFile)]
}

/** Segment files: the truth on disk. */
export function segments(): Record<string, Uint8Array> {
  const payload = moved.bytes
  const frame = Buffer.alloc(frameBytes(payload.length))
  writeFrame(frame, 0, { segment: 1, offset: 12 }, payload)
  return {
    'segment header': segmentHeader(),
    'segment frame at offset 12 of segment 1': frame
  }
}

/** Rows of the index: derived, so a change costs a rebuild and a new version of the store, but must not happen unseen. */
export function indexRows(): Record<string, Uint8Array> {
  return {
    'record row': encodeRecordRow({
      at: { segment: 1, offset: 12, length: moved.bytes.length },
      id: moved.id,
      depth: 5,
      time: TIME + 2,
      knowledge: 1,
      state: 'rejected',
      reason: 'because'
    }),
    'log row': encodeLogRow({
      space: 'catalog',
      author: founder.publicKey,
      epoch: EPOCH,
      seq: 4,
      id: unknown.id,
      applied: 3,
      frozen: false
    }),
    'knowledge row': encodeKnowledge(new Map([[membersLog, 3]])),
    'entry row': encodeEntry(ENTRY)
  }
}

// --- names that are computed ------------------------------------------------------------------------------------------

export function names(): Record<string, string> {
  const twoChunks = Buffer.alloc(256 * 1024 + 1, 7)
  return {
    'root public key': hexOf(root.publicKey),
    'cluster id': cluster,
    'founder public key': hexOf(founder.publicKey),
    'node id of the founder': nodeIdOf(founder.publicKey),
    'members log': membersLog,
    'catalog log': catalogLog,
    'entry id of /styles': stylesId,
    'entry id of /styles/point.sld': pointId,
    'entry id of /styles/point.sld, second turn': entryIdOfPath(stylesId, 'point.sld', 'file', 1),
    'client id of the founder in /styles/point.sld': String(client),
    'body id of the empty body': bodyRefOf(new Uint8Array()).hash,
    'body id of /styles/point.sld': bodyRef.hash,
    'body id of 262,145 times the byte 7': bodyRefOf(twoChunks).hash,
    'canonical hash of the entry': hexOf(entryHash(pointId, ENTRY)),
    'digest of the vector': vectorDigest(vector),
    'delete ranges of the entry': JSON.stringify(deleteRanges(ENTRY.tuples))
  }
}

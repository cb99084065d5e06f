/** What a member may sign and say, taken in by a whole replica. */
import '../../../src/polyfill.js'
import assert from 'node:assert/strict'
import { GrapevineError } from '../../../src/errors.js'
import type { Home } from '../../../src/node/home.js'
import { JoinService } from '../../../src/node/join-service.js'
import { silentLogger } from '../../../src/runtime.js'
import {
  decodeJoinAnswer,
  decodeRecord,
  encodeGossip,
  encodeJoinRequest,
  encodeNotice,
  encodeRequest,
  encodeReturnRequest,
  logIdOf,
  sha256,
  vectorDigest,
  type SignedRecord
} from '../../../src/wire/index.js'
import { Lab, type LabNode } from '../../replica/lab.js'
import type { SeededRandom } from '../../sim/random.js'
import { harmBytes, harmCbor } from '../mutate.js'
import { Signer } from '../signed.js'
import type { Session, Target } from '../target.js'

const EPOCHS = 4

/** What must not move when something is refused. */
function stateOf({ replica }: LabNode): string {
  const { catalog, log, members } = replica
  const counts = [replica.stats().bytes, catalog.entries, catalog.conflicts, members.list().length, replica.waiting]
  return `${counts.join()} ${[...log.logs()].map(({ id, applied }) => `${id}${applied}`).join()}`
}

function sound({ replica }: LabNode): void {
  assert.equal(replica.failure, undefined)
  // a record that is held ran into a fault
  assert.deepEqual(replica.quarantine.list(), [])
}

/** Whoever takes in what this node holds comes to the same, and so does this node with an index made anew. */
async function agrees(lab: Lab, a: LabNode): Promise<void> {
  sound(a)
  const other = await lab.blank('other')
  for (let round = 0; round < 2; round++) await other.pull(a)
  const root = a.replica.catalog.root()
  assert.equal(other.replica.catalog.root(), root)
  await a.restart({ loseIndex: true })
  assert.equal(a.replica.catalog.root(), root)
  sound(a)
}

async function signing(random: SeededRandom, members: number): Promise<Session> {
  const lab = new Lab()
  const [a, b, c] = (await lab.nodes(3, { roles: ['author', 'admin'] })) as [LabNode, LabNode, LabNode]
  const signer = new Signer(random, a)
  const tips = new Map<string, SignedRecord>()
  const make = (): Uint8Array => {
    for (;;) {
      const keys = random.chance(1 - members) ? b.keys : c.keys
      const space = keys === c.keys && random.chance(0.7) ? 'members' : 'catalog'
      const epoch = `${random.below(EPOCHS)}`.padStart(16, '0')
      const log = logIdOf(space, keys.publicKey, epoch)
      try {
        return signer.record(keys, tips.get(log), epoch, space).bytes
      } catch (error) {
        // larger or deeper than what our own writer makes: others are made instead
        if (!(error instanceof RangeError || (error instanceof GrapevineError && error.code === 'too-large')))
          throw error
      }
    }
  }
  const take = async (bytes: Uint8Array): Promise<unknown> => {
    await a.replica.takeIn('fuzz', [bytes])
    const record = decodeRecord(bytes)
    if (a.replica.log.get(record.log)?.id === record.id) tips.set(record.log, record)
    sound(a)
    return { state: a.replica.log.row(record.log, record.body.seq)?.state }
  }
  return { make, take, state: () => stateOf(a), check: () => agrees(lab, a) }
}

/** Everything a connected member may send: notices, requests and gossip, around what both hold. */
async function talking(): Promise<Session> {
  const lab = new Lab()
  const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
  for (let at = 0; at < 6; at++) await b.put(`f${at}`, `text ${at}`)
  const records = b.records()
  await a.receive(records.filter(({ body }) => body.space === 'members' || body.seq < 4))
  a.replica.start()
  a.replica.peerUp({ node: b.id, addresses: [], found: 'fuzz' } as never)
  const vector = b.replica.log.vector()
  const root = b.replica.catalog.root()
  const [log] = vector.map((entry) => entry.log)
  const good = [
    [
      encodeNotice({ t: 'vector', full: true, vector, root }),
      encodeNotice({ t: 'vector', full: false, vector: vector.slice(1) }),
      encodeNotice({ t: 'digest', digest: vectorDigest(vector), root, clock: 5 }),
      encodeNotice({ t: 'ask-vector' })
    ],
    [
      encodeRequest({ t: 'pull', log: log!, from: 1, count: 10 }),
      encodeRequest({ t: 'pull', log: log!, from: 1, count: 10, packed: true }),
      encodeRequest({ t: 'root' }),
      encodeRequest({ t: 'buckets' }),
      encodeRequest({ t: 'bucket', index: 7 })
    ],
    [
      encodeGossip({ records: records.map(({ bytes }) => bytes), heads: vector }),
      encodeGossip({ records: records.slice(-1).map(({ bytes }) => bytes), heads: vector })
    ]
  ]
  const make = (random: SeededRandom): Uint8Array => {
    const channel = random.below(good.length)
    return Buffer.concat([Uint8Array.of(channel), harmCbor(random, good[channel]!)])
  }
  const take = async (input: Uint8Array): Promise<unknown> => {
    const frame = input.subarray(1)
    if (input[0] === 0) a.replica.notified(b.id, frame)
    else if (input[0] === 1) await a.replica.requested(frame)
    else {
      const verdict = a.replica.gossip(b.id, frame)
      if (verdict !== 'accept') return verdict
      await a.settled()
    }
    sound(a)
    return undefined
  }
  return { make, take, state: () => stateOf(a), check: () => agrees(lab, a), close: () => a.replica.stop() }
}

/** A stranger at the issuer's desk. */
async function joining(random: SeededRandom): Promise<Session> {
  const lab = new Lab()
  const [a] = (await lab.nodes(1)) as [LabNode]
  const secret = random.bytes(16)
  const invite = 'ab'.repeat(16)
  await a.replica.writeMembers(() => [
    { k: 'invite', invite, secretHash: sha256(secret), role: 'author', expires: Date.now() + 3_600_000, uses: 100_000 }
  ])
  const home = { keys: a.keys } as Home
  const desk = new JoinService({ replica: a.replica, home, logger: silentLogger })
  const good = [
    encodeJoinRequest({ invite, secret, name: 'new' }),
    encodeJoinRequest({ invite, secret, name: 'new', had: 2 }),
    encodeReturnRequest(),
    encodeReturnRequest(1),
    encodeJoinRequest({ invite, secret: new Uint8Array(16), name: 'new' })
  ]
  const make = (): Uint8Array => harmCbor(random, good)
  const take = async (frame: Uint8Array): Promise<unknown> => {
    // the same key again costs no use and writes nothing
    const answer = await desk.redeem(frame, lab.keysOf(`stranger ${random.below(20)}`).publicKey)
    return { records: decodeJoinAnswer(answer).records.length }
  }
  return { make, take, state: () => stateOf(a), check: async () => sound(a) }
}

/** Records of a member that somebody changed on the way: nothing of them is taken. */
async function changed(): Promise<Session> {
  const lab = new Lab()
  const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
  for (let at = 0; at < 5; at++) await b.put(`f${at}`, `text ${at}`)
  const good = b.records().map(({ bytes }) => bytes)
  await a.receive(b.records().slice(0, 3))
  return {
    make: (random) => harmBytes(random, good),
    take: async (bytes) => {
      const before = stateOf(a)
      await a.replica.takeIn('fuzz', [bytes])
      // a record that was not harmed after all may be held now
      if (good.some((each) => Buffer.compare(each, bytes) === 0)) return undefined
      if (stateOf(a) !== before) throw new Error('a record that nobody signed was taken')
      return 'not taken'
    },
    check: async () => sound(a)
  }
}

export const REPLICA: readonly Target[] = [
  {
    name: 'signed records',
    share: 2.5,
    codes: ['record-malformed', 'record-refused'],
    life: 2_500,
    open: (random) => signing(random, 0.1)
  },
  {
    name: 'members ops',
    share: 0.6,
    codes: ['record-malformed', 'record-refused'],
    life: 100,
    open: (random) => signing(random, 0.7)
  },
  { name: 'changed records', share: 5, codes: ['record-malformed', 'record-refused'], life: 20_000, open: changed },
  {
    name: 'peer messages',
    share: 8,
    codes: ['message-malformed', 'not-found', 'record-malformed'],
    life: 10_000,
    open: talking
  },
  { name: 'join desk', share: 4, codes: ['message-malformed', 'token-unknown'], life: 10_000, open: joining }
]

/** An invitation is redeemed by as many as it has uses, whoever comes at the same time, and by nobody once it is spent. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { keyPairOf, MEMBERS_SPACE, nodeIdOf, type KeyPair } from '../../src/identity/index.js'
import { prepareHome, readHome, type Home } from '../../src/node/home.js'
import { createInvitation, invitationsOf, revokeInvitation } from '../../src/node/invitations.js'
import { JoinService } from '../../src/node/join-service.js'
import { noTransport, openHome, type Opened } from '../../src/node/open.js'
import { allPages, MAX_JOIN_PAGES } from '../../src/node/join-pages.js'
import { initHome, keepAdmission } from '../../src/node/setup.js'
import { silentLogger } from '../../src/runtime.js'
import {
  decodeJoinAnswer,
  decodeToken,
  encodeJoinAnswer,
  encodeJoinRequest,
  encodeReturnRequest,
  MAX_JOIN_RECORDS,
  MAX_RECORD_BYTES,
  sealRecord,
  type Op,
  type SignedRecord
} from '../../src/wire/index.js'

const HOUR_MS = 3_600_000
const COMERS = 1_000

interface Invited {
  readonly invite: string
  redeem(who: number): Promise<string>
  /** One page, as it is answered. */
  ask(who: number, had?: number): Promise<Uint8Array>
}

interface Issuer {
  readonly opened: Opened
  readonly home: Home
  invite(uses: number): Promise<Invited>
  /** A page for a member that was away. */
  back(who: number, had: number): Promise<Uint8Array>
  readonly revoke: (invite: string) => Promise<unknown>
}

async function issuer(t: TestContext): Promise<Issuer> {
  const path = mkdtempSync(join(tmpdir(), 'gv-redeem-'))
  await initHome({ home: path })
  const home = await readHome(path)
  const opened = await openHome(home, noTransport(home.node), silentLogger)
  t.after(async () => {
    await opened.close()
    rmSync(path, { recursive: true, force: true })
  })
  const service = new JoinService({ replica: opened.replica, home, logger: silentLogger })
  return {
    opened,
    home,
    back: (who, had) => service.redeem(encodeReturnRequest(had), comer(who).publicKey),
    revoke: (invite) => revokeInvitation(opened.replica, home, invite),
    async invite(uses) {
      const { token } = await createInvitation(
        opened.replica,
        home,
        { addresses: [], secret: home.secrets[0]! },
        { role: 'author', expiresMs: HOUR_MS, uses }
      )
      const { invite, secret } = decodeToken(token)
      const ask: Invited['ask'] = (who, had) =>
        service.redeem(
          encodeJoinRequest({ invite, secret, name: `comer ${who}`, ...(had && { had }) }),
          comer(who).publicKey
        )
      const redeem = async (who: number): Promise<string> => {
        try {
          decodeJoinAnswer(await ask(who))
          return 'admitted'
        } catch (error) {
          return (error as { code: string }).code
        }
      }
      return { invite, redeem, ask }
    }
  }
}

function comer(who: number): KeyPair {
  const seed = Buffer.alloc(32)
  seed.writeUInt32BE(who)
  return keyPairOf(seed)
}

test('of a thousand that come at once with a token of one use exactly one is admitted', async (t) => {
  const { opened, invite } = await issuer(t)
  const token = await invite(1)
  const answers = await Promise.all(Array.from({ length: COMERS }, (_, who) => token.redeem(who)))
  assert.deepEqual(
    [answers.filter((answer) => answer === 'admitted').length, new Set(answers)],
    [1, new Set(['admitted', 'token-used'])]
  )
  assert.equal(opened.replica.members.list().length, 2)
  // who was admitted and did not hear it asks again, and takes no use from anybody
  assert.equal(await token.redeem(answers.indexOf('admitted')), 'admitted')
  const [listed] = invitationsOf(opened.replica.members, Date.now())
  assert.deepEqual([listed!.state, listed!.used, listed!.uses], ['used', 1, 1])
})

test('an invitation that is taken back while many come admits none that come later', async (t) => {
  const { opened, invite, revoke } = await issuer(t)
  const token = await invite(COMERS)
  const coming = Array.from({ length: 20 }, (_, who) => token.redeem(who))
  await Promise.all([...coming, revoke(token.invite)])
  const before = opened.replica.members.list().length
  assert.deepEqual(
    await Promise.all(Array.from({ length: 20 }, (_, who) => token.redeem(100 + who))),
    Array.from({ length: 20 }, () => 'token-revoked')
  )
  assert.equal(opened.replica.members.list().length, before)
  await assert.rejects(revoke('0'.repeat(32)), { code: 'not-found' })
})

/** Records of the members space that are held here. */
function held({ opened: { replica } }: Issuer): number {
  return [...replica.log.logs()].reduce((sum, head) => sum + (head.space === MEMBERS_SPACE ? head.applied : 0), 0)
}

/** A member that is no admin and writes so many records to the members space, which are all rejected. */
async function flood({ opened: { replica }, home }: Issuer, count: number, padding = 0): Promise<void> {
  const [role, name] = ['author', 'hostile'] as const
  const keys = comer(1_000_000 + count)
  const { log, body } = await replica.writeMembers(() => [{ k: 'admit', key: keys.publicKey, role, name }])
  const ops: Op[] = [{ k: 'admit', key: keys.publicKey, role: 'admin', name }]
  const bulk = Array.from({ length: padding }, (): Op => ({ k: 'body', bytes: new Uint8Array(16_000) }))
  const records: SignedRecord[] = []
  const dep = { log, seq: body.seq, id: replica.log.row(log, body.seq)!.id }
  for (let seq = 1; seq <= count; seq++) {
    const place = { cluster: home.cluster.cluster, space: MEMBERS_SPACE, author: keys.publicKey, epoch: 'f'.repeat(16) }
    const prev = records.at(-1)?.id ?? null
    const at = { seq, prev, deps: seq === 1 ? [dep] : [], depth: body.depth + seq, time: 1 }
    records.push(sealRecord({ ...place, ...at, ops: [...ops, ...bulk] }, keys.sign))
  }
  await replica.takeIn(
    'hostile',
    records.map(({ bytes }) => bytes)
  )
  assert.equal(replica.log.row(records.at(-1)!.log, count)?.state, 'rejected')
}

/** Pages as somebody gets them who asks for all; resolves with their sizes, when they make the comer a member. */
async function joined(t: TestContext, { home }: Issuer, token: Invited, who: number): Promise<number[]> {
  const sizes: number[] = []
  const records = await allPages(async (had) => {
    const page = await token.ask(who, had)
    sizes.push(decodeJoinAnswer(page).records.length)
    return page
  })
  const path = mkdtempSync(join(tmpdir(), 'gv-comer-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  await prepareHome(path)
  const keys = comer(who)
  const own = { ...home, path, keys, node: nodeIdOf(keys.publicKey) }
  assert.equal((await keepAdmission(own, home.node, records, silentLogger)).role, 'author')
  return sizes
}

test('rejected records that nothing builds on are not sent to a newcomer', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(1)
  assert.equal(await token.redeem(1), 'admitted')
  const before = held(place)
  await flood(place, MAX_JOIN_RECORDS + 1)
  assert.deepEqual(await joined(t, place, token, 1), [before + 1])
})

test('a history as long as one answer comes in one, and a longer one in pages, however much of it is rejected', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(3)
  // the admission of who floods, and that of the newcomer, come on top
  await flood(place, MAX_JOIN_RECORDS - held(place) - 2)
  assert.deepEqual(await joined(t, place, token, 1), [MAX_JOIN_RECORDS])
  assert.deepEqual(await joined(t, place, token, 2), [MAX_JOIN_RECORDS, 1])
  await flood(place, MAX_JOIN_RECORDS)
  assert.deepEqual(await joined(t, place, token, 3), [MAX_JOIN_RECORDS, MAX_JOIN_RECORDS, 3])
  // who asks for no more pages, as older versions do, and has its admission among the first is a member, too
  const first = decodeJoinAnswer(await token.ask(1))
  const rest = decodeJoinAnswer(await place.back(1, 2 * MAX_JOIN_RECORDS))
  assert.deepEqual([rest.records.length, rest.total], [3, undefined])
  assert.deepEqual([first.records.length, first.total], [MAX_JOIN_RECORDS, 2 * MAX_JOIN_RECORDS + 3])
})

test('a page ends with the record that fills it, and pages are asked for as long as more are said to be had, not for ever', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(1)
  await flood(place, 40, Math.floor(MAX_RECORD_BYTES / 16_100))
  const sizes = await joined(t, place, token, 1)
  assert.equal(sizes.length, 2)
  let asked = 0
  const endless = (had: number): Promise<Uint8Array> => {
    assert.equal(had, asked++)
    return Promise.resolve(encodeJoinAnswer({ records: [new Uint8Array(1)], total: 1_000_000 }))
  }
  assert.equal((await allPages(endless)).length, MAX_JOIN_PAGES)
  const empty = encodeJoinAnswer({ records: [], total: 1_000_000 })
  assert.deepEqual(await allPages(() => Promise.resolve(empty)), [])
})

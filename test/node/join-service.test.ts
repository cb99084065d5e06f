/** An invitation is redeemed by as many as it has uses, whoever comes at the same time, and by nobody once it is spent. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PathEditor } from '../../src/catalog/index.js'
import { GrapevineError } from '../../src/errors.js'
import { keyPairOf, MEMBERS_SPACE, nodeIdOf, type KeyPair } from '../../src/identity/index.js'
import { CONNECTIONS_BURST, CONNECTIONS_PER_S } from '../../src/net/limits.js'
import { prepareHome, readHome, type Home } from '../../src/node/home.js'
import { createInvitation, invitationsOf, revokeInvitation } from '../../src/node/invitations.js'
import { JoinService } from '../../src/node/join-service.js'
import { ISSUER_FILE, noteIssuer, readIssuer } from '../../src/node/newcomer.js'
import { noTransport, openHome, type Opened } from '../../src/node/open.js'
import {
  MAX_JOIN_PAGES,
  MAX_KNOWN_PAGES,
  PAGES_ASKED,
  pagesOf,
  takePages,
  type Pages
} from '../../src/node/join-pages.js'
import { initHome, keepAdmission } from '../../src/node/setup.js'
import { appliedOf } from '../../src/replica/index.js'
import { silentLogger } from '../../src/runtime.js'
import {
  decodeJoinAnswer,
  decodeToken,
  encodeJoinAnswer,
  encodeJoinRequest,
  encodeReturnRequest,
  MAX_JOIN_RECORDS,
  MAX_RECORD_BYTES
} from '../../src/wire/index.js'
import { until } from '../e2e/until.js'
import { flood } from './members-flood.js'

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

/** A home of its own for a newcomer of this cluster. */
async function homeFor(t: TestContext, { home }: Issuer, who: number): Promise<Home> {
  const path = mkdtempSync(join(tmpdir(), 'gv-comer-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  await prepareHome(path)
  const keys = comer(who)
  return { ...home, path, keys, node: nodeIdOf(keys.publicKey) }
}

/** Sizes of the pages as somebody gets them who asks for all, when they make the comer a member. */
async function joined(t: TestContext, place: Issuer, token: Invited, who: number): Promise<number[]> {
  const sizes: number[] = []
  const pages = pagesOf(async (had) => {
    const page = await token.ask(who, had)
    sizes.push(decodeJoinAnswer(page).records.length)
    return page
  })
  const own = await homeFor(t, place, who)
  assert.equal((await keepAdmission(own, place.home.node, pages, silentLogger)).role, 'author')
  return sizes
}

test('rejected records that nothing builds on are not sent to a newcomer', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(1)
  assert.equal(await token.redeem(1), 'admitted')
  const before = held(place)
  await flood(place.opened, place.home, MAX_JOIN_RECORDS + 1)
  assert.deepEqual(await joined(t, place, token, 1), [before + 1])
})

test('a history as long as one answer comes in one, and a longer one in pages, however much of it is rejected', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(3)
  // the admission of who floods, and that of the newcomer, come on top
  await flood(place.opened, place.home, MAX_JOIN_RECORDS - held(place) - 2)
  assert.deepEqual(await joined(t, place, token, 1), [MAX_JOIN_RECORDS])
  assert.deepEqual(await joined(t, place, token, 2), [MAX_JOIN_RECORDS, 1])
  await flood(place.opened, place.home, MAX_JOIN_RECORDS)
  assert.deepEqual(await joined(t, place, token, 3), [MAX_JOIN_RECORDS, MAX_JOIN_RECORDS, 3])
  // who asks for no more pages, as older versions do, and has its admission among the first is a member, too
  const first = decodeJoinAnswer(await token.ask(1))
  const rest = decodeJoinAnswer(await place.back(1, 2 * MAX_JOIN_RECORDS))
  assert.deepEqual([rest.records.length, rest.total], [3, undefined])
  assert.deepEqual([first.records.length, first.total], [MAX_JOIN_RECORDS, 2 * MAX_JOIN_RECORDS + 3])
})

test('a newcomer is told how far its issuer is, and writes nothing before it is as far, over every start in between', async (t) => {
  const place = await issuer(t)
  const { replica } = place.opened
  await replica.change((draft) => new PathEditor(draft, replica.reader).put('one', draft.body(Buffer.from('1'))))
  const token = await place.invite(1)
  const own = await homeFor(t, place, 1)
  const pages = pagesOf((had) => token.ask(1, had))
  assert.equal((await keepAdmission(own, place.home.node, pages, silentLogger)).role, 'author')
  const [head] = replica.heads()
  assert.deepEqual(await readIssuer(own.path), [{ log: head!.log, seq: 1, head: head!.id.slice(0, 16) }])
  // of further pages, and to who only comes back, nothing is said
  assert.equal(decodeJoinAnswer(await token.ask(1, 1)).held, undefined)
  assert.equal(decodeJoinAnswer(await place.back(1, 0)).held, undefined)

  const codes = (opened: Opened): string[] => opened.replica.failures.map(({ code }) => code)
  await (await openHome(own, noTransport(own.node), silentLogger)).close()
  const opened = await openHome(own, noTransport(own.node), silentLogger)
  assert.deepEqual(codes(opened), ['catching-up'])
  await opened.replica.takeIn(place.home.node, [replica.log.read(head!.log, 1).bytes])
  assert.deepEqual(codes(opened), [])
  await until('what the issuer had is forgotten', async () => (await readIssuer(own.path)) === undefined)
  await opened.close()

  // a note that cannot be taken away is found to be of no use with the next start
  await replica.change((draft) => new PathEditor(draft, replica.reader).put('two', draft.body(Buffer.from('2'))))
  await noteIssuer(own.path, appliedOf(replica.log))
  const said: string[] = []
  const logger = { ...silentLogger, debug: (text: string) => void said.push(text) }
  const again = await openHome(own, noTransport(own.node), logger)
  rmSync(join(own.path, ISSUER_FILE))
  mkdirSync(join(own.path, ISSUER_FILE))
  await again.replica.takeIn(place.home.node, [replica.log.read(head!.log, 2).bytes])
  await until('that is said', () => said.some((text) => text.includes('could not be forgotten')))
  assert.deepEqual(codes(again), [])
  await again.close()
})

test('a page ends with the record that fills it', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(1)
  await flood(place.opened, place.home, 40, Math.floor(MAX_RECORD_BYTES / 16_100))
  const sizes = await joined(t, place, token, 1)
  assert.equal(sizes.length, 2)
})

/** Time that passes at once for whoever waits. */
class Hurried {
  #now = 0
  readonly monotonic = (): number => this.#now
  readonly timer = (ms: number, run: () => void): (() => void) => {
    this.#now += ms
    queueMicrotask(run)
    return () => undefined
  }
}

const pageWith = (...records: number[]): Uint8Array =>
  encodeJoinAnswer({ records: records.map((byte) => Uint8Array.of(byte)), total: 1_000_000 })

test('pages are asked for as long as more are said to be had, not for ever, and no faster than the door lets one in', async () => {
  const clock = new Hurried()
  let asked = 0
  const endless = (had: number): Promise<Uint8Array> => {
    assert.equal(had, asked++)
    return Promise.resolve(pageWith(1))
  }
  for await (const page of pagesOf(endless, clock)) assert.equal(page.records.length, 1)
  assert.equal(asked, MAX_JOIN_PAGES)
  const { burst, perSecond } = PAGES_ASKED
  assert.ok(burst <= CONNECTIONS_BURST / 2 && perSecond <= CONNECTIONS_PER_S / 2)
  assert.ok(clock.monotonic() >= ((MAX_JOIN_PAGES - 1 - burst) / perSecond) * 1_000)

  const given = async (...answers: Uint8Array[]): Promise<number> => {
    let pages = 0
    for await (const _ of pagesOf(() => Promise.resolve(answers.shift()!), new Hurried())) pages += 1
    return pages
  }
  assert.equal(await given(pageWith()), 0)
  assert.equal(await given(pageWith(1), pageWith(2), pageWith()), 2)
  assert.equal(await given(encodeJoinAnswer({ records: [Uint8Array.of(1)] })), 1)
  assert.equal(await given(pageWith(1), encodeJoinAnswer({ records: [Uint8Array.of(1)], total: 2 })), 2)
})

test('a page is taken in before the next is asked for, and who tells nothing new is left after a while', async () => {
  const happened: string[] = []
  const told = async (news: (page: number) => boolean, failAt = Number.POSITIVE_INFINITY): Promise<unknown> => {
    happened.length = 0
    const ask = (had: number): Promise<Uint8Array> => {
      happened.push(`ask ${had}`)
      return had === failAt ? Promise.reject(new Error('hung up')) : Promise.resolve(pageWith(1))
    }
    let page = 0
    return takePages(pagesOf(ask, new Hurried()), async () => {
      happened.push(`take ${page}`)
      return news(page++)
    })
  }
  assert.deepEqual(await told(() => false), { news: false })
  assert.equal(happened.length, 2 * MAX_KNOWN_PAGES)
  assert.deepEqual(happened.slice(0, 4), ['ask 0', 'take 0', 'ask 1', 'take 1'])
  // the last of those that may be known is not: it goes on
  assert.deepEqual(await told((page) => page === MAX_KNOWN_PAGES - 1), { news: true })
  assert.equal(happened.length, 4 * MAX_KNOWN_PAGES)
  assert.deepEqual(await told((page) => page === MAX_KNOWN_PAGES), { news: false })
  assert.deepEqual(await told((page) => page === 0, 2), { news: true, failed: new Error('hung up') })
})

test('who is admitted by the first page is a member though the others are not to be had, and nobody is before', async (t) => {
  const place = await issuer(t)
  const token = await place.invite(2)
  // admitted before the flood: the admission comes with the first page
  assert.equal(await token.redeem(1), 'admitted')
  await flood(place.opened, place.home, MAX_JOIN_RECORDS)
  assert.equal(await token.redeem(2), 'admitted')
  const cut = (who: number): Pages =>
    pagesOf(async (had) => {
      if (had > 0) throw new GrapevineError('issuer-unreachable', 'gone', { next: 'look' })
      return token.ask(who, had)
    })
  const [one, two] = [await homeFor(t, place, 1), await homeFor(t, place, 2)]
  assert.equal((await keepAdmission(one, place.home.node, cut(1), silentLogger)).role, 'author')
  await assert.rejects(keepAdmission(two, place.home.node, cut(2), silentLogger), { code: 'issuer-unreachable' })
  // and goes on from there when it tries again
  const again = pagesOf((had) => token.ask(2, had))
  assert.equal((await keepAdmission(two, place.home.node, again, silentLogger)).role, 'author')
  const never = homeFor(t, place, 3)
  const nothing: Pages = pagesOf(() => Promise.reject(new GrapevineError('token-used', 'used', { next: 'look' })))
  await assert.rejects(keepAdmission(await never, place.home.node, nothing, silentLogger), { code: 'token-used' })
  assert.deepEqual(readdirSync((await never).path), [], 'who is refused leaves nothing behind')
})

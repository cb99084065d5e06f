/** An invitation is redeemed by as many as it has uses, whoever comes at the same time, and by nobody once it is spent. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { keyPairOf } from '../../src/identity/index.js'
import { readHome } from '../../src/node/home.js'
import { createInvitation, invitationsOf, revokeInvitation } from '../../src/node/invitations.js'
import { JoinService } from '../../src/node/join-service.js'
import { noTransport, openHome, type Opened } from '../../src/node/open.js'
import { initHome } from '../../src/node/setup.js'
import { silentLogger } from '../../src/runtime.js'
import { decodeJoinAnswer, decodeToken, encodeJoinRequest } from '../../src/wire/index.js'

const HOUR_MS = 3_600_000
const COMERS = 1_000

interface Issuer {
  readonly opened: Opened
  invite(uses: number): Promise<{ invite: string; redeem(who: number): Promise<string> }>
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
    revoke: (invite) => revokeInvitation(opened.replica, home, invite),
    async invite(uses) {
      const { token } = await createInvitation(
        opened.replica,
        home,
        { addresses: [], secret: home.secrets[0]! },
        { role: 'author', expiresMs: HOUR_MS, uses }
      )
      const { invite, secret } = decodeToken(token)
      return {
        invite,
        async redeem(who) {
          const seed = Buffer.alloc(32)
          seed.writeUInt32BE(who)
          const request = encodeJoinRequest({ invite, secret, name: `comer ${who}` })
          const answer = await service.redeem(request, keyPairOf(seed).publicKey)
          try {
            decodeJoinAnswer(answer)
            return 'admitted'
          } catch (error) {
            return (error as { code: string }).code
          }
        }
      }
    }
  }
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

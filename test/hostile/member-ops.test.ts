/** Attacks by what only an admin, or the root, may say: members that say it all the same change nothing about anybody. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyPairOf, nodeIdOf, secretIdOf, signAppointment, signRekey } from '../../src/identity/index.js'
import { readHome } from '../../src/node/home.js'
import { SECRET_BOX_BYTES } from '../../src/wire/member-ops.js'
import type { Op } from '../../src/wire/index.js'
import type { Node } from '../e2e/node.js'
import { Forger, watch } from './forger.js'
import { membersPast } from './members-past.js'
import { attacks, type World } from './world.js'

const attack = attacks()

/** What the members of a cluster are, as each honest node says it, without what changes by itself. */
async function standing({ honest }: World): Promise<string[]> {
  return Promise.all(
    honest.map(async ({ client }) => {
      const { peers, role, scope } = await client.status()
      const members = peers.map(({ node, name, role: of, scope: to, expired }) => ({ node, name, of, to, expired }))
      return JSON.stringify([
        role,
        scope,
        members.toSorted((x, y) => (x.node < y.node ? -1 : 1)),
        await client.invitations(),
        await client.secrets()
      ])
    })
  )
}

const secretsIn = ({ home }: Node): string => readFileSync(join(home, 'cluster.secret'), 'utf8')

for (const role of ['author', 'relay'] as const)
  attack(`what a ${role} says of members, certificates and secrets is rejected by all, and told`, async (world) => {
    const unscathed = await watch(world)
    const [a, b] = world.honest
    const attacker = await world.member(role)
    const forger = await Forger.at(world, attacker)
    const { cluster } = attacker.home.cluster
    const own = attacker.keys
    const accomplice = keyPairOf(randomBytes(32))
    const victim = (await readHome(b.home)).keys.publicKey
    const secret = randomBytes(32)
    const present = secretIdOf((await readHome(a.home)).secrets[0]!)
    const appointment = { key: own.publicKey, name: 'me', serial: 1, overrides: [] }
    const forgeries: ReadonlyArray<readonly [what: string, op: Op]> = [
      ['an admission', { k: 'admit', key: accomplice.publicKey, role: 'admin', name: 'accomplice' }],
      ['a promotion of itself', { k: 'admit', key: own.publicKey, role: 'admin', name: 'me' }],
      [
        'an invitation',
        { k: 'invite', invite: 'ab'.repeat(16), secretHash: randomBytes(32), role: 'admin', expires: 2 ** 50, uses: 9 }
      ],
      ['the end of an invitation', { k: 'uninvite', invite: 'ab'.repeat(16) }],
      ['the removal of an honest node', { k: 'revoke', key: victim, cuts: [] }],
      [
        'an appointment by itself',
        { k: 'appoint', ...appointment, signature: signAppointment(own, cluster, appointment) }
      ],
      ['an appointment nobody signed', { k: 'appoint', ...appointment, signature: randomBytes(64) }],
      ['a round', { k: 'renew', round: 2 ** 32, keys: [own.publicKey] }],
      [
        'a secret',
        {
          k: 'secret',
          generation: 1,
          id: secretIdOf(secret),
          boxes: [{ key: victim, box: randomBytes(SECRET_BOX_BYTES) }]
        }
      ],
      ['the end of the secret', { k: 'retire', ids: [present] }],
      ['a founding', { k: 'found', root: own.publicKey, signature: randomBytes(64), name: 'mine', nodeName: 'me' }]
    ]
    const before = await standing(world)
    const secrets = world.honest.map(secretsIn)
    for (const [what, op] of forgeries) {
      const told = world.said('A record was rejected.')
      const line = await forger.give(await forger.seal({ ...(await membersPast(world)), ops: () => [op] }))
      assert.equal(line.state, 'rejected', what)
      assert.match(line.reason!, /may not/, what)
      assert.ok(world.said('A record was rejected.') > told, `${what} is told of`)
    }
    // together with what it may say, it may say nothing
    const allowed: Op = {
      k: 'rekey',
      key: accomplice.publicKey,
      signature: signRekey(accomplice, cluster, own.publicKey)
    }
    const mixed = await forger.seal({ ...(await membersPast(world)), ops: () => [allowed, forgeries[0]![1]] })
    assert.equal((await forger.give(mixed)).state, 'rejected')
    assert.deepEqual(await standing(world), before)
    assert.deepEqual(world.honest.map(secretsIn), secrets)
    await unscathed()
  })

attack('a member goes on as nobody who did not sign for it, and not as an honest node', async (world) => {
  const unscathed = await watch(world)
  const [, b] = world.honest
  const attacker = await world.member()
  const forger = await Forger.at(world, attacker)
  const { cluster } = attacker.home.cluster
  const victim = (await readHome(b.home)).keys.publicKey
  const other = keyPairOf(randomBytes(32))
  const before = await standing(world)
  for (const [what, key, signature] of [
    ['the key of an honest node', victim, signRekey(attacker.keys, cluster, attacker.keys.publicKey)],
    ['a key that signed nothing', other.publicKey, randomBytes(64)],
    ['a key that signed for another', other.publicKey, signRekey(other, cluster, victim)],
    [
      'a key that signed for another cluster',
      other.publicKey,
      signRekey(other, '0'.repeat(32), attacker.keys.publicKey)
    ]
  ] as const) {
    await forger.give(await forger.seal({ ...(await membersPast(world)), ops: () => [{ k: 'rekey', key, signature }] }))
    assert.deepEqual(await standing(world), before, what)
  }
  await unscathed()
})

attack('a removed member goes on as no other key, whenever it says so', async (world) => {
  const unscathed = await watch(world)
  const [a] = world.honest
  const attacker = await world.member()
  const forger = await Forger.at(world, attacker)
  const { cluster } = attacker.home.cluster
  const past = await membersPast(world)
  await a.client.removeMember({ node: attacker.node })
  const next = keyPairOf(randomBytes(32))
  const ops: Op[] = [{ k: 'rekey', key: next.publicKey, signature: signRekey(next, cluster, attacker.keys.publicKey) }]
  const late = await forger.seal({ ...past, ops: () => ops })
  const helper = await Forger.at(world, await world.member('relay'))
  helper.offer(late.log, [late.bytes], late.id.slice(0, 16))
  assert.equal((await helper.judged(late)).state, 'void')
  for (const { client } of world.honest)
    assert.ok((await client.peers()).every(({ node }) => node !== nodeIdOf(next.publicKey) && node !== attacker.node))
  await unscathed()
})

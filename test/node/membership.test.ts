/** What the network is told about the members of a lab's replicas. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RENEWAL_ROUNDS } from '../../src/identity/index.js'
import { membershipOf } from '../../src/node/membership.js'
import { Lab, meet, type LabNode } from '../replica/lab.js'

test('a member whose certificate nobody renewed for half of its life must meet an admin, and an admin nobody', async () => {
  const lab = new Lab()
  const [admin, author, other] = (await lab.nodes(3, { roles: ['author', 'author'] })) as [LabNode, LabNode, LabNode]
  const mustMeet = (by: LabNode, whom: LabNode): boolean => membershipOf(by, () => by).mustMeet(whom.keys.publicKey)
  const round = async (at: number, seen: readonly LabNode[]): Promise<void> => {
    const keys = seen.map((node) => node.keys.publicKey)
    await admin.replica.writeMembers(() => [{ k: 'renew', round: at, keys }])
    await meet([admin, author, other])
  }
  await round(RENEWAL_ROUNDS - 1, [])
  assert.equal(mustMeet(author, admin), false)
  await round(RENEWAL_ROUNDS, [other])
  assert.equal(mustMeet(author, admin), true)
  assert.equal(mustMeet(author, other), false, 'it is no admin')
  assert.equal(mustMeet(other, admin), false, 'it was renewed')
  assert.equal(mustMeet(admin, admin), false, 'an admin renews itself')
  await round(RENEWAL_ROUNDS, [author])
  assert.equal(mustMeet(author, admin), false)
  assert.equal(membershipOf(author, () => undefined).mustMeet(admin.keys.publicKey), false, 'the home is not open')
})

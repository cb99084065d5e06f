/** What happens on the LAN: one is removed, secret and keys change, twice, and who was away comes back. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RotationView } from '../src/control/target.js'
import type { NetworkInspection } from '../src/net/index.js'
import type { Node } from '../test/e2e/node.js'
import { until } from '../test/e2e/until.js'
import type { SecurityLan } from './lan-security-world.js'
import { connectionsWith } from './lan-sockets.js'

/** Every reachable member has hung up on who was removed, ms. */
const REMOVED_MS = 5_000
/** All connected and equal after the last start, ms. */
const FOUND_MS = 10_000
/** Who was cut off or stopped is in step again, and knows who was removed, ms. */
const RETURNED_MS = 30_000

export async function story(world: SecurityLan): Promise<void> {
  const { admin, author, away, cut } = world
  await gather(world)
  await away.stop()
  world.write(away, 'written while away.txt')

  await remove(world, [admin, author, cut])
  const kept = connectionsBetween(world, [admin, author, cut])
  for (let time = 0; time < 2; time++) await rotateSecret(world, [author, cut])
  const lost = kept.filter((each) => !connectionsBetween(world, [admin, author, cut]).includes(each))
  world.check(`of ${kept.length} connections lost meanwhile: ${lost.length}`, lost.length === 0, 'must be 0')
  await rotateKey(world, author, [admin, cut])
  const rejoined = await rejoin(world)
  world.took('who was removed is a member again by another invitation, all equal', rejoined, FOUND_MS)

  await removeDuringCut(world)
  await comeBack(world)
  await staysOut(world)

  await world.say(admin, 'rotate', 'secret')
  world.secrets.note(world.nodes)
  await until('all hold the secret and use it', async () => (await newest(admin)).phase === 'used')
  const members = [admin, author, away, cut]
  await until('every member finds all others equal', async () => {
    await world.inStep(members)
    await world.cluster.verified(members)
    return true
  })
  process.stdout.write('with all four members there: the secret was published, held, used and the old one dropped\n')
}

/** Five nodes with a token each, no address given to anybody; one more invitation is taken back, one is never used. */
async function gather(world: SecurityLan): Promise<void> {
  const { admin, nodes, secrets } = world
  world.write(admin, 'large.txt', 'large file')
  await world.say(admin, 'init', '--cluster', secrets.word('cluster name'), '--name', world.memberName(admin))
  secrets.note(nodes)
  const others = nodes.slice(1)
  const tokens: string[] = []
  for (let at = 0; at < others.length; at++) tokens.push(await world.invite())
  await world.invite('--role', 'admin')
  await admin.start()
  const { invite } = (await admin.json<Array<{ invite: string; role: string }>>('invite', 'ls')).find(
    ({ role }) => role === 'admin'
  )!
  await world.say(admin, 'invite', 'revoke', invite)
  await world.invite('--role', 'public')
  for (const [at, node] of others.entries()) await world.join(node, tokens[at]!)
  for (const node of others) await node.start()
  const began = performance.now()
  await world.cluster.connected()
  await world.inStep(nodes, began)
  world.took(
    `${nodes.length} nodes connected and equal, since the last was started`,
    performance.now() - began,
    FOUND_MS
  )
  for (const node of nodes) world.write(node, 'by each.txt')
  await world.inStep(nodes)
}

/** Removes the one that is to be removed, and times how long each of these keeps its connections with it. */
async function remove(world: SecurityLan, reachable: readonly Node[]): Promise<void> {
  const { admin, removed, lan } = world
  const address = lan.addressOf(removed.name)
  const before = reachable.map(({ pid }) => connectionsWith(pid, address))
  for (const [at, { name }] of reachable.entries())
    assert.ok(before[at]!.length > 0, `${name} has a connection to lose`)
  const began = performance.now()
  const done = world.say(admin, 'revoke', (await removed.status()).node)
  const times = reachable.map(async ({ name, pid }, at) => {
    const gone = (): boolean => !connectionsWith(pid, address).some((each) => before[at]!.includes(each))
    await until(`${name} has hung up`, gone)
    return performance.now() - began
  })
  await done
  for (const [at, time] of (await Promise.all(times)).entries())
    world.took(`${reachable[at]!.name} has hung up on who was removed, since the command`, time, REMOVED_MS)
}

async function newest(node: Node): Promise<RotationView> {
  return (await node.json<RotationView[]>('rotate', 'ls'))[0]!
}

/** Those of the first with the others, and so on. */
function connectionsBetween({ lan }: SecurityLan, nodes: readonly Node[]): string[] {
  return nodes.flatMap((one, at) =>
    nodes
      .slice(at + 1)
      .flatMap((other) =>
        connectionsWith(one.pid, lan.addressOf(other.name)).map((each) => `${one.name} ${other.name} ${each}`)
      )
  )
}

/** Published, held by all but who cannot be reached, and the old one dropped for all that. */
async function rotateSecret(world: SecurityLan, others: readonly Node[]): Promise<void> {
  const { admin } = world
  await world.say(admin, 'rotate', 'secret')
  world.secrets.note(world.nodes)
  const expected = world.nodes.filter((node) => !others.includes(node) && node !== admin && node !== world.removed)
  const names = expected.map((node) => world.memberName(node)).toSorted()
  await until(`it is waited for ${names.join()} alone`, async () => {
    const { phase, missing } = await newest(admin)
    assert.equal(phase, 'published')
    assert.deepEqual(missing.map(({ name }) => name).toSorted(), names)
    return true
  })
  const began = performance.now()
  await world.say(admin, 'rotate', 'secret', '--drop')
  world.secrets.note(world.nodes)
  world.write(admin, `after rotation to ${(await newest(admin)).id}.txt`)
  await world.inStep([admin, ...others])
  await world.cluster.connected([admin, ...others])
  const held = `the secret was published, held by all but ${expected.length}, and the old one dropped`
  world.took(`${held}; since then all others are connected and equal`, performance.now() - began, FOUND_MS)
}

async function rotateKey(world: SecurityLan, node: Node, others: readonly Node[]): Promise<void> {
  const began = performance.now()
  const { next } = await node.json<{ next: string }>('rotate', 'key')
  world.secrets.note(world.nodes)
  await until(`${node.name} goes on`, async () => (await node.status()).node === next)
  for (const other of others)
    await until(`${other.name} knows it`, async () => (await world.linksOf(other)).includes(next))
  world.write(node, 'under another key.txt')
  await world.inStep([node, ...others])
  world.took(`${node.name} has another key, is connected and equal`, performance.now() - began, FOUND_MS)
}

/** With its old home and another invitation. Resolves with ms since its start. */
async function rejoin(world: SecurityLan): Promise<number> {
  const { admin, author, cut, removed } = world
  await removed.stop()
  await world.join(removed, await world.invite())
  const began = performance.now()
  await removed.start()
  await world.cluster.connected([admin, author, cut, removed])
  return world.inStep([admin, author, cut, removed], began)
}

/** Two are cut off together, one of them is removed meanwhile; back on the LAN the other has to find out. */
async function removeDuringCut(world: SecurityLan): Promise<void> {
  const { admin, author, cut, removed, lan } = world
  const both = [cut, removed]
  lan.cut(both.map(({ name }) => name))
  await remove(world, [admin, author])
  await rotateSecret(world, [author])
  const late = world.write(removed, 'written after the removal.txt')
  await until('who is cut off has it', () => existsSync(join(cut.dir, late)))
  const mark = connectionsWith(cut.pid, lan.addressOf(removed.name))
  assert.ok(mark.length > 0, 'the two are still connected')
  lan.heal(both.map(({ name }) => name))
  const began = performance.now()
  await until('who was cut off has hung up', () => {
    const now = connectionsWith(cut.pid, lan.addressOf(removed.name))
    return !now.some((each) => mark.includes(each))
  })
  world.took('who was cut off has hung up on who was removed, since it is back', performance.now() - began, RETURNED_MS)
  const after = world.write(admin, 'written when all know.txt')
  await world.inStep([admin, author, cut])
  world.took('who was cut off is in step again', performance.now() - began, RETURNED_MS)
  world.check('what was written after the removal is nowhere', !existsSync(join(cut.dir, late)), 'it was kept')
  world.check('who was removed gets nothing any more', !existsSync(join(removed.dir, after)), 'it got a file')
}

async function comeBack(world: SecurityLan): Promise<void> {
  const { admin, author, away, cut } = world
  const began = performance.now()
  await away.start()
  const ms = await world.inStep([admin, author, away, cut], began)
  world.took('who was away for three rotations, two removals and a key is in step, by itself', ms, RETURNED_MS)
  await world.cluster.connected([admin, author, away, cut])
  world.secrets.note(world.nodes)
}

/** It is started again, tries to get in, and is turned away. */
async function staysOut(world: SecurityLan): Promise<void> {
  const { admin, author, away, cut, removed } = world
  const members = [admin, author, away, cut]
  const turnedAway = async (): Promise<number> => {
    const all = await Promise.all(members.map((node) => node.client.inspect('gossip') as Promise<NetworkInspection>))
    return all.reduce((sum, { gate }) => sum + gate.refusedInbound + gate.refusedOutbound, 0)
  }
  const before = await turnedAway()
  await removed.restart()
  await until('it was turned away', async () => (await turnedAway()) > before)
  const after = world.write(admin, 'not for who was removed.txt')
  world.write(removed, 'of who was removed.txt')
  await world.inStep(members)
  const { node } = await removed.status()
  const links = (await Promise.all(members.map((member) => world.linksOf(member)))).flat()
  world.check('who was removed is turned away when it comes back', !links.includes(node), 'somebody has a link to it')
  world.check('and has nobody', (await world.linksOf(removed)).length === 0, 'it has a link')
  world.check('and learns nothing', !existsSync(join(removed.dir, after)), 'it got a file')
}

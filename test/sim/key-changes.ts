/**
 * Keys and secrets that change: what people ask for while faults go on, and what must have come of it when they are over.
 * A node goes on once under each key, everybody has the newest secret and no older one, and whoever holds an old key holds
 * nothing.
 */
import assert from 'node:assert/strict'
import { GrapevineError } from '../../src/errors.js'
import { secretIdOf, signAppointment } from '../../src/identity/index.js'
import { hexOf } from '../../src/wire/index.js'
import type { SimNode } from './node.js'
import type { World } from './world.js'
import { buildOnLie } from './writes.js'

/** Refusals whoever asks for a change may meet; anything else is a fault. */
const EXPECTED = ['stopped', 'store-failed', 'disk-full', 'catching-up', 'role-forbids', 'not-found']

/** One thing that has to do with keys; `node` does it, or hears of it from another. */
export function changeKeys(world: World, node: SimNode): void {
  const { random } = world
  const roll = random.float()
  const from = random.pick(world.nodes)
  if (node.replica === undefined) return
  if (roll < 0.3) rotateKey(world, node)
  else if (roll < 0.45) run(world, node, 'rotates the secret', () => node.keepers!.secrets.rotate())
  else if (roll < 0.5) run(world, node, 'drops old secrets', () => node.keepers!.secrets.drop())
  else if (roll < 0.57) appoint(world, node)
  else if (roll < 0.65 && from !== node) world.thieves!.goOn(node, from.id)
  else if (roll < 0.85 && from !== node)
    world.happened(`a thief writes to ${node.index}: ${world.thieves!.write(node, from.id)}`)
  else world.track(node, buildOnLie(world, node, node.replica))
}

function rotateKey(world: World, node: SimNode): void {
  run(world, node, 'rotates its key', () => node.keepers!.rotation.rotate())
}

/** The root makes an admin of a node; whichever node makes it known. */
function appoint(world: World, by: SimNode): void {
  const { cluster, root, random } = world
  const { members } = by.replica!
  const { keys, index } = random.pick(world.nodes)
  const key = keys.publicKey
  const overrides = members.removalsOf(key)
  const appointment = { key, name: `n${index}`, serial: members.lastSerial + 1, overrides }
  const signature = signAppointment(root, cluster, appointment)
  run(world, by, `makes known that ${index} is an admin`, () =>
    by.replica!.writeMembers(() => [{ k: 'appoint', ...appointment, signature }])
  )
}

function run(world: World, node: SimNode, what: string, work: () => Promise<unknown>): void {
  const { life, index } = node
  world.happened(`node ${index} ${what}`)
  world.track(
    node,
    work().then(
      () => world.happened(`node ${index} ${what}: done`),
      (error: unknown) => {
        if (node.life !== life || node.failing) return
        if (error instanceof GrapevineError && EXPECTED.includes(error.code))
          world.happened(`node ${index} ${what} in vain: ${error.code}`)
        else world.failed(error)
      }
    )
  )
}

/** Whoever asked for another key and lost the word of it in a crash asks again. */
export function askAgain(world: World): void {
  for (const node of world.nodes) if (node.keyring.next !== undefined) rotateKey(world, node)
}

/** Whether what was asked for is done: no key is on its way, no old one counts, and one secret is left. */
export function keysSettled({ nodes, network }: World): boolean {
  const linked = nodes.every((a) => nodes.every((b) => a === b || network.connected(a.id, b.id)))
  const used = new Set(nodes.flatMap(({ keepers }) => keepers!.secrets.secrets.open.map(secretIdOf)))
  return linked && used.size === 1 && nodes.every(isDone)
}

function isDone({ keyring, replica }: SimNode): boolean {
  const { members } = replica!
  return keyring.next === undefined && keyring.former.every(({ publicKey }) => members.get(publicKey) === undefined)
}

/** Everybody sees the same members, with the same roles, and has the same secret. */
export function checkKeys({ nodes, thieves }: World): void {
  const seen = new Set<string>()
  for (const { index, replica, keepers } of nodes) {
    const { members } = replica!
    for (const other of nodes)
      assert.ok(members.get(other.keys.publicKey), `node ${index} does not take ${other.index} for a member`)
    for (const { publicKey } of thieves!.rivals)
      assert.equal(members.get(publicKey), undefined, `node ${index} takes a thief for a member`)
    assert.equal(members.get(nodes[0]!.keys.publicKey)?.role, 'admin', `node ${index} knows no founder`)
    const roles = members.list().map(({ key, role }) => `${hexOf(key)} ${role}`)
    seen.add([...roles.toSorted(), ...keepers!.secrets.secrets.open.map(secretIdOf)].join(' '))
  }
  assert.equal(seen.size, 1, `the nodes see different members or secrets: ${[...seen].join(' | ')}`)
}

/** For whoever looks for why it is not settled. */
export function describeKeys({ index, keyring, replica, keepers }: SimNode, { network, nodes }: World): unknown {
  const { members } = replica!
  return {
    index,
    next: keyring.next !== undefined,
    former: keyring.former.map(({ publicKey }) => members.get(publicKey) !== undefined),
    open: keepers!.secrets.secrets.open.map((secret) => secretIdOf(secret).slice(0, 6)),
    linked: nodes.filter((other) => network.connected(keyring.node, other.id)).map((other) => other.index),
    secrets: keepers!.secrets.view().map(({ id, phase, heldBy }) => [id.slice(0, 6), phase, heldBy])
  }
}

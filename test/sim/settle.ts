/**
 * Eventually: once faults have ended, everybody comes to the same within a bounded time, whatever home it goes on with.
 * Finally: what they came to is looked at closely.
 */
import assert from 'node:assert/strict'
import { comeIntoForce } from './checkpoints.js'
import { askAgain, checkKeys, describeKeys, keysSettled } from './key-changes.js'
import { checkDocs, checkLogs, checkNothingLost, listing } from './finally.js'
import type { SimNode } from './node.js'
import { checkAgainstReference } from './reference.js'
import type { World } from './world.js'
import { writeOne } from './writes.js'

/** Virtual time until all must agree once faults have ended, ms. */
const MAX_SETTLE_MS = 400_000
const CALM = { loss: 0, duplicate: 0, requestLoss: 0, maxLatencyMs: 5, lies: 0 }

export async function settle(world: World): Promise<void> {
  world.network.faults = CALM
  for (const node of world.nodes) {
    node.heal()
    for (const other of world.nodes) world.network.slow(node.id, other.id, 1)
    if (!node.up) await node.start()
  }
  world.join()
  const { faults } = world
  const { unlucky } = faults
  if (unlucky.spare !== undefined) {
    // what one home alone holds may be what the others wait for: each of the two has its time
    await world.time.run(world.time.now + MAX_SETTLE_MS, () => settled(world))
    world.happened(`swap ${unlucky.index} for the last time`)
    await unlucky.swap()
  }
  await world.time.run(world.time.now + MAX_SETTLE_MS, () => settled(world))
  if (faults.replaced && waitForLost(world.nodes)) {
    // every node says that it waits; no more can be had, and nothing acknowledged may be missing even so
    checkNothingLost(world)
    return world.happened('what was lost with a home is waited for')
  }
  await converge(world)
  await scrubbed(world, unlucky)
  await writeQuiet(world)
  if (world.doors !== undefined) await changed(world)
  if (world.checkpoints) await compacted(world)
  await lookClosely(world)
}

/** A home that fell back without knowing has heard from everybody now: what it writes must take nobody's place. */
async function writeQuiet(world: World): Promise<void> {
  const { unlucky } = world.faults
  if (!unlucky.home.quiet) return
  unlucky.home.quiet = false
  world.always.forgetLost()
  for (let left = 3; left > 0; left--) world.track(unlucky, writeOne(world, unlucky, unlucky.replica!))
  await converge(world)
}

/** In the end the older half of everything is gone. */
async function compacted(world: World): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const node of world.nodes) world.track(node, writeOne(world, node, node.replica!))
    await converge(world)
    await comeIntoForce(world)
  }
  await converge(world)
}

/** Every change of a key or secret that was asked for comes to its end. */
async function changed(world: World): Promise<void> {
  askAgain(world)
  const done = await world.time.run(world.time.now + MAX_SETTLE_MS, () => settled(world) && keysSettled(world))
  world.check()
  assert.ok(done, `keys change for ever: ${JSON.stringify(world.nodes.map((node) => describeKeys(node, world)))}`)
  await converge(world)
  checkKeys(world)
}

async function converge(world: World): Promise<void> {
  const agreed = await world.time.run(world.time.now + MAX_SETTLE_MS, () => settled(world))
  world.check()
  assert.ok(agreed, `not converged: ${JSON.stringify(world.nodes.map(describe))}`)
}

/** A node that holds what rots finds it when it looks, and has it back from the others. */
async function scrubbed(world: World, { replica, home, index }: SimNode): Promise<void> {
  if (!home.rotten) return
  let found: string[] = []
  const scrub = async (): Promise<void> => {
    found = []
    for await (const step of replica!.scrub(() => Promise.resolve())) {
      if (!('damaged' in step)) continue
      found.push(step.damaged === 'record' ? step.id : step.reason)
      if (step.damaged === 'record') await replica!.repair(step.log, step.seq)
    }
  }
  for (let turn = 0; turn < 3; turn++) {
    let over = false
    scrub().then(
      () => (over = true),
      (error: unknown) => world.failed(error)
    )
    assert.ok(await world.time.run(world.time.now + MAX_SETTLE_MS, () => over), `node ${index} never ends its scrub`)
    world.happened(`scrub of ${index} found ${found.length}`)
    if (found.length === 0) return
  }
  assert.fail(`node ${index} does not heal: ${found.join(', ')}`)
}

async function lookClosely(world: World): Promise<void> {
  const { nodes, liar, random } = world
  world.check()
  checkNothingLost(world)
  checkLogs(nodes)
  const first = nodes[0]!.replica!
  const invalid = new Set([...liar.invalid, ...(world.thieves?.invalid ?? [])])
  await checkAgainstReference(first, invalid, world.always.archive)
  const shown = await listing(first)
  for (const node of nodes.slice(1)) assert.deepEqual(await listing(node.replica!), shown)
  await checkDocs(random.pick(nodes).replica!)
  await rebuildOne(world, shown)
}

/** The catalog is a fold of the log alone: without its index a node comes back to the very same. */
async function rebuildOne(world: World, expected: readonly string[]): Promise<void> {
  const node = world.random.pick(world.nodes)
  const root = node.replica!.catalog.root()
  await node.crash('index')
  await node.start()
  world.happened(`root ${root}`)
  // what rotted and was fetched again lies behind its hole: it is all there, and in an order of its own
  if (node.home.rotten) await converge(world)
  assert.equal(node.replica!.catalog.root(), root, `node ${node.index} comes to another root without its index`)
  assert.deepEqual(await listing(node.replica!), expected)
  await checkDocs(node.replica!)
  world.always.check(node)
}

/** Whether some log waits for a record that no node holds. */
function waitForLost(nodes: readonly SimNode[]): boolean {
  const held = (id: string): boolean => nodes.some(({ replica }) => replica!.log.find(id) !== undefined)
  return nodes.some(({ replica }) =>
    [...replica!.log.logs()].some(
      ({ log, applied, seq }) =>
        applied < seq && replica!.log.read(log, applied + 1).body.deps.some(({ id }) => !held(id))
    )
  )
}

function settled(world: World): boolean {
  // one that takes a checkpoint over begins another life for it
  return world.quiet() && world.nodes.every(({ up }) => up) && agree(world.nodes) && mayWrite(world.nodes)
}

function mayWrite(nodes: readonly SimNode[]): boolean {
  return nodes.every(({ replica, failing }) => !failing && replica!.failure === undefined)
}

function agree(nodes: readonly SimNode[]): boolean {
  const first = nodes[0]!.replica!
  const heads = [...first.log.logs()]
  return nodes.every(({ replica }) => {
    if (replica!.waiting > 0 || replica!.catalog.root() !== first.catalog.root()) return false
    let count = 0
    for (const _ of replica!.log.logs()) count += 1
    return count === heads.length && heads.every(({ log, id }) => replica!.log.get(log)?.id === id)
  })
}

function describe({ index, replica, failing }: SimNode): unknown {
  if (replica === undefined) return { node: index, up: false }
  const { catalog, waiting, log, failures } = replica
  const vector = [...log.logs()].map(({ log: of, seq, id }) => `${of.slice(0, 6)}:${seq}:${id.slice(0, 6)}`).toSorted()
  return {
    node: index,
    root: catalog.root().slice(0, 8),
    waiting,
    failing,
    failures: failures.map((failure) => `${failure.code}: ${failure.message}`),
    vector
  }
}

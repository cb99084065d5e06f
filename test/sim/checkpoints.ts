/** What the daemon does about checkpoints (checkpointing.ts), done here by the seed: propose, vouch, put in force, let go. */
import assert from 'node:assert/strict'
import { GrapevineError } from '../../src/errors.js'
import type { SimNode } from './node.js'
import type { World } from './world.js'

/** Refusals a node may meet at that; anything else is a fault. */
const EXPECTED = ['stopped', 'store-failed', 'disk-full', 'catching-up', 'role-forbids', 'record-quarantined']

/** A node proposes a checkpoint. */
export function propose(world: World, node: SimNode): void {
  run(world, node, 'proposes', async () => {
    const record = await node.replica!.checkpoints!.propose()
    world.happened(`node ${node.index} proposed ${record.id}`)
  })
}

/** A node does what is due: what all vouch for comes into force, and what it has not vouched for it does. */
export function look(world: World, node: SimNode): void {
  run(world, node, 'looks', async () => {
    const checkpoints = node.replica!.checkpoints!
    while (await checkpoints.advance()) world.happened(`node ${node.index} has one in force`)
    await checkpoints.prune()
    const due = checkpoints.due(Number.POSITIVE_INFINITY)
    if (due !== undefined) await checkpoints.attest(due)
  })
}

function run(world: World, node: SimNode, what: string, work: () => Promise<void>): void {
  const { life, replica } = node
  if (replica === undefined || replica.failure !== undefined || node.looking === life) return
  node.looking = life
  world.track(
    node,
    work().then(
      () => {
        if (node.looking === life) node.looking = undefined
      },
      (error: unknown) => {
        if (node.looking === life) node.looking = undefined
        if (node.life !== life || node.failing) return
        if (error instanceof GrapevineError && EXPECTED.includes(error.code))
          world.happened(`node ${node.index} ${what} in vain: ${error.code}`)
        else world.failed(error)
      }
    )
  )
}

/** Time between two looks of every node, and until all must have one in force, ms. */
const LOOK_MS = 500
const MAX_MS = 400_000

/** Faults are over: one more comes into force, on every node. */
export async function comeIntoForce(world: World): Promise<void> {
  const { nodes, time, random } = world
  const before = new Set(nodes.map(({ replica }) => replica!.checkpoints!.inForce?.top.proposal.id))
  let over = false
  const tick = (): void => {
    if (over) return
    for (const node of nodes) look(world, node)
    time.after(LOOK_MS, tick)
  }
  const isNew = (): boolean => {
    const [first, ...others] = nodes.map(({ replica }) => replica!.checkpoints!.inForce?.top.proposal.id)
    return first !== undefined && !before.has(first) && others.every((id) => id === first)
  }
  // what is proposed already may do, or may not follow what is in force
  tick()
  if (!(await time.run(time.now + 10 * LOOK_MS, isNew))) propose(world, random.pick(nodes))
  const done = await time.run(time.now + MAX_MS, isNew)
  over = true
  assert.ok(done, `no checkpoint comes into force: ${JSON.stringify(nodes.map(describe))}`)
}

function describe({ index, replica }: SimNode): unknown {
  const { inForce, proposals } = replica!.checkpoints!
  return {
    index,
    inForce: inForce?.top.proposal.id.slice(0, 6),
    proposals: proposals.map(({ id, before }) => [
      id.slice(0, 6),
      before?.proposal.id.slice(0, 6),
      replica!.checkpoints!.awaited(id).map((key) => key.slice(0, 6))
    ])
  }
}

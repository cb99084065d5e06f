/** Members that go on under other keys, and act under any of them, as some node knows the cluster. */
import { signRekey, type KeyPair } from '../../src/identity/index.js'
import { removalOf } from '../../src/replica/cuts.js'
import type { SeededRandom } from '../sim/random.js'
import { editOp, forge, type LabNode } from './lab.js'

/** Keys that belong to somebody: those of the nodes, and what they went on as. */
export type Pool = KeyPair[]

/** A log of its own for each step: nobody tells two stories here. */
const epochOf = (step: number): string => step.toString(16).padStart(16, 'a')

/** Some key goes on as another one, or several, as this node knows the cluster. */
export async function goOn(node: LabNode, random: SeededRandom, pool: Pool, step: number): Promise<void> {
  const old = random.pick(pool)
  const count = 1 + random.below(2)
  for (let nth = 0; nth < count; nth++) {
    const next = random.chance(0.8) ? node.lab.keysOf(`heir ${step} ${nth}`) : random.pick(pool)
    const signature = signRekey(next, node.lab.cluster, old.publicKey)
    const ops = [{ k: 'rekey' as const, key: next.publicKey, signature }]
    await node.receive([forge(node, old, { space: 'members', epoch: epochOf(step * 2 + nth), ops })])
    pool.push(next)
  }
}

/** Some key writes to the catalog, or removes another, as this node knows the cluster. */
export async function act(node: LabNode, random: SeededRandom, pool: Pool, step: number): Promise<void> {
  const keys = random.pick(pool)
  const epoch = epochOf(step * 2)
  const { publicKey } = random.pick(pool)
  const heirs = random.chance(0.5) ? node.replica.members.heirsOf(publicKey) : []
  const changes = random.chance(0.5)
    ? { ops: [editOp(node, keys, random.pick(['1', '2']).repeat(32), [['custom', step]], { epoch })] }
    : { space: 'members', ops: [removalOf(node.replica.log, publicKey, undefined, heirs)] }
  await node.receive([forge(node, keys, { epoch, ...changes })])
}

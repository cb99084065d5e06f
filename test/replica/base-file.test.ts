/** Which checkpoints are in force is known after a crash at any moment, and said to be lost when it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BaseFile, type InForce } from '../../src/replica/checkpoint/base-file.js'
import { SimDisk } from '../sim/disk.js'
import { SeededRandom } from '../sim/random.js'

const inForce = (name: string): InForce => {
  const hash = name.repeat(64)
  const proposal = { log: name.repeat(32), seq: 1, id: hash }
  return {
    top: { proposal, manifest: { hash, size: 1 }, packs: [], encoded: new Uint8Array(1_000) },
    floor: undefined,
    proofs: []
  }
}
const nameOf = (found: InForce | undefined): string | undefined => found?.top.proposal.id[0]

/** Turns of the microtask queue that writing one takes at most. */
const MOMENTS = 40
const SEEDS = 8

/** What is in force after the power was cut at each moment of writing `next`, on a disk that `before` made. */
async function afterCuts(before: (disk: SimDisk) => Promise<void>, next: InForce): Promise<Set<string | undefined>> {
  const found = new Set<string | undefined>()
  for (let moment = 0; moment < MOMENTS; moment++)
    for (let seed = 1; seed <= SEEDS; seed++) {
      const disk = new SimDisk()
      await before(disk)
      const written = new BaseFile(disk.mount()).write(next).catch(() => undefined)
      for (let turn = 0; turn < moment; turn++) await Promise.resolve()
      disk.crash(new SeededRandom(seed))
      await written
      const file = new BaseFile(disk.mount())
      found.add(nameOf(await file.read()))
      // and it goes on from there
      await file.write(inForce('c'))
      assert.equal(nameOf(await new BaseFile(disk.mount()).read()), 'c')
    }
  return found
}

test('the first is in force or not, whenever the power is cut while it is written', async () => {
  assert.deepEqual(await afterCuts(async () => undefined, inForce('a')), new Set([undefined, 'a']))
})

test('one that follows is in force or the one before it', async () => {
  const before = (disk: SimDisk): Promise<void> => new BaseFile(disk.mount()).write(inForce('a'))
  assert.deepEqual(await afterCuts(before, inForce('b')), new Set(['a', 'b']))
})

test('one that was in force and does not read back is told, and never taken for none', async () => {
  for (const names of [['a'], ['a', 'b']]) {
    const disk = new SimDisk()
    for (const name of names) await new BaseFile(disk.mount()).write(inForce(name))
    const [file, ...others] = await disk.list()
    assert.deepEqual(others, [], 'what was in force before is gone')
    disk.damage(file!, 100, Uint8Array.of(1, 2, 3))
    await assert.rejects(new BaseFile(disk.mount()).read(), { code: 'store-damaged' })
  }
})

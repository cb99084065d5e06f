/** A node must never use one place of its own log twice, whatever happened to its store. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hexOf, encodeNotice, logIdOf, type VectorEntry } from '../../src/wire/index.js'
import type { SimDisk } from '../sim/disk.js'
import { SimDisk as Disk } from '../sim/disk.js'
import { forge, Lab, meet, type LabNode } from '../replica/lab.js'

const vectorOf = (node: LabNode): VectorEntry[] => node.replica.log.vector()

/** As when a peer connects and says what it holds. */
const tell = (to: LabNode, vector: readonly VectorEntry[]): void =>
  to.replica.notified('peer', encodeNotice({ t: 'vector', full: true, vector }))

async function copyOf(disk: SimDisk): Promise<SimDisk> {
  const copy = new Disk()
  for (const name of await disk.list()) copy.place(name, disk.contentOf(name))
  return copy
}

const catalogLogs = (node: LabNode): string[] =>
  [...node.replica.log.logs()].filter((head) => head.space === 'catalog').map((head) => head.log)

/** No record of one node is refused by the other, and both show the same. */
async function agree(a: LabNode, b: LabNode): Promise<void> {
  await meet([a, b])
  assert.deepEqual(a.replica.log.vector().toSorted(byLog), b.replica.log.vector().toSorted(byLog))
  assert.equal(a.replica.catalog.root(), b.replica.catalog.root())
  for (const node of [a, b]) for (const head of node.replica.log.logs()) assert.equal(head.frozen, false)
}

const byLog = (x: VectorEntry, y: VectorEntry): number => (x.log < y.log ? -1 : 1)

describe('an epoch', () => {
  test('goes on after a restart, and after the index was lost', async () => {
    const [a] = (await new Lab().nodes(1)) as [LabNode]
    await a.put('f', '1')
    const { epoch } = a.replica
    await a.restart()
    assert.equal(a.replica.epoch, epoch)
    await a.restart({ loseIndex: true })
    assert.equal(a.replica.epoch, epoch)
    await a.put('f', '2')
    assert.equal(catalogLogs(a).length, 1)
  })

  test('is a new one when the log is damaged', async () => {
    const [a] = (await new Lab().nodes(1)) as [LabNode]
    await a.put('f', '1')
    await a.put('f', '2')
    const { epoch } = a.replica
    await a.replica.stop()
    a.disk.kill()
    a.disk.damage('00000001.seg', 200, Uint8Array.of(255, 255, 255))
    const again = await a.lab.blank('n0', { disk: a.disk, seed: 5 })
    assert.notEqual(again.replica.epoch, epoch)
  })

  test('is a new one when the newest record does not read back and no index knows of it', async () => {
    const [a] = (await new Lab().nodes(1)) as [LabNode]
    await a.put('f', '1')
    const { epoch } = a.replica
    await a.replica.stop()
    a.disk.kill()
    // a bit that flipped looks like a write that power interrupted, except that nothing is cut short
    const last = a.disk.contentOf('00000001.seg').length - 1
    a.disk.damage('00000001.seg', last, Uint8Array.of(a.disk.contentOf('00000001.seg')[last]! ^ 1))
    const again = await a.lab.blank('n0', { disk: a.disk, seed: 5 })
    assert.notEqual(again.replica.epoch, epoch)
    // and so it stays, though by now nothing in the log tells that its end was cut
    await again.replica.stop()
    a.disk.kill()
    const { epoch: fresh } = again.replica
    assert.equal((await a.lab.blank('n0', { disk: a.disk, seed: 6 })).replica.epoch, fresh)
  })

  test('goes on when power interrupted a write, which nobody can have been told of', async () => {
    const [a] = (await new Lab().nodes(1)) as [LabNode]
    await a.put('f', '1')
    const whole = a.disk.contentOf('00000001.seg')
    const { epoch } = a.replica
    await a.put('f', '2')
    await a.replica.stop()
    a.disk.kill()
    const torn = a.disk.contentOf('00000001.seg').subarray(0, whole.length + 100)
    a.disk.place('00000001.seg', torn)
    const again = await a.lab.blank('n0', { disk: a.disk, seed: 5 })
    assert.equal(again.report.cutBytes, 100)
    assert.equal(again.replica.epoch, epoch)
  })

  test('is a new one when a peer holds more of it than this node: a backup was restored', async () => {
    const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
    await a.put('f', '1')
    const backup = await copyOf(a.disk)
    await a.put('f', '2')
    await b.pull(a)
    const restored = await a.lab.blank('n0', { disk: backup, seed: 5 })
    assert.equal(restored.replica.epoch, a.replica.epoch)
    tell(restored, vectorOf(b))
    assert.notEqual(restored.replica.epoch, a.replica.epoch)
    await restored.pull(b)
    await restored.put('f', '3')
    await agree(restored, b)
    assert.equal(b.text('f'), '3')
  })

  test('is a new one even when the backup is older than the first record of that log', async () => {
    const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
    // the founder has written to the members space under its epoch, but nothing to the catalog yet
    const backup = await copyOf(a.disk)
    await a.put('f', '1')
    await b.pull(a)
    const restored = await a.lab.blank('n0', { disk: backup, seed: 5 })
    tell(restored, vectorOf(b))
    assert.notEqual(restored.replica.epoch, a.replica.epoch)
    await restored.put('g', '2')
    await agree(restored, b)
    assert.deepEqual(await b.tree(), ['f=1', 'g=2'])
  })

  test('is a new one after everything was lost', async () => {
    const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
    await b.put('f', '1')
    await a.pull(b)
    const again = await b.lab.blank('n1', { seed: 5 })
    await again.pull(a)
    await again.put('g', '2')
    await agree(again, a)
    assert.deepEqual(await a.tree(), ['f=1', 'g=2'])
  })

  test('that is not held up by a peer who holds less, or as much', async () => {
    const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
    await a.put('f', '1')
    await b.pull(a)
    await a.put('f', '2')
    const { epoch } = a.replica
    tell(a, vectorOf(b))
    tell(a, vectorOf(a))
    assert.equal(a.replica.epoch, epoch)
  })
})

describe('two processes with one key', () => {
  for (const space of ['catalog', 'members'] as const) {
    test(`that wrote different records to one place of the ${space} log freeze it and write on under new epochs, also after a restart`, async () => {
      const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
      await a.put('f', '1')
      const twin = await a.lab.blank('n0', { disk: await copyOf(a.disk), seed: 77 })
      assert.equal(twin.replica.epoch, a.replica.epoch)
      const { epoch } = a.replica
      if (space === 'catalog') {
        await a.put('f', 'of one')
        await twin.put('f', 'of the other')
      } else {
        const admit = (name: string) => [
          { k: 'admit' as const, key: a.lab.keysOf(name).publicKey, role: 'public' as const, name }
        ]
        await a.replica.writeMembers(() => admit('x'))
        await twin.replica.writeMembers(() => admit('y'))
      }
      await b.pull(a)
      await a.receive(twin.records())
      const log = logIdOf(space, a.keys.publicKey, epoch)
      assert.equal(a.replica.log.get(log)!.frozen, true)
      assert.notEqual(a.replica.epoch, epoch)
      await a.restart()
      assert.notEqual(a.replica.epoch, epoch)
      await a.put('g', 'new')
      if (space === 'members')
        await a.replica.writeMembers(() => [
          { k: 'admit', key: a.lab.keysOf('z').publicKey, role: 'public', name: 'z' }
        ])
      await b.pull(a)
      assert.equal(b.text('g'), 'new')
      if (space === 'members') assert.ok(b.replica.members.get(a.lab.keysOf('z').publicKey) !== undefined)
    })
  }
})

test('records of an epoch whose end this node does not hold are waited for, not continued', async () => {
  const [a, b] = (await new Lab().nodes(2)) as [LabNode, LabNode]
  await a.put('f', '1')
  const { epoch } = a.replica
  // a record of our own that builds on something nobody has: held, but it cannot be applied
  const unknown = { log: 'd'.repeat(32), seq: 1, id: 'e'.repeat(64) }
  await a.receive([forge(a, a.keys, { epoch, deps: [unknown], depth: 9 })])
  assert.equal(a.replica.waiting, 1)
  await a.put('g', '2')
  assert.notEqual(a.replica.epoch, epoch)
  assert.equal(a.text('g'), '2')
  await b.pull(a)
  assert.equal(b.text('g'), '2')
  assert.equal(hexOf(a.keys.publicKey).length, 64)
})

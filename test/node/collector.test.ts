/** Contents that nothing names go, after a round in which nobody asked for them, and never while something is in doubt. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { BlobStore } from '../../src/blobs/index.js'
import { GrapevineError } from '../../src/errors.js'
import { Collector, ROUND_MS } from '../../src/node/collector.js'
import { contentsIn } from '../../src/node/contents.js'
import { REISSUE_FILE } from '../../src/node/reissue.js'
import type { BodyRef } from '../../src/wire/index.js'
import { recordingLogger, tempHome } from '../control/world.js'
import { checkpoint } from '../replica/checkpointing.js'
import { until } from '../blobs/world.js'
import { Lab, type LabNode } from '../replica/lab.js'

class Rig {
  constructor(
    readonly a: LabNode,
    readonly home: string,
    readonly blobs: BlobStore,
    readonly lines: ReturnType<typeof recordingLogger>['lines'],
    readonly collector: Collector
  ) {}

  async put(path: string, text: string): Promise<BodyRef> {
    const ref = await this.store(text)
    await this.a.edit((edit) => edit.put(path, ref))
    return ref
  }

  store(text: string): Promise<BodyRef> {
    return contentsIn(this.blobs).put(Buffer.from(text))
  }

  round(): Promise<void> {
    return this.collector.round()
  }

  get gone(): number {
    return this.blobs.gone.count
  }
}

async function rig(t: TestContext): Promise<Rig> {
  const home = await tempHome(t)
  const { logger, lines } = recordingLogger()
  const blobs = new BlobStore({ logger }, { directory: join(home, 'blobs') })
  await blobs.open()
  const [a] = (await new Lab().nodes(1, { each: () => ({ contents: contentsIn(blobs) }) })) as [LabNode]
  const collector = new Collector({ home, replica: a.replica, blobs, clock: a.clock, logger }, { checkpointAgeMs: 0 })
  collector.start()
  collector.start()
  t.after(() => collector.stop())
  return new Rig(a, home, blobs, lines, collector)
}

test('an old version goes with the checkpoint that let its record go, and what is written right now stays', async (t) => {
  const world = await rig(t)
  const old = await world.put('f', 'old')
  const now = await world.put('f', 'now')
  await world.round()
  await world.round()
  assert.equal(world.gone, 0)
  await checkpoint([world.a])
  await checkpoint([world.a])
  const written = await world.store('its record is on its way')
  await world.round()
  assert.deepEqual(
    [old, now, written].map(({ hash }) => world.blobs.has(hash)),
    [false, true, true]
  )
  assert.match(JSON.stringify(world.lines), /let go/)
})

test('what was stored for nothing goes after a whole round, in a process that lived so long', async (t) => {
  const world = await rig(t)
  await world.store('for nothing')
  const { clock } = world.a
  const ended = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done))
  }
  clock.advance(ROUND_MS.least)
  await ended()
  clock.advance(ROUND_MS.least - 1)
  await ended()
  assert.equal(world.gone, 0, 'it was stored in the round before')
  clock.advance(1)
  await until('it is gone', () => world.gone === 1)
})

test('what was found named is looked at again only when more of history is gone', async (t) => {
  const world = await rig(t)
  const { log } = world.a.replica
  await world.put('f', 'old')
  await world.put('f', 'now')
  for (let round = 0; round < 2; round++) await world.round()
  const read = log.read.bind(log)
  log.read = () => assert.fail('no record is looked at for that')
  await world.round()
  log.read = read
  await checkpoint([world.a])
  await checkpoint([world.a])
  await world.round()
  await world.round()
  assert.equal(world.gone > 0, true)
})

test('nothing goes while the node is in doubt, has to write something again, or a checkpoint is held', async (t) => {
  const world = await rig(t)
  const { replica } = world.a
  await world.store('for nothing')
  await world.round()
  replica.hold('test', new GrapevineError('catching-up', 'held', { next: 'wait' }))
  await world.round()
  replica.release('test')
  await writeFile(join(world.home, REISSUE_FILE), '{}')
  await world.round()
  await rm(join(world.home, REISSUE_FILE))
  const release = replica.checkpoints!.hold()
  await world.round()
  release()
  assert.equal(world.gone, 0)
  await world.round()
  assert.equal(world.gone, 1)
})

test('a look that fails is told, and lets nothing go', async (t) => {
  const world = await rig(t)
  await world.store('for nothing')
  await world.round()
  await world.a.put('small', 'x')
  const head = world.a.replica.heads()[0]!
  const row = world.a.replica.log.row(head.log, 1)!
  world.a.disk.damage('00000001.seg', row.at.offset + 60, Buffer.from('damaged'))
  await assert.rejects(world.round(), { code: 'store-damaged' })
  world.a.clock.advance(ROUND_MS.least)
  await until('it is told', () => /could not be let go/.test(JSON.stringify(world.lines)))
  assert.equal(world.gone, 0)
})

test('a node that ends lets nothing more go, and begins when it is started again', async (t) => {
  const world = await rig(t)
  await world.store('for nothing')
  await world.round()
  world.collector.stop()
  world.collector.stop()
  await world.round()
  assert.equal(world.gone, 0)
  world.collector.start()
  await world.round()
  assert.equal(world.gone, 1)
})

/** What a GeoServer says of itself, against the stand-in. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { About, ASK_AGAIN_MS, ASK_EVERY_MS } from '../../../../src/adapters/geoserver/tell/about.js'
import { refused, unreachable } from '../../../../src/adapters/geoserver/tell/caller-errors.js'
import { recordingLogger } from '../../../control/world.js'
import { worldOf } from '../../../geoserver/world.js'
import { HandClock } from '../../../net/hand-clock.js'

interface Rig {
  readonly about: About
  readonly clock: HandClock
  readonly asked: string[]
}

function rigOf(t: TestContext, answer: (path: string) => Promise<string>): Rig {
  const clock = new HandClock()
  const asked: string[] = []
  const caller = {
    text: ({ path }: { path: string }) => {
      asked.push(path)
      return answer(path)
    }
  }
  const about = new About({ clock, logger: recordingLogger().logger, caller })
  t.after(() => about.stop())
  about.start()
  return { about, clock, asked }
}

/** Lets the answers arrive that are on their way. */
async function pass({ clock }: Rig, ms: number): Promise<void> {
  await clock.pass(ms)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('it says its version and which modules it has, without their versions', async (t) => {
  const world = await worldOf(t, undefined, { version: '2.25.6', lacks: ['mongodb'] })
  const answers: Array<Promise<unknown>> = []
  const rig = rigOf(t, (path) => {
    const answer = world.call('GET', path).then(({ text }) => text)
    answers.push(answer)
    return answer
  })
  assert.equal(rig.about.version, undefined)
  assert.equal(rig.about.modules, undefined)
  await pass(rig, 1)
  while (answers.length < 2) await Promise.all([...answers, pass(rig, 0)])
  await Promise.all(answers)
  await pass(rig, 0)
  assert.equal(rig.about.version, '2.25.6')
  for (const name of ['gs-main', 'gs-css', 'gs-wcs1_0', 'gt-xsd-gml3', 'gt-netcdf'])
    assert.ok(rig.about.modules!.has(name), name)
  assert.ok(!rig.about.modules!.has('gt-mongodb'))
})

test('it is asked again now and then, and sooner while it does not answer', async (t) => {
  let down = false
  const version = (is: string): string =>
    `<about><resource name="GeoServer"><Version>${is}</Version></resource></about>`
  let says = '2.25.6'
  const rig = rigOf(t, (path) => {
    if (down) return Promise.reject(unreachable('u', path, new Error('down')))
    return Promise.resolve(path.includes('version') ? version(says) : '<about><resource name="gs-main-2"/></about>')
  })
  await pass(rig, 1)
  assert.equal(rig.asked.length, 2)
  await pass(rig, ASK_EVERY_MS - 1)
  assert.equal(rig.asked.length, 2)
  down = true
  await pass(rig, 1)
  assert.equal(rig.asked.length, 3)
  assert.equal(rig.about.version, '2.25.6')
  down = false
  says = '2.26.2'
  await pass(rig, ASK_AGAIN_MS)
  assert.equal(rig.about.version, '2.26.2')
  assert.equal(rig.asked.length, 5)
  await rig.about.stop()
  await pass(rig, ASK_EVERY_MS)
  assert.equal(rig.asked.length, 5)
})

test('what it refuses to say, or says otherwise than a GeoServer does, is not known', async (t) => {
  const odd = [
    '',
    'no xml',
    '<about/>',
    `<about><resource name="GeoServer"><Version>${'9'.repeat(41)}</Version></resource></about>`
  ]
  for (const answer of odd) {
    const rig = rigOf(t, () => Promise.resolve(answer))
    await pass(rig, 1)
    assert.equal(rig.about.version, undefined, answer)
    assert.equal(rig.about.modules, undefined, answer)
  }
  const rig = rigOf(t, (path) => Promise.reject(refused('u', path, 404, 'no')))
  await pass(rig, ASK_EVERY_MS)
  assert.equal(rig.asked.length, 1)
  assert.equal(rig.about.version, undefined)
})

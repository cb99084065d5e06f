/** The rules of tell/teller.ts, cited by number, against the stand-in for GeoServer. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Classifier } from '../../../../src/adapters/geoserver/classify.js'
import { Debt, type TellMemory } from '../../../../src/adapters/geoserver/tell/debt.js'
import { Knowledge } from '../../../../src/adapters/geoserver/knowledge.js'
import { Caller } from '../../../../src/adapters/geoserver/tell/caller.js'
import {
  MAX_RELOAD_REST_MS,
  NOTICED_MS,
  QUIET_MS,
  RELOAD_QUIET_MS,
  RELOAD_REST,
  Teller
} from '../../../../src/adapters/geoserver/tell/teller.js'
import { WINDOW_MS, type Turn } from '../../../../src/adapters/geoserver/tell/windows.js'
import { until } from '../../../e2e/until.js'
import { smallTree, worldOf, type Tree, type World } from '../../../geoserver/world.js'
import { HandClock } from '../../../net/hand-clock.js'
import { recordingLogger } from '../../../control/world.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
const TILE_LAYER = 'gwc-layers/La-1.xml'
const STYLE_BODY = 'styles/line.sld'

class Rows implements TellMemory {
  readonly rows = new Map<string, string>()
  all(): Promise<Array<readonly [string, string]>> {
    return Promise.resolve([...this.rows])
  }
  set(key: string, value: string): void {
    this.rows.set(key, value)
  }
  delete(key: string): void {
    this.rows.delete(key)
  }
}

interface Rig {
  readonly world: World
  readonly clock: HandClock
  readonly rows: Rows
  readonly teller: Teller
  readonly passwordFile: string
  readonly lines: ReturnType<typeof recordingLogger>['lines']
  /** Changes files as the adapter does; null: removed. */
  write(changes: Readonly<Record<string, string | null>>): Promise<void>
  /** Lets time pass until GeoServer knows everything, or this holds. */
  settled(holds?: () => boolean): Promise<void>
}

interface RigOptions {
  readonly tree?: Tree
  readonly turn?: () => Turn
  readonly rows?: Rows
  readonly world?: World
  readonly password?: string
  readonly beforeCall?: () => Promise<void>
  readonly recovered?: readonly string[]
}

const ALONE: Turn = { rank: 0, nodes: 1, share: 1 }

async function rig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const world = options.world ?? (await worldOf(t, options.tree))
  const clock = new HandClock()
  const rows = options.rows ?? new Rows()
  const { logger, lines } = recordingLogger()
  const classifier = new Classifier()
  const passwordFile = join(await mkdtemp(join(tmpdir(), 'gv-teller-')), 'password')
  t.after(() => rm(dirname(passwordFile), { recursive: true }))
  await writeFile(passwordFile, options.password ?? 'geoserver', { mode: 0o600 })
  const caller = new Caller({ url: world.standIn.url, user: 'admin', passwordFile })
  const teller = new Teller({
    clock,
    logger,
    caller: {
      text: async (call, signal) => {
        await options.beforeCall?.()
        return caller.text(call, signal)
      }
    },
    knowledge: new Knowledge(world.dir, classifier),
    debt: new Debt(rows, classifier),
    bytesOf: (path) => readFile(join(world.dir, path)).catch(() => undefined),
    turn: options.turn ?? (() => ALONE)
  })
  await teller.start(options.recovered)
  await teller.ready()
  t.after(() => teller.stop())
  const settled = async (holds = () => teller.view().state === 'told' && teller.view().owed === 0): Promise<void> => {
    await until('GeoServer is told', async () => {
      await clock.pass(50)
      return holds()
    })
  }
  const write = async (changes: Readonly<Record<string, string | null>>): Promise<void> => {
    await teller.changing(Object.keys(changes), async () => {
      for (const [path, text] of Object.entries(changes))
        if (text === null) await rm(world.at(path))
        else await world.write(path, text)
    })
  }
  return { world, clock, rows, teller, passwordFile, lines, write, settled }
}

const counts = ({ world }: Rig) => world.standIn.report().counts
const calls = ({ world }: Rig): string[] =>
  world.standIn
    .report()
    .asked.filter(({ method, path }) => method !== 'GET' && !path.startsWith('/stand-in'))
    .map(({ method, path }) => `${method} ${path}`)

/** Another layer of the store, as files. */
function layerFiles(name: string): Record<string, string> {
  const { [LAYER]: layer, [FEATURE]: feature } = smallTree() as Record<string, string>
  const renamed = (text: string): string => text.replaceAll('contours', name).replaceAll(/(La|Ft)-1/g, `$1-${name}`)
  return {
    [FEATURE.replace('contours', name)]: renamed(feature!),
    [LAYER.replace('contours', name)]: renamed(layer!)
  }
}

describe('rule 2: what comes together is told together, by the cheapest call', () => {
  test('a changed layer is one PUT of its file, and the file stays as it is', async (t) => {
    const made = await rig(t)
    const changed = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
    await made.write({ [LAYER]: changed })
    assert.equal(made.teller.view().state, 'telling')
    await made.settled()
    assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml'])
    assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /sea/)
    assert.match(await made.world.text(LAYER), /sea/)
    assert.equal(made.rows.rows.size, 0)
  })

  test('a tile layer is told under the name that it has over REST, and its file stays as it is', async (t) => {
    const made = await rig(t)
    const changed = (await made.world.text(TILE_LAYER)).replace('</name>', '</name>\n  <gutter>17</gutter>')
    await made.write({ [TILE_LAYER]: changed })
    await made.settled()
    assert.match((await made.world.call('GET', '/gwc/rest/layers/coast:contours.xml')).text, /<gutter>17/)
    assert.equal(await made.world.text(TILE_LAYER), changed)
  })

  test('a template, a graphic and what came and went need no word', async (t) => {
    const made = await rig(t)
    await made.write({ 'styles/symbols/new.svg': '<svg/>', 'workspaces/coast/depth/contours/title.ftl': 't' })
    await made.write({ 'styles/symbols/gone.svg': 'x' })
    await made.write({ 'styles/symbols/gone.svg': null })
    await made.settled()
    assert.deepEqual(calls(made), [])
  })

  test('what GeoServer deleted itself meanwhile is gone, and no reason for a reload', async (t) => {
    const made = await rig(t)
    await made.world.call('DELETE', '/rest/workspaces/coast/layergroups/all')
    await made.world.write('workspaces/coast/layergroups/all.xml', 'again')
    await made.write({ 'workspaces/coast/layergroups/all.xml': null })
    await made.settled()
    assert.equal(counts(made).reloads, 0)
  })

  test('what is gone is deleted, and what GeoServer never had is none the worse', async (t) => {
    const made = await rig(t)
    await made.write({ 'workspaces/coast/layergroups/all.xml': null })
    await made.settled()
    assert.deepEqual(calls(made), ['DELETE /rest/workspaces/coast/layergroups/all.xml'])
    await made.write({ 'styles/never.xml': '' })
    await made.settled()
    assert.equal((await made.world.call('GET', '/rest/workspaces/coast/layergroups/all.xml')).status, 404)
  })
})

test('rule 2: what changes while a call is under way is written after it, and told by the next', async (t) => {
  let layer = ''
  let again: Promise<void> | undefined
  const made: Rig = await rig(t, {
    beforeCall: async () => {
      // the call has its bytes already: were the file written now, GeoServer would write the older ones over it
      again ??= made.write({ [LAYER]: layer.replace('<type>', '<path>/second</path>\n  <type>') })
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  })
  layer = await made.world.text(LAYER)
  await made.write({ [LAYER]: layer.replace('<type>', '<path>/first</path>\n  <type>') })
  await made.settled()
  await again
  await made.settled()
  assert.match(await made.world.text(LAYER), /second/)
  assert.match((await made.world.call('GET', '/rest/layers/coast:contours.xml')).text, /second/)
  assert.equal(calls(made).length, 2)
})

test('rule 1: a round that falls into the middle of a change does not take its files for told', async (t) => {
  const made = await rig(t)
  await made.write({ [STYLE_BODY]: '<StyledLayerDescriptor version="1.1.0"/>' })
  await made.settled()
  const files = layerFiles('new')
  await made.teller.changing(Object.keys(files), async () => {
    // the tiles of the style are due now, and the files of the layer are not in place yet
    for (let turn = 0; turn < 300; turn++) await made.clock.pass(NOTICED_MS / 200)
    for (const [path, text] of Object.entries(files)) await made.world.write(path, text)
  })
  await made.settled(() => made.rows.rows.size === 0)
  assert.equal((await made.world.call('GET', '/rest/layers/coast:new.xml')).status, 200)
  assert.ok(made.world.standIn.report().truncated.includes('coast:contours'))
})

describe('rule 3: reloads are gathered and wait for their turn', () => {
  test('twenty new layers, in four sets, are one reload, and every one is read back', async (t) => {
    const made = await rig(t)
    for (let set = 0; set < 4; set++) {
      await made.write(Object.assign({}, ...Array.from({ length: 5 }, (_, at) => layerFiles(`l${set * 5 + at}`))))
      await made.clock.pass(RELOAD_QUIET_MS / 2)
    }
    assert.equal(made.teller.view().state, 'reload-due')
    await made.settled()
    assert.equal(counts(made).reloads, 1)
    assert.equal(made.teller.view().reloads, 1)
    const read = made.world.standIn
      .report()
      .asked.filter(({ method, path }) => method === 'GET' && /%3Al\d+\.xml$/.test(path))
    assert.equal(read.length, 20)
    assert.equal((await made.world.call('GET', '/rest/layers/coast:l19.xml')).status, 200)
    assert.deepEqual(made.teller.view().failed, [])
  })

  test('a node whose turn it is not waits for it', async (t) => {
    const made = await rig(t, { turn: () => ({ rank: 2, nodes: 3, share: 0.34 }) })
    await made.write(layerFiles('new'))
    await made.settled(() => made.clock.monotonic() > WINDOW_MS)
    assert.equal(counts(made).reloads, 0)
    await made.settled()
    assert.equal(counts(made).reloads, 1)
    assert.ok(made.clock.monotonic() >= 2 * WINDOW_MS)
  })

  test('what has nothing to do with a reload that is due does not wait for it', async (t) => {
    const made = await rig(t, { turn: () => ({ rank: 2, nodes: 3, share: 0.34 }) })
    const layer = (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>')
    await made.write({ ...layerFiles('new'), [LAYER]: layer })
    await made.settled(() => made.teller.view().owed === 2)
    assert.equal(made.teller.view().state, 'reload-due')
    assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml'])
    await made.settled()
    assert.deepEqual(calls(made).slice(1), ['POST /rest/reload'])
  })

  for (const [took, rest] of [
    [1_000, 1_000 * RELOAD_REST],
    [10_000, MAX_RELOAD_REST_MS]
  ] as const)
    test(`after a reload of ${took} ms the next waits for ${rest} ms`, async (t) => {
      let ms: number = took
      const made: Rig = await rig(t, {
        beforeCall: async () => {
          const end = made.clock.monotonic() + ms
          await until('the call is answered', () => made.clock.monotonic() >= end)
        }
      })
      await made.write(layerFiles('one'))
      await made.settled(() => made.teller.view().reloads === 1)
      ms = 0
      await made.settled()
      const before = made.clock.monotonic()
      await made.write(layerFiles('two'))
      await made.settled(() => made.teller.view().state === 'reload-due')
      await made.clock.pass(rest - 3_000 - (made.clock.monotonic() - before))
      assert.equal(made.teller.view().reloads, 1)
      await made.settled()
      assert.equal(made.teller.view().reloads, 2)
    })
})

test('rule 1: what GeoServer was not told while it was down it is told when it is back', async (t) => {
  const made = await rig(t)
  const port = Number(new URL(made.world.standIn.url).port)
  await made.world.standIn.stop()
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled(() => made.teller.view().state === 'unreachable')
  assert.equal(made.teller.view().owed, 1)
  const until = made.clock.monotonic() + 10_000
  await made.settled(() => made.clock.monotonic() > until)
  await made.world.start({ port })
  await made.settled()
  assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml'])
  assert.equal(made.lines.filter(({ message }) => message.startsWith('GeoServer cannot be told now')).length, 1)
})

test('rule 1: what was noted before a node died is told by the next process', async (t) => {
  const first = await rig(t)
  await first.write({
    [LAYER]: (await first.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>'),
    ...layerFiles('new')
  })
  await first.teller.stop()
  assert.deepEqual(calls(first), [])
  const second = await rig(t, { world: first.world, rows: first.rows })
  assert.equal(second.teller.view().owed, 3)
  await second.settled()
  assert.equal(counts(second).reloads, 1)
  assert.equal((await first.world.call('GET', '/rest/layers/coast:new.xml')).status, 200)
})

test('what a crash left half done is told by a reload: what GeoServer knows of it is not known', async (t) => {
  const made = await rig(t, { recovered: [LAYER] })
  await made.settled()
  assert.deepEqual(calls(made), ['POST /rest/reload'])
})

test('rule 4: what GeoServer does not know where it is named is reloaded', async (t) => {
  const { [FEATURE]: feature, ...tree } = smallTree() as Record<string, string>
  const made = await rig(t, { tree })
  // beside the teller, so that it takes the layer for known
  await made.world.write(FEATURE, feature!)
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled()
  assert.deepEqual(calls(made), ['PUT /rest/layers/coast%3Acontours.xml', 'POST /rest/reload'])
  assert.equal((await made.world.call('GET', '/rest/layers/coast:contours.xml')).status, 200)
})

test('rules 5 and 6: what a reload did not load is shown with its reason, until it is mended', async (t) => {
  const made = await rig(t)
  const files = layerFiles('new')
  const [featurePath] = Object.keys(files) as [string]
  const whole = files[featurePath]!
  await made.write({
    ...files,
    ...layerFiles('fine'),
    [featurePath]: whole.replace('<id>Ds-1</id>', '<id>nobody</id>')
  })
  await made.settled(() => made.teller.view().failed.length > 0)
  const { failed } = made.teller.view()
  assert.ok(
    failed.every(({ path }) => path.includes('/new/')),
    JSON.stringify(failed)
  )
  assert.match(failed[0]!.reason, /404|500/)
  assert.equal((await made.world.call('GET', '/rest/layers/coast:fine.xml')).status, 200)
  assert.equal(counts(made).reloads, 1)
  await made.write({ [featurePath]: whole })
  await made.settled()
  assert.deepEqual(made.teller.view().failed, [])
  assert.equal(counts(made).reloads, 2)
})

test('a user that is not let in is told so, and everything stays owed', async (t) => {
  const made = await rig(t, { password: 'wrong' })
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled(() => made.teller.view().state === 'unauthorized')
  assert.equal(made.teller.view().owed, 1)
  assert.match(made.teller.view().reason!, /does not know this user and password/)
  await writeFile(made.passwordFile, 'geoserver')
  await made.settled()
  assert.equal(made.teller.view().reason, undefined)
  await made.write({ [LAYER]: (await made.world.text(LAYER)).replace('/sea', '/lake') })
  await rm(made.passwordFile)
  await made.settled(() => made.teller.view().reason !== undefined)
  assert.match(made.teller.view().reason!, /cannot be read/)
  await writeFile(made.passwordFile, 'geoserver', { mode: 0o600 })
  await made.settled()
})

describe('rule 7: tiles are dropped when the new look is drawn', () => {
  test('after GeoServer has noticed the body of a style, with no other call', async (t) => {
    const made = await rig(t)
    await made.write({ [STYLE_BODY]: '<StyledLayerDescriptor version="1.1.0"/>' })
    await made.clock.pass(QUIET_MS)
    await made.settled()
    assert.deepEqual(made.world.standIn.report().truncated, [])
    assert.ok(made.rows.rows.size > 0, 'they are owed over a restart')
    await made.clock.pass(NOTICED_MS)
    await made.settled(() => made.rows.rows.size === 0)
    assert.ok(made.world.standIn.report().truncated.includes('coast:contours'))
    assert.deepEqual(
      calls(made).filter((call) => !call.includes('masstruncate')),
      []
    )
  })
})

test('what GeoServer wrote itself is known without being told', async (t) => {
  const made = await rig(t)
  for (const [path, text] of Object.entries(layerFiles('byhand'))) await made.world.write(path, text)
  await made.teller.noticed(Object.keys(layerFiles('byhand')))
  await made.world.call('POST', '/rest/reload')
  const path = LAYER.replace('contours', 'byhand')
  await made.write({ [path]: (await made.world.text(path)).replace('<type>', '<path>/sea</path>\n  <type>') })
  await made.settled()
  assert.deepEqual(calls(made), ['POST /rest/reload', 'PUT /rest/layers/coast%3Abyhand.xml'])
})

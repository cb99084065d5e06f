/** What a start knows of a directory from the last one, and what it reads all the same. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { lstat, rm, stat, utimes } from 'node:fs/promises'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { FACTS_VERSION, FactsBook } from '../../../src/adapters/geoserver/facts-book.js'
import { rowOf } from '../../../src/adapters/directory/stat-cache.js'
import { isRead, readFacts } from '../../../src/adapters/geoserver/objects.js'
import type { GeoServerAdapter } from '../../../src/adapters/index.js'
import { eventually } from '../../contract/adapter.js'
import { smallTree } from './tree.js'
import { makeWorld, type World } from './world.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const classifier = new Classifier()
const READ = Object.keys(smallTree())
  .filter((path) => isRead(path, classifier.classify(path)))
  .toSorted()

describe('the facts of a directory over a restart', () => {
  let world: World

  beforeEach(async () => {
    world = await makeWorld()
    for (const [path, text] of Object.entries(smallTree())) await world.make(path, text)
  })
  afterEach(() => world.dispose())

  /** Starts an adapter, lets it read what it must, and scan until what it scanned can be trusted. */
  async function run(): Promise<string[]> {
    world.looked.length = 0
    const adapter: GeoServerAdapter = world.again()
    await adapter.start()
    // a set waits until the directory has been read
    await adapter.apply([], async function* () {})
    const looked = world.looked.toSorted()
    await eventually(async () => {
      const { entries } = await adapter.scan()
      return [...entries.values()].every(({ path, kind }) => kind === 'dir' || world.written.includes(path))
    })
    assert.deepEqual(adapter.broken(10), { count: 0, references: [] })
    await adapter.stop()
    return looked
  }

  test('the first start reads all that says something, the second nothing', async () => {
    assert.deepEqual(await run(), READ)
    assert.deepEqual(await run(), [])
  })

  test('what changed while it was stopped is read, also with its size and date as they were', async () => {
    await run()
    const { atime, mtime } = await stat(world.at(LAYER))
    await world.make(LAYER, smallTree()[LAYER]!.replace('contours', 'shallows'))
    await utimes(world.at(LAYER), atime, mtime)
    assert.deepEqual(await run(), [LAYER])
  })

  test('what went is forgotten, and what was known of it before is not taken for what came in its place', async () => {
    await run()
    await rm(world.at(LAYER))
    await rm(world.at('workspaces/coast/layergroups/all.xml'))
    await rm(world.at('gwc-layers/La-1.xml'))
    assert.deepEqual(await run(), [])
    assert.deepEqual(
      [...world.facts.rows.keys()].toSorted(),
      READ.filter((path) => !/layer\.xml|all\.xml|La-1/.test(path))
    )
    await world.make(LAYER, smallTree()[LAYER]!)
    assert.deepEqual(await run(), [LAYER])
  })

  test('what another version noted, or noted of another kind of file, is read again', async () => {
    await run()
    const change = (path: string, from: string, to: string): void => {
      const text = world.facts.rows.get(path)!
      assert.ok(text.includes(from))
      world.facts.rows.set(path, text.replace(from, to))
    }
    change(LAYER, `"version":${FACTS_VERSION}`, `"version":${FACTS_VERSION + 1}`)
    change('styles/line.xml', '"kind":"style"', '"kind":"layer"')
    assert.deepEqual(await run(), ['styles/line.xml', LAYER])
  })

  test('a file whose stat cannot be had, or may hide a change, is read', async () => {
    const fileClass = classifier.classify(LAYER)
    const now = await lstat(world.at(LAYER), { bigint: true })
    const isKnown = async (path: string, recheck: boolean): Promise<boolean> => {
      const cache = { get: () => rowOf(now, 'h', recheck) }
      const book = new FactsBook({ root: world.root, cache, memory: world.facts })
      book.note('h', { path, class: fileClass })
      await book.open()
      return (await book.at(path, fileClass)) !== undefined
    }
    assert.equal(await isKnown(LAYER, false), true)
    assert.equal(await isKnown(LAYER, true), false)
    assert.equal(await isKnown('gone.xml', false), false)
  })
})

/** When this fails, the same bytes say something else than before: raise FACTS_VERSION, then put the new sum here. */
test('what files say is what version 3 of the facts noted', () => {
  const tree = {
    ...smallTree(),
    'styles/dots.xml': '<style><id>S</id><name>dots</name><format>sld</format></style>',
    'styles/line.sld': '<StyledLayerDescriptor href="buoy.svg"/>',
    'workspaces/coast/layergroups/broken.xml': '<layerGroup>',
    'workspaces/coast/tides/datastore.xml':
      '<dataStore><name>tides</name><connectionParameters><entry key="passwd">crypt1:x</entry></connectionParameters></dataStore>'
  }
  const said = Object.entries(tree).map(([path, text]) => {
    const { object, problem, graphics } = readFacts(path, classifier.classify(path), Buffer.from(text))
    return [path, object, problem?.word, graphics]
  })
  const sum = createHash('sha256').update(JSON.stringify(said)).digest('hex')
  assert.deepEqual(
    { version: FACTS_VERSION, sum },
    { version: 3, sum: '77ab88859f4ae93b6b329a6c07e6b55542f8f17a48e5963101be967410fbacd9' }
  )
})

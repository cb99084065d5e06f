/** What is known of a data directory is never older than what was looked at last, whoever looks at it meanwhile. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { FactsBook } from '../../../src/adapters/geoserver/facts-book.js'
import { Knowledge } from '../../../src/adapters/geoserver/knowledge.js'
import { readFacts, type FileFacts } from '../../../src/adapters/geoserver/objects.js'
import { MemoryStatCache, MemoryTextMemory } from '../../../src/adapters/index.js'
import { smallTree } from './tree.js'
import { makeWorld } from './world.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const classifier = new Classifier()
const newer: FileFacts = readFacts(
  LAYER,
  classifier.classify(LAYER),
  Buffer.from(smallTree()[LAYER]!.replace('Style-1', 'Style-7'))
)

/** Knowledge of a small directory; `read` is called when a file has been read and nobody knows of it yet. */
async function knowledgeOf(t: TestContext, read: (path: string, knowledge: Knowledge) => void): Promise<Knowledge> {
  const world = await makeWorld()
  t.after(() => world.dispose())
  for (const [path, text] of Object.entries(smallTree())) await world.make(path, text)
  const memory = new (class extends MemoryTextMemory {
    override set(path: string, text: string): void {
      super.set(path, text)
      read(path, knowledge)
    }
  })()
  const book = new FactsBook({ root: world.root, cache: new MemoryStatCache(), memory })
  const knowledge = new Knowledge(world.root, classifier, book)
  return knowledge
}

test('a look that something newer overtook finds nothing out', async (t) => {
  let reads = 0
  const knowledge = await knowledgeOf(t, (path, known) => {
    if (path === LAYER && ++reads === 2) known.put(newer)
  })
  await knowledge.load()
  assert.equal(await knowledge.look(LAYER), newer)
  assert.equal(knowledge.at(LAYER), newer)
  const last = await knowledge.look(LAYER)
  assert.notEqual(last, newer)
  assert.equal(knowledge.at(LAYER), last)
})

for (const [what, change, known] of [
  ['is written', (knowledge: Knowledge) => knowledge.put(newer), newer],
  ['goes', (knowledge: Knowledge) => knowledge.delete(LAYER), undefined]
] as const)
  test(`what ${what} while the directory is read for the first time is known as it is then`, async (t) => {
    const knowledge = await knowledgeOf(t, (path, known_) => {
      if (path === LAYER) change(known_)
    })
    await knowledge.load()
    assert.equal(knowledge.at(LAYER), known)
    assert.equal(knowledge.inventory.dangling().length > 0, true)
  })

test('of a directory that was scanned only what is known otherwise is looked at', async (t) => {
  const knowledge = await knowledgeOf(t, () => {})
  await knowledge.load()
  const found = new Map([...knowledge.inventory.files.values()].map(({ path, hash = 'unread' }) => [path, hash]))
  assert.deepEqual(knowledge.differing(found), [])
  found.set(LAYER, 'other')
  found.set('styles/new.xml', 'new')
  found.delete('styles/line.xml')
  assert.deepEqual(knowledge.differing(found).toSorted(), ['styles/line.xml', 'styles/new.xml', LAYER])
})

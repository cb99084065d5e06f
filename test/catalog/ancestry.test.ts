/** Where contents came from, over records of the lab and versions made by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ancestry, versionsIn, type Version } from '../../src/catalog/index.js'
import { bodyRefOf } from '../../src/wire/index.js'
import { Lab, meet } from '../replica/lab.js'

const ref = (text: string): { hash: string; size: number } => bodyRefOf(Buffer.from(text))

function version(key: string, text: string | null, ...parents: string[]): Version {
  return {
    key,
    body: text === null ? null : ref(text),
    stamp: { time: 1, log: 'l', seq: 1 },
    parents,
    first: parents.length === 0
  }
}

test('edits name what they replaced, whatever else the records hold and in whatever order they are read', async () => {
  const [a, b] = await new Lab().nodes(2)
  await a!.put('f', 'one')
  await a!.put('g', 'other')
  await meet([a!, b!])
  await a!.put('f', 'of a')
  await b!.put('f', 'of b')
  await b!.edit((edit) => edit.move('f', 'h'))
  await meet([a!, b!])
  const { id, state, meaning } = a!.at('h')
  const records = a!.records().filter(({ body }) => body.space === 'catalog')
  for (const some of [records, records.toReversed()]) {
    const ancestry = new Ancestry(versionsIn(some, { id, state }))
    const live = state.tuples.filter(({ field }) => field === 'body').map(({ client, clock }) => `${client}:${clock}`)
    assert.equal(live.length, 2)
    assert.deepEqual(ancestry.common(live), ref('one'))
    assert.deepEqual(
      ancestry.roots().map(({ body }) => body),
      [ref('one')]
    )
  }
  assert.equal(meaning.conflicts.length, 1)
})

test('what two made apart has no common ancestor and two roots; a deletion is no content and no root', async () => {
  const [a, b] = await new Lab().nodes(2)
  await a!.put('f', 'of a')
  await b!.put('f', 'of b')
  await meet([a!, b!])
  const of = (path: string): Ancestry => new Ancestry(versionsIn(a!.records(), a!.at(path)))
  const keys = of('f')
    .roots()
    .map(({ key }) => key)
  assert.equal(keys.length, 2)
  assert.equal(of('f').common(keys), undefined)
  await a!.remove('f')
  await a!.put('f', 'anew')
  assert.equal(of('f').roots().length, 2)
  const deleted = new Ancestry([
    version('1', 'x'),
    version('2', null, '1'),
    version('3', 'a', '2'),
    version('4', 'b', '2')
  ])
  assert.equal(deleted.common(['3', '4']), undefined)
})

test('versions that say the same and replaced the same are one ancestor', () => {
  const merges = [version('m1', 'm', 'a', 'b'), version('m2', 'm', 'b', 'a')]
  const all = [
    version('0', 'x'),
    version('a', 'a', '0'),
    version('b', 'b', '0'),
    ...merges,
    version('p', 'p', 'm1'),
    version('q', 'q', 'm2')
  ]
  assert.deepEqual(new Ancestry(all).common(['p', 'q']), ref('m'))
  assert.deepEqual(new Ancestry(all.toReversed()).common(['p', 'q']), ref('m'))
  const differing = [
    ...all.slice(0, 3),
    version('m1', 'm', 'a', 'b'),
    version('m2', 'n', 'a', 'b'),
    version('p', 'p', 'm1'),
    version('q', 'q', 'm2')
  ]
  // two newest ancestors: neither says what both began with
  assert.equal(new Ancestry(differing).common(['p', 'q']), undefined)
})

test('one that is an ancestor of the other, an unknown one and a circle have no common ancestor', () => {
  const all = [version('0', 'x'), version('a', 'a', '0')]
  assert.equal(new Ancestry(all).common(['0', 'a']), undefined)
  assert.equal(new Ancestry(all).common(['a', 'nowhere']), undefined)
  assert.equal(new Ancestry(all).common([]), undefined)
  assert.equal(new Ancestry([version('a', 'a', 'b'), version('b', 'b', 'a')]).common(['a', 'b']), undefined)
})

test('of versions whose records are gone the doc still tells, but not what they replaced', async () => {
  const [a, b] = await new Lab().nodes(2)
  await a!.put('f', 'one')
  await a!.put('f', 'two')
  await meet([a!, b!])
  const settled = a!.records().length
  await a!.put('f', 'of a')
  await b!.put('f', 'of b')
  await meet([a!, b!])
  const { id, state } = a!.at('f')
  const late = a!.records().filter(({ body }) => body.seq > 2 || Buffer.compare(body.author, b!.keys.publicKey) === 0)
  assert.ok(late.length < settled + 2)
  const ancestry = new Ancestry(versionsIn(late, { id, state }))
  const live = state.tuples.filter(({ field }) => field === 'body').map(({ client, clock }) => `${client}:${clock}`)
  assert.deepEqual(ancestry.common(live), ref('two'))
  assert.deepEqual(ancestry.roots(), [])
  // a doc that was made into one state has forgotten what does not live any more
  const forgetful = new Ancestry(versionsIn(late, { id, state: { clients: state.clients, doc: [] } }))
  assert.equal(forgetful.common(live), undefined)
  assert.deepEqual(forgetful.roots(), [])
})

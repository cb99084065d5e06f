/** Attacks by edits: a Yjs update that is not its author's own next one counts nowhere, and swallows or undoes nothing. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as Y from 'yjs'
import { clientIdOf, entryIdOfPath, ROOT_ID } from '../../src/catalog/index.js'
import { encodeUpdate } from '../../src/catalog/update.js'
import type { Op, SignedRecord } from '../../src/wire/index.js'
import { until } from '../e2e/until.js'
import { edit, file, Forger, MAX_GROWTH_BYTES, newEntry, place, watch, type Forged } from './forger.js'
import { attacks, LONG_MS, sized, type World } from './world.js'

const attack = attacks()

const PATH = 'target.txt'
const TARGET = entryIdOfPath(ROOT_ID, PATH, 'file', 0)

/** The honest node's client id for the entry that is attacked, with its epoch and where its clock stands. */
async function victim({ honest: [a] }: World): Promise<{ client: number; clock: number }> {
  await a.client.put(PATH, one(`honest ${randomBytes(4).toString('hex')}`))
  const doc = await a.client.doc(PATH)
  const own = doc.clients.find(({ author }) => author === a.id)!
  return { client: Number(own.client), clock: own.clock }
}

async function* one(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

/** What the honest write next is everywhere what they wrote. */
async function stillWrites({ honest }: World, text: string): Promise<void> {
  for (const [at, node] of honest.entries()) {
    await node.client.put(PATH, one(`${text} ${at}`))
    for (const { dir } of honest)
      await until('the honest change is there', () => readFileSync(join(dir, PATH), 'utf8') === `${text} ${at}`)
    assert.equal((await node.client.entry(PATH)).conflicts.length, 0)
  }
}

attack('an edit under the client id of another swallows nothing of what that one writes next', async (world) => {
  const unscathed = await watch(world)
  const { client, clock } = await victim(world)
  const forger = await Forger.at(world, await world.member())
  for (const at of [clock, clock + 1, 0]) {
    const ops: Forged['ops'] = (body) => [edit(body, TARGET, [['custom', 'forged']], { client, clock: at })]
    const line = await forger.give(await forger.seal({ ops }))
    assert.equal(line.state, 'rejected')
    assert.match(line.reason!, /client id/)
  }
  await stillWrites(world, 'after forged clients')
  await unscathed()
})

attack('an edit that deletes what is not written yet deletes nothing that is written later', async (world) => {
  const unscathed = await watch(world)
  const { client, clock } = await victim(world)
  const forger = await Forger.at(world, await world.member())
  for (const [from, length] of [
    [clock, 1_000],
    [0, 2 ** 40],
    [2 ** 40 - 1, 1]
  ] as const) {
    const deletes = [{ client, clock: from, length }]
    await forger.give(await forger.seal({ ops: (at) => [edit(at, TARGET, [], { deletes })] }))
    await stillWrites(world, `after deleting ${length} from ${from}`)
  }
  // and of itself, before it writes
  const own: Forged['ops'] = (at) => {
    const deletes = [{ client: clientIdOf(at.author, at.epoch, TARGET), clock: 0, length: 1_000 }]
    return [edit(at, TARGET, [['custom', 'mine']], { deletes })]
  }
  await forger.give(await forger.seal({ ops: own }))
  await stillWrites(world, 'after deleting its own')
  await unscathed()
})

attack('edits out of order, twice and with gaps count nowhere', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const at =
    (clock: number): Forged['ops'] =>
    (body) => [edit(body, TARGET, [['custom', clock]], { clock })]
  const first = await forger.seal({ ops: at(0) })
  const again = forger.next(first, { ops: at(0) })
  const gap = forger.next(again, { ops: at(2) })
  const backwards = forger.next(gap, { ops: (body) => [...at(2)(body), ...at(1)(body)] })
  const good = forger.next(backwards, { ops: at(1) })
  assert.equal((await forger.give(first)).state, 'applied')
  const all: SignedRecord[] = [first]
  for (const [record, state] of [
    [again, 'rejected'],
    [gap, 'rejected'],
    [backwards, 'rejected'],
    [good, 'applied']
  ] as const) {
    all.push(record)
    const line = await forger.give(...all)
    assert.equal(line.state, state, line.reason)
    if (state === 'rejected') assert.match(line.reason!, /clock/)
  }
  await stillWrites(world, 'after edits out of order')
  await unscathed()
})

/** What Yjs itself would take in and we never write: nested types, texts, several clients, garbage, subdocuments. */
const FOREIGN: ReadonlyArray<readonly [what: string, make: (client: number) => Uint8Array]> = [
  ['a nested type', yjs((doc) => doc.getArray('f').push([new Y.Map([['place', 1]])]))],
  ['a text', yjs((doc) => doc.getText('f').insert(0, 'text'))],
  ['an element', yjs((doc) => doc.getXmlFragment('f').push([new Y.XmlElement('script')]))],
  ['a subdocument', yjs((doc) => doc.getArray('f').push([new Y.Doc()]))],
  ['another root', yjs((doc) => doc.getArray('g').push([['custom', 1, 0, 1]]))],
  ['a key of a map', yjs((doc) => doc.getMap('f').set('__proto__', 1))],
  [
    'two clients',
    (client) => {
      const doc = docOf(client)
      doc.getArray('f').push([['custom', 1, 0, 1]])
      const other = docOf(client + 1)
      Y.applyUpdate(other, Y.encodeStateAsUpdate(doc))
      other.getArray('f').push([['custom', 2, 0, 1]])
      return Y.encodeStateAsUpdate(other)
    }
  ],
  [
    'a delete and its garbage',
    yjs((doc) => {
      doc.getArray('f').push([['custom', 1, 0, 1]])
      doc.getArray('f').delete(0, 1)
    })
  ],
  ['a second encoding', (client) => Y.convertUpdateFormatV1ToV2(yjs((doc) => doc.getArray('f').push([1]))(client))],
  ['one byte of nothing', () => new Uint8Array(1)],
  ['a billion structs', () => Uint8Array.from([1, 255, 255, 255, 255, 15, 1, 0])],
  ['an endless number', () => new Uint8Array(64).fill(0xff)]
]

function docOf(client: number): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = client
  return doc
}

function yjs(write: (doc: Y.Doc) => void): (client: number) => Uint8Array {
  return (client) => {
    const doc = docOf(client)
    write(doc)
    return Y.encodeStateAsUpdate(doc)
  }
}

attack('an update of a form that no edit has counts nowhere, though Yjs would take it', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  for (const [what, make] of FOREIGN) {
    const ops: Forged['ops'] = (at): Op[] => [
      { k: 'edit', entry: TARGET, update: make(clientIdOf(at.author, at.epoch, TARGET)) }
    ]
    const line = await forger.give(await forger.seal({ ops }))
    assert.equal(line.state, 'rejected', what)
  }
  await stillWrites(world, 'after foreign updates')
  await unscathed()
})

/** A value in so many lists; an encoder that calls itself would not come to its end. */
function nested(levels: number): Forged['ops'] {
  return ({ author, epoch, time, seq }) => {
    const client = clientIdOf(author, epoch, TARGET)
    const whole = encodeUpdate({ client, clock: 0, tuples: [['custom', MARK, time, seq]], deletes: [] })
    const mark = Buffer.concat([Uint8Array.of(TEXT, MARK.length), Buffer.from(MARK)])
    const at = Buffer.from(whole).indexOf(mark)
    const inner = Buffer.concat([Buffer.alloc(2 * levels, Uint8Array.of(LIST, 1)), Uint8Array.of(NULL)])
    const update = Buffer.concat([whole.subarray(0, at), inner, whole.subarray(at + mark.length)])
    return [{ k: 'edit', entry: TARGET, update }]
  }
}

/** How lib0 begins a value. */
const LIST = 117
const TEXT = 119
const NULL = 126
const MARK = 'to be replaced'

attack('values nested without end, or under names that reach into objects, count nowhere', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const give = async (ops: Forged['ops']): Promise<string> => (await forger.give(await forger.seal({ ops }))).state
  for (const levels of [17, 33, 12_000]) assert.equal(await give(nested(levels)), 'rejected', `${levels} levels`)
  assert.equal(await give((at) => [edit(at, TARGET, [['custom', { __proto: 1 }]])]), 'rejected')
  for (const field of ['__proto__', '', 'x'.repeat(65)])
    assert.equal(await give((at) => [edit(at, TARGET, [[field, 1]])]), 'rejected', field)
  // as deep as it may be
  assert.equal(await give(nested(16)), 'applied')
  await unscathed()
})

/** An entry of 40,000 values is megabytes that each change writes anew: what of those lies about is not collected at once. */
const CROWDED_GROWTH_BYTES = sized(MAX_GROWTH_BYTES, 512 * 2 ** 20)

attack(
  'an entry written under thousands of client ids, and deletions that name thousands, keep nobody',
  async (world) => {
    const unscathed = await watch(world, CROWDED_GROWTH_BYTES)
    const { client } = await victim(world)
    const forger = await Forger.at(world, await world.member())
    const ranges = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ client: client + count - at, clock: 0, length: 1 }))
    for (const [count, state] of [
      [4_096, 'applied'],
      [4_097, 'rejected']
    ] as const) {
      const ops: Forged['ops'] = (at) => [edit(at, TARGET, [], { deletes: ranges(count) })]
      assert.equal((await forger.give(await forger.seal({ ops }))).state, state, `${count}`)
    }
    // more than that is no update, and a record that holds one is none
    const many: Forged['ops'] = (at) => [edit(at, TARGET, [], { deletes: ranges(20_000) })]
    const crowded = await forger.seal({ ops: many })
    await forger.refused(crowded.bytes, crowded.log)
    // an epoch each is a client id each
    const entry = newEntry()
    const { deps, depth } = await world.past()
    await forger.give(await forger.seal({ ops: file('crowded.txt', undefined, Buffer.from('x'), entry) }))
    const clients = sized(200, 20_000)
    const [a] = world.honest
    let offered: SignedRecord[] = []
    for (let at = 1; at <= clients; at++) {
      const record = await forger.seal({
        deps,
        depth,
        ops: (body) => [edit(body, entry, [['custom', at], place('crowded.txt')])]
      })
      forger.offer(record.log, [record.bytes], record.id.slice(0, 16))
      offered.push(record)
      // more logs at once than these are not even listened to
      if (at % 200 !== 0) continue
      for (const each of offered) assert.equal((await forger.judged(each, LONG_MS)).state, 'applied')
      offered = []
    }
    assert.equal((await a.client.doc('crowded.txt')).clients.length, clients + 1)
    // one honest write sees them all and ends it
    await a.client.put('crowded.txt', one('honest'))
    for (const { dir } of world.honest)
      await until('the honest change is there', () => readFileSync(join(dir, 'crowded.txt'), 'utf8') === 'honest')
    await unscathed()
  }
)

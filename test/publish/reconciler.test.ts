/** The rules of publish/reconciler.ts and same-names.ts, cited by number, over nodes of the lab and contents of GeoServer. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Classifier } from '../../src/adapters/geoserver/classify.js'
import { contentsOf } from '../../src/adapters/geoserver/contents.js'
import { GrapevineError } from '../../src/errors.js'
import { ancestryOf } from '../../src/node/make-reconciler.js'
import { Reconciler } from '../../src/publish/index.js'
import { MAX_MERGED_BYTES, MAX_SIDES } from '../../src/publish/sides.js'
import type { Logger } from '../../src/runtime.js'
import { bodyRefOf, type BodyRef, type Role } from '../../src/wire/index.js'
import { Lab, meet, type LabNode } from '../replica/lab.js'
import { SeededRandom } from '../sim/random.js'

const STYLE = 'styles/line.xml'
const LAYER = 'workspaces/w/s/l/layer.xml'
const GROUP = 'layergroups/g.xml'

const style = (id: string, ...fields: string[]): string =>
  `<style>\n  <id>${id}</id>\n  <name>line</name>\n${fields.map((field) => `  ${field}\n`).join('')}</style>\n`
const layer = (id: string, styleId: string, ...fields: string[]): string =>
  `<layer>\n  <name>l</name>\n  <id>${id}</id>\n  <defaultStyle>\n    <id>${styleId}</id>\n  </defaultStyle>\n${fields.map((field) => `  ${field}\n`).join('')}</layer>\n`
const group = (styleId: string): string =>
  `<layerGroup>\n  <id>Gr</id>\n  <name>g</name>\n  <styles>\n    <style><id>${styleId}</id></style>\n  </styles>\n</layerGroup>\n`
const tiles = (id: string, ...fields: string[]): string =>
  `<GeoServerTileLayer>\n  <id>${id}</id>\n${fields.map((field) => `  ${field}\n`).join('')}</GeoServerTileLayer>\n`

class Mind {
  readonly reconciler: Reconciler
  readonly done: string[] = []
  readonly warned: string[] = []
  readonly wanted: string[] = []
  readonly blobs = new Map<string, Uint8Array>()
  /** Runs before each write, as somebody else who is quicker. */
  before: () => Promise<void> = () => Promise.resolve()

  constructor(readonly node: LabNode) {
    const { reader } = node.replica
    const bytesOf = (ref: BodyRef): Uint8Array | undefined => reader.inlineBody(ref) ?? this.blobs.get(ref.hash)
    const note = (message: string): void => void this.warned.push(message)
    const logger: Logger = { debug: note, info: note, warn: note, error: note }
    this.reconciler = new Reconciler({
      reader,
      contents: contentsOf(new Classifier()),
      sink: {
        change: async (change, { bytes, time }) => {
          await this.before()
          return node.replica.change(change, bytes, time)
        }
      },
      bodies: {
        has: (ref) => bytesOf(ref) !== undefined,
        want: (ref) => this.wanted.push(ref.hash),
        source: async function* (ref) {
          yield bytesOf(ref)!
        },
        store: async (source) => {
          const parts: Uint8Array[] = []
          for await (const part of source) parts.push(part)
          const bytes = Buffer.concat(parts)
          this.blobs.set(bodyRefOf(bytes).hash, bytes)
          return bodyRefOf(bytes)
        }
      },
      clock: node.clock,
      logger,
      authorOf: (log) => node.replica.authorOf(log),
      ancestry: (entry) => ancestryOf(node.replica, entry),
      mayWrite: () => this.writes,
      active: () => this.writes,
      patienceMs: () => 100,
      done: (path, how) => this.done.push(`${how} ${path}`)
    })
  }

  get writes(): boolean {
    return this.node.replica.members.get(this.node.keys.publicKey)?.role !== 'public'
  }

  get records(): number {
    return this.node.records().length
  }
}

/** Nodes that know of each other, each with its mind at work; records go from one to the other by `meet` alone. */
async function minds(count: number, roles?: readonly Role[]): Promise<Mind[]> {
  const all: Mind[] = []
  const nodes = await new Lab().nodes(count, {
    ...(roles === undefined ? {} : { roles }),
    each: (index) => ({ events: { entriesChanged: (ids) => all[index]?.reconciler.changed(ids) } })
  })
  for (const [at, node] of nodes.entries()) {
    // what the first does comes before what the second does, unless a test says otherwise
    node.clock.advance(at * 1_000)
    const mind = new Mind(node)
    all.push(mind)
    await mind.reconciler.start()
  }
  return all
}

/** Each does what it has to do, with what it knows. */
async function think(all: readonly Mind[]): Promise<void> {
  for (const { node, reconciler } of all) {
    do {
      await node.settled()
      node.clock.advance(100)
      await node.settled()
    } while (!reconciler.idle)
  }
}

/** Until nobody writes any more, whatever is carried to and fro. */
async function converge(all: readonly Mind[]): Promise<void> {
  for (let before = '', turn = 0; ; turn++) {
    assert.ok(turn < 20, 'they do not come to an end')
    await think(all)
    await meet(all.map(({ node }) => node))
    await think(all)
    const now = all.map(({ records }) => records).join()
    if (now === before) break
    before = now
  }
  const roots = new Set(all.map(({ node }) => node.replica.catalog.root()))
  assert.equal(roots.size, 1)
}

/** Made by the first, known to all. */
async function known(all: readonly Mind[], files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) await all[0]!.node.put(path, text)
  await converge(all)
}

describe('rule 1: two edits of one content are merged against their newest common ancestor', () => {
  const base = layer('La', 'St', '<title>t</title>', '<path>/p</path>')

  test('two nodes that do it at once write the same, and nobody writes any more', async () => {
    const all = await minds(3)
    const [a, b, c] = all as [Mind, Mind, Mind]
    await known(all, { [LAYER]: base })
    await a.node.put(LAYER, base.replace('>t<', '>new<'))
    await b.node.put(LAYER, base.replace('/p', '/q'))
    await meet(all.map(({ node }) => node))
    for (const { node } of all) assert.equal(node.at(LAYER).meaning.conflicts.length, 1)
    await think(all)
    assert.deepEqual(
      [a.done, b.done, c.done],
      Array.from({ length: 3 }, () => [`merged ${LAYER}`])
    )
    await converge(all)
    for (const { node, done } of all) {
      assert.equal(node.text(LAYER), layer('La', 'St', '<title>new</title>', '<path>/q</path>'))
      assert.equal(node.at(LAYER).meaning.conflicts.length, 0)
      assert.equal(done.length, 1)
    }
  })

  test('what both made of it at once is one ancestor of what they do next', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await known(all, { [LAYER]: base })
    await a.node.put(LAYER, base.replace('>t<', '>new<'))
    await b.node.put(LAYER, base.replace('/p', '/q'))
    await meet([a.node, b.node])
    await think(all)
    // neither has seen the other's merge
    const text = a.node.text(LAYER)
    await a.node.put(LAYER, text.replace('>new<', '>newer<'))
    await b.node.put(LAYER, text.replace('/q', '/r'))
    await converge(all)
    assert.equal(a.node.text(LAYER), layer('La', 'St', '<title>newer</title>', '<path>/r</path>'))
    assert.equal(a.node.at(LAYER).meaning.conflicts.length, 0)
  })

  test('three edits of different parts, as they come', async () => {
    const all = await minds(3)
    const [a, b, c] = all as [Mind, Mind, Mind]
    const from = layer('La', 'St', '<a>1</a>', '<b>1</b>', '<c>1</c>')
    await known(all, { [LAYER]: from })
    await a.node.put(LAYER, from.replace('<a>1', '<a>2'))
    await b.node.put(LAYER, from.replace('<b>1', '<b>2'))
    await c.node.put(LAYER, from.replace('<c>1', '<c>2'))
    await converge(all)
    assert.equal(c.node.text(LAYER), layer('La', 'St', '<a>2</a>', '<b>2</b>', '<c>2</c>'))
  })

  test('edits of one part, of a file of which nothing is known, or of one that is no document stay a conflict', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await known(all, { [LAYER]: base, 'www/a.txt': 'x', [STYLE]: style('St') })
    for (const { node } of all) {
      await node.put(LAYER, base.replace('>t<', `>${node.id}<`))
      await node.put('www/a.txt', node.id)
      await node.put(STYLE, node === a.node ? 'broken' : style('St', '<x/>'))
    }
    await meet([a.node, b.node])
    const before = a.records
    await converge(all)
    assert.equal(a.records, before)
    assert.equal(a.node.replica.catalog.conflicts, 3)
  })

  test('a deletion and what was made anew after it are no ground to merge on', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await known(all, { [LAYER]: base })
    await a.node.remove(LAYER)
    await a.node.put(LAYER, base.replace('>t<', '>new<'))
    await b.node.put(LAYER, base.replace('/p', '/q'))
    await converge(all)
    assert.equal(a.node.at(LAYER).listed, true)
  })
})

describe('rule 2: ids of objects that were made apart under one name become one', () => {
  test('in the object and wherever they are named, in what one alone made too; what differs besides stays a conflict', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await a.node.put(STYLE, style('St-a'))
    await a.node.put(LAYER, layer('La-a', 'St-a', '<title>of a</title>'))
    await b.node.put(STYLE, style('St-b'))
    await b.node.put(LAYER, layer('La-b', 'St-b', '<title>of b</title>'))
    await b.node.put(GROUP, group('St-b'))
    await converge(all)
    for (const { node } of all) {
      assert.equal(node.text(STYLE), style('St-a'))
      assert.equal(node.at(STYLE).meaning.conflicts.length, 0)
      assert.equal(node.text(GROUP), group('St-a'))
      // the later value still wins, with the surviving ids
      assert.equal(node.text(LAYER), layer('La-a', 'St-a', '<title>of b</title>'))
      assert.deepEqual(node.losers(LAYER), [layer('La-a', 'St-a', '<title>of a</title>')])
    }
  })

  test('in whatever order others hear of it', async () => {
    const all = await minds(4)
    const [a, b, c, d] = all as [Mind, Mind, Mind, Mind]
    await a.node.put(STYLE, style('St-a'))
    await b.node.put(GROUP, group('St-b'))
    await b.node.put(STYLE, style('St-b', '<x/>'))
    const [ofA, ofB] = [a.node.records(), b.node.records()]
    for (const [third, order] of [
      [c, [ofA, ofB]],
      [d, [ofB, ofA]]
    ] as const) {
      for (const records of order) {
        await third.node.receive(records)
        await think([third])
      }
      assert.equal(third.node.text(GROUP), group('St-a'))
      assert.equal(third.node.text(STYLE), style('St-a', '<x/>'))
    }
    await converge(all)
  })

  test('what comes later and still says the old id is mended, a file and the object itself', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await a.node.put(STYLE, style('St-a'))
    await b.node.put(STYLE, style('St-b'))
    await converge(all)
    // a GeoServer that was not told yet goes on with the id it had
    await b.node.put(GROUP, group('St-b'))
    await b.node.put(STYLE, style('St-b', '<x/>'))
    await converge(all)
    assert.equal(a.node.text(GROUP), group('St-a'))
    assert.equal(a.node.text(STYLE), style('St-a', '<x/>'))
    assert.deepEqual(a.done.concat(b.done).filter((line) => line.startsWith('reference')).length > 0, true)
  })

  test('a node that starts afterwards knows it from the records alone', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await a.node.put(STYLE, style('St-a'))
    await b.node.put(STYLE, style('St-b'))
    await converge(all)
    await a.reconciler.stop()
    await b.reconciler.stop()
    const again = new Mind(b.node)
    await again.reconciler.start()
    await b.node.put(GROUP, group('St-b'))
    again.reconciler.changed([b.node.at(GROUP).id])
    await think([again])
    assert.equal(b.node.text(GROUP), group('St-a'))
    await again.reconciler.stop()
  })

  test('what a newcomer brought along counts as made last, and an id replaced in place since is what the name stands for', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await b.node.replica.change(
      (draft) => {
        const dir = draft.create('0'.repeat(32), 'styles', { kind: 'dir' })
        draft.create(dir, 'line.xml', { kind: 'file', body: draft.body(Buffer.from(style('St-b'))) })
      },
      500,
      0
    )
    await a.node.put(STYLE, style('St-a'))
    await converge(all)
    assert.equal(b.node.text(STYLE), style('St-a'))
    await a.node.put(STYLE, style('St-anew'))
    await converge(all)
    await b.node.put(GROUP, group('St-b'))
    await converge(all)
    assert.equal(b.node.text(STYLE), style('St-anew'))
    assert.equal(b.node.text(GROUP), group('St-anew'))
  })

  test('a file that is named after an id moves along; where one lies already both are kept', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    for (const [mind, id] of [
      [a, 'La-a'],
      [b, 'La-b']
    ] as const) {
      await mind.node.put(LAYER, layer(id, 'St'))
      await mind.node.put(`gwc-layers/${id}.xml`, tiles(id, `<of>${id}</of>`))
    }
    const LAYER2 = 'workspaces/w/s/m/layer.xml'
    await a.node.put(LAYER2, layer('Lm-a', 'St'))
    await b.node.put(LAYER2, layer('Lm-b', 'St'))
    await b.node.put('gwc-layers/Lm-b.xml', tiles('Lm-b'))
    await converge(all)
    const paths = (await a.node.tree())
      .map((line) => line.split('=')[0]!)
      .filter((path) => path.startsWith('gwc-layers/'))
    assert.deepEqual(paths, ['gwc-layers/La-a.xml', 'gwc-layers/Lm-a.xml'])
    assert.equal(a.node.text('gwc-layers/Lm-a.xml'), tiles('Lm-a'))
    const both = [a.node.text('gwc-layers/La-a.xml'), ...a.node.losers('gwc-layers/La-a.xml')]
    assert.deepEqual(both.toSorted(), [tiles('La-a', '<of>La-a</of>'), tiles('La-a', '<of>La-b</of>')])
  })
})

describe("rule 3 of same-names.ts: an id that an object elsewhere has is nobody's to replace", () => {
  test('who makes an object with the id of another does not turn the references to that one', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await known(all, { 'styles/other.xml': style('St-other'), [GROUP]: group('St-other') })
    await a.node.put(STYLE, style('St-a'))
    await b.node.put(STYLE, style('St-other'))
    await converge(all)
    assert.equal(a.node.text(GROUP), group('St-other'))
    assert.equal(a.node.text('styles/other.xml'), style('St-other'))
    assert.equal(a.node.text(STYLE), style('St-a'))
    // neither when that other object comes later than the quarrel
    await a.node.put('styles/third.xml', style('St-other'))
    await b.node.put('layergroups/h.xml', group('St-other'))
    await converge(all)
    assert.equal(a.node.text('layergroups/h.xml'), group('St-other'))
  })
})

describe('rule 4: nothing is written over what was not looked at', () => {
  test('who is quicker is looked at again', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    const base = layer('La', 'St', '<title>t</title>', '<path>/p</path>')
    await known(all, { [LAYER]: base })
    await a.node.put(LAYER, base.replace('>t<', '>new<'))
    await b.node.put(LAYER, base.replace('/p', '/q'))
    await a.node.pull(b.node)
    let times = 0
    a.before = async () => {
      if (++times === 1) await a.node.put(LAYER, base.replace('>t<', '>last<'))
    }
    await converge(all)
    assert.equal(a.node.text(LAYER), base.replace('>t<', '>last<'))
    assert.equal(a.node.at(LAYER).meaning.conflicts.length, 0)
  })

  test('a relocation as well', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    await a.node.put(LAYER, layer('La-a', 'St'))
    await b.node.put(LAYER, layer('La-b', 'St'))
    await b.node.put('gwc-layers/La-b.xml', tiles('La-b'))
    await a.node.pull(b.node)
    let seen = false
    a.before = async () => {
      if (seen || a.node.replica.reader.resolve(LAYER)!.meaning.conflicts.length > 0) return
      seen = true
      await a.node.put('gwc-layers/La-b.xml', tiles('La-b', '<x/>'))
    }
    await converge(all)
    assert.equal(a.node.text('gwc-layers/La-a.xml'), tiles('La-a', '<x/>'))
  })
})

describe('what cannot be done now', () => {
  test('contents that are not here are asked for, and looked at when they come', async () => {
    const all = await minds(2)
    const [a, b] = all as [Mind, Mind]
    const large = (title: string): string =>
      layer('La', 'St', `<title>${title}</title>`, `<path>/p</path>`, `<abstract>${'x'.repeat(20_000)}</abstract>`)
    const texts = [large('t'), large('new'), large('t').replace('/p', '/q')]
    const blob = (text: string): BodyRef => bodyRefOf(Buffer.from(text))
    const put = (mind: Mind, text: string): Promise<unknown> => mind.node.edit((edit) => edit.put(LAYER, blob(text)))
    await put(a, texts[0]!)
    await meet([a.node, b.node])
    await put(a, texts[1]!)
    await put(b, texts[2]!)
    await meet([a.node, b.node])
    await think(all)
    const { conflicts } = a.node.at(LAYER).meaning
    assert.equal(conflicts.length, 1)
    for (const text of [texts[1]!, texts[2]!]) {
      assert.ok(a.wanted.includes(blob(text).hash))
      a.blobs.set(blob(text).hash, Buffer.from(text))
      a.reconciler.bodyArrived(blob(text).hash)
    }
    await think(all)
    // now the ancestor is missing
    assert.ok(a.wanted.includes(blob(texts[0]!).hash))
    a.blobs.set(blob(texts[0]!).hash, Buffer.from(texts[0]!))
    a.reconciler.bodyArrived(blob(texts[0]!).hash)
    await think(all)
    assert.equal(a.node.at(LAYER).meaning.conflicts.length, 0)
    assert.equal(
      Buffer.from(a.blobs.get(a.node.at(LAYER).meaning.body!.hash)!).toString(),
      large('new').replace('/p', '/q')
    )
  })

  test('what is too large, or has too many values, stays a conflict', async () => {
    const [a, b] = (await minds(2)) as [Mind, Mind]
    const put = (mind: Mind, size: number): Promise<unknown> =>
      mind.node.edit((edit) => edit.put(LAYER, { hash: `${mind === a ? 'a' : 'b'}`.repeat(64), size }))
    await put(a, MAX_MERGED_BYTES + 1)
    await put(b, MAX_MERGED_BYTES + 1)
    await meet([a.node, b.node])
    await think([a, b])
    assert.deepEqual(a.wanted, [])
    const other = 'workspaces/w/s/m/layer.xml'
    const text = (at: number): string => layer('Lm', 'St', `<x${at}/>`)
    await a.node.put(other, layer('Lm', 'St'))
    const seen = new Set(a.node.at(other).state.tuples.map(({ client, clock }) => `${client}:${clock}`))
    for (let at = 0; at <= MAX_SIDES; at++) await a.node.put(other, text(at), { seen })
    const before = a.records
    await think([a])
    assert.equal(a.records, before)
  })

  test('what could not be written is tried again later, a fault is said, and a node that may not write leaves it to others', async () => {
    const all = await minds(3, ['author', 'public'])
    const [a, b, c] = all as [Mind, Mind, Mind]
    const base = layer('La', 'St', '<title>t</title>', '<path>/p</path>')
    await known(all, { [LAYER]: base })
    await b.reconciler.stop()
    await a.node.put(LAYER, base.replace('>t<', '>new<'))
    await b.node.put(LAYER, base.replace('/p', '/q'))
    a.before = () => Promise.reject(new GrapevineError('disk-full', 'no', { next: 'wait' }))
    await meet(all.map(({ node }) => node))
    await think(all)
    assert.equal(a.warned.length, 1)
    assert.equal(a.node.at(LAYER).meaning.conflicts.length, 1)
    a.before = () => Promise.reject(new TypeError('x'))
    a.node.clock.advance(30_000)
    await think([a])
    assert.equal(a.warned.length, 2)
    a.before = () => Promise.resolve()
    a.reconciler.changed([a.node.at(LAYER).id])
    await think([a])
    assert.equal(a.node.at(LAYER).meaning.conflicts.length, 0)
    assert.deepEqual(c.done, [])
  })
})

test('whatever nodes do apart, all end equal, no id that lost is named by anything, and nobody writes any more', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new SeededRandom(seed)
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random.float() * of.length)]!
    const all = await minds(3)
    const made = new Map<string, Set<string>>()
    for (let step = 0; step < 25; step++) {
      const mind = pick(all)
      mind.node.clock.advance(Math.floor(random.float() * 50))
      const name = pick(['one', 'two'])
      const path = `styles/${name}.xml`
      const there = mind.node.replica.reader.resolve(path)
      const what = pick(['style', 'style', 'layer', 'meet', 'think'])
      if (what === 'style') {
        const id =
          there === undefined ? `St-${name}-${mind.node.id.slice(-4)}` : /<id>([^<]*)/.exec(mind.node.text(path))![1]!
        if (there === undefined) made.set(path, (made.get(path) ?? new Set()).add(id))
        await mind.node.put(path, style(id, `<x>${step}</x>`))
      } else if (what === 'layer' && there !== undefined) {
        const id = /<id>([^<]*)/.exec(mind.node.text(path))![1]!
        await mind.node.put(`layergroups/${pick(['g', 'h'])}.xml`, group(id))
      } else if (what === 'meet') {
        const [one, other] = [pick(all), pick(all)]
        if (one !== other) await one.node.pull(other.node)
      } else await think([mind])
    }
    await converge(all)
    const { node } = all[0]!
    const current = ['one', 'two'].flatMap((name) =>
      node.replica.reader.resolve(`styles/${name}.xml`) === undefined
        ? []
        : [/<id>([^<]*)/.exec(node.text(`styles/${name}.xml`))![1]!]
    )
    for (const path of ['layergroups/g.xml', 'layergroups/h.xml']) {
      if (node.replica.reader.resolve(path) === undefined) continue
      for (const text of [node.text(path), ...node.losers(path)])
        assert.ok(current.includes(/<style><id>([^<]*)/.exec(text)![1]!), `seed ${seed}: ${path} names ${text}`)
    }
    for (const { reconciler } of all) await reconciler.stop()
  }
})

/** The rules of publish/shared-dir.ts, cited by number: nodes over one real data directory. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import {
  GeoServerAdapter,
  MemoryStatCache,
  MemoryTextMemory,
  MemoryTravelMemory,
  type WatchHint
} from '../../src/adapters/index.js'
import { systemClock } from '../../src/runtime-node.js'
import { silentLogger } from '../../src/runtime.js'
import type { Role } from '../../src/wire/index.js'
import { isError } from '../contract/adapter.js'
import { smallTree } from '../adapters/geoserver/tree.js'
import { makeWorld, type World } from '../adapters/geoserver/world.js'
import { until } from '../e2e/until.js'
import { Lab, meet } from '../replica/lab.js'
import { share, Site } from './site.js'

const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const GROUP = 'workspaces/coast/layergroups/all.xml'
const { 'workspaces/coast/depth/contours/title.ftl': _empty, ...tree } = smallTree()
/** Longer than any test lets pass by chance, ms. */
const TURN_MS = 60_000

class Adapter extends GeoServerAdapter {
  readonly told: string[] = []
  /** Whether it hears nothing of changes, as of those that another machine makes on a network file system. */
  deaf = false

  override onHint(listener: (hint: WatchHint) => void): void {
    super.onHint((hint) => {
      if (!this.deaf) listener(hint)
    })
  }

  override async noted(paths: readonly string[]): Promise<void> {
    this.told.push(...paths)
    await super.noted(paths)
  }
}

type Node = Site<Adapter>

describe('nodes over one directory', () => {
  let world: World
  let aside: string
  let sites: Node[] = []

  beforeEach(async () => {
    world = await makeWorld()
    aside = await mkdtemp(join(tmpdir(), 'grapevine-aside-'))
    for (const [path, text] of Object.entries(tree)) await world.make(path, text)
  })
  afterEach(async () => {
    for (const site of sites) await site.stop()
    sites = []
    await world.dispose()
    await rm(aside, { recursive: true, force: true })
  })

  function adapterOn(root: string): Adapter {
    return new Adapter(
      {
        clock: systemClock,
        logger: silentLogger,
        cache: new MemoryStatCache(),
        memory: new MemoryTravelMemory(),
        facts: new MemoryTextMemory(),
        environment: {}
      },
      { root, shared: true, emptySettleMs: 60, secretsFile: world.secretsFile, journalDir: world.journalDir }
    )
  }

  /** The first records at once, the second leaves it to the first. */
  async function two(roles?: readonly Role[]): Promise<[Node, Node]> {
    const nodes = await new Lab().nodes(2, {
      ...(roles && { roles }),
      each: (index) => ({ events: { entriesChanged: (ids) => sites[index]?.changed(ids) } })
    })
    for (const [index, node] of nodes.entries()) {
      const shared = { turnMs: () => index * TURN_MS }
      sites.push(new Site(node, adapterOn(world.root), join(aside, `${index}`), { shared, newcomer: index > 0 }))
    }
    const [a, b] = sites as [Node, Node]
    await a.start()
    await a.rest()
    await meet(nodes)
    await b.start()
    await share([a, b])
    return [a, b]
  }

  /** The site looks at everything, and goes no further than that. */
  async function look(site: Node): Promise<void> {
    const before = site.sync.lastScan
    site.sync.hint({ all: true })
    await until('it has looked', () => site.sync.lastScan !== before && site.sync.state === 'watching')
  }

  const waitingAt = (site: Node): string[] => site.sync.waiting.list().map(({ path }) => path)

  test('rule 1: who comes second finds everything said and records nothing', async () => {
    const [a, b] = await two()
    assert.equal(b.imported.length, 0)
    assert.deepEqual([waitingAt(a), waitingAt(b)], [[], []])
    assert.deepEqual([a.adapter.told, b.adapter.told], [[], []])
  })

  test('rules 1 to 3: what both notice one of them records, and both tell it, once', async () => {
    const [a, b] = await two()
    const { records } = a
    await world.make(LAYER, smallTree()[LAYER]!.replace('</layer>', '<path>/sea</path></layer>'))
    await world.make('styles/wave.svg', '<svg/>')
    await rm(world.at(GROUP))
    await look(b)
    assert.equal(b.sync.idle, false)
    assert.deepEqual(b.imported, [])
    assert.deepEqual(b.adapter.told.slice(0, 2).toSorted(), ['styles/wave.svg', LAYER])
    await a.rescan()
    await meet([a.node, b.node])
    await share([a, b])
    await b.rescan()
    assert.deepEqual(b.imported, [])
    assert.ok(a.records > records)
    assert.deepEqual([waitingAt(a), waitingAt(b)], [[], []])
    for (const site of [a, b])
      assert.deepEqual(site.adapter.told.toSorted(), ['styles/wave.svg', LAYER, GROUP].toSorted())
    assert.equal(b.node.replica.reader.resolve(GROUP), undefined)
  })

  test('rule 1: a directory that was renamed is renamed at the second without a record, and told with what is in it', async () => {
    const [a, b] = await two()
    await rename(world.at('workspaces/coast/depth'), world.at('workspaces/coast/deep'))
    await a.rescan()
    await meet([a.node, b.node])
    await share([a, b])
    await b.rescan()
    assert.deepEqual(b.imported, [])
    assert.equal(b.base.byPath('workspaces/coast/deep/datastore.xml')?.kind, 'file')
    assert.equal(b.base.byPath('workspaces/coast/depth/datastore.xml'), undefined)
    for (const path of ['workspaces/coast/depth/datastore.xml', 'workspaces/coast/deep/datastore.xml'])
      assert.ok(b.adapter.told.includes(path), path)
    assert.deepEqual(waitingAt(b), [])
  })

  test('rule 1: the same meaning in other letters is the same', async () => {
    const [a, b] = await two()
    await b.stop()
    const changed = smallTree()[LAYER]!.replace('</layer>', '<path>/sea</path></layer>')
    await world.make(LAYER, changed)
    await a.rescan()
    assert.equal(a.imported.at(-1), `changed ${LAYER}`)
    // a GeoServer wrote it anew before the other node looked
    await world.make(LAYER, changed.replace('<path>', '\n  <path>').replace('</layer>', '\n</layer>\n'))
    await meet([a.node, b.node])
    const { records } = a
    await b.start()
    await share([a, b])
    await a.rescan()
    await b.rescan()
    assert.equal(a.records, records)
    assert.deepEqual([waitingAt(a), waitingAt(b)], [[], []])
  })

  test('rule 1: what the catalog says in other letters later is what the directory holds', async () => {
    const [a, b] = await two()
    const written = smallTree()[LAYER]!
    await a.node.put(LAYER, written.replace('</layer>', '\n</layer>\n'))
    const { records } = a
    await share([a, b])
    assert.deepEqual([waitingAt(a), waitingAt(b)], [[], []])
    await a.node.put(LAYER, written.replace('</layer>', '<path>/sea</path></layer>'))
    await share([a, b])
    assert.deepEqual([waitingAt(a), waitingAt(b)], [[LAYER], [LAYER]])
    assert.equal(a.records, records + 1)
    assert.equal(await world.text(LAYER), written)
  })

  test('rule 2: when nobody else says it, a node does when it is its turn', async () => {
    const [a, b] = await two()
    await a.stop()
    await world.make('styles/wave.svg', '<svg/>')
    await look(b)
    assert.equal(b.imported.length, 0)
    await b.rest()
    assert.deepEqual(b.imported, ['added styles/wave.svg'])
  })

  test('rule 2: what was taken back before its turn is not recorded, and what changed again begins anew', async () => {
    const [, b] = await two()
    await world.make('styles/wave.svg', '<svg/>')
    await look(b)
    await rm(world.at('styles/wave.svg'))
    await b.rescan()
    assert.deepEqual(b.imported, [])
    assert.deepEqual(b.adapter.told, ['styles/wave.svg'])
  })

  test('rule 4: what the directory does not hold waits, nothing is written, and when somebody writes it, it is found', async () => {
    const [a, b] = await two()
    for (const site of [a, b]) site.adapter.deaf = true
    const names = await readdir(world.root, { recursive: true })
    const { ino, mtimeMs } = await stat(world.at(LAYER))
    const { reader } = a.node.replica
    await a.node.replica.change(
      (draft) =>
        draft.create(reader.resolve('styles')!.id, 'new.svg', {
          kind: 'file',
          body: draft.body(Buffer.from('<svg/>')),
          exec: false
        }),
      100
    )
    await a.node.replica.change(
      (draft) =>
        draft.remove(
          reader.resolve(GROUP)!.id,
          new Set(reader.resolve(GROUP)!.state.tuples.map(({ client, clock }) => `${client}:${clock}`))
        ),
      100
    )
    await share([a, b])
    for (const site of [a, b]) assert.deepEqual(waitingAt(site).toSorted(), ['styles/new.svg', GROUP].toSorted())
    assert.deepEqual(await readdir(world.root, { recursive: true }), names)
    assert.deepEqual(await stat(world.at(LAYER)).then((now) => [now.ino, now.mtimeMs]), [ino, mtimeMs])
    await world.make('styles/new.svg', '<svg/>')
    await rm(world.at(GROUP))
    for (const site of [a, b])
      await until('it looks again by itself', () => {
        site.node.clock.advance(1_000)
        return waitingAt(site).length === 0
      })
    assert.deepEqual([a.imported.slice(-1)[0]?.includes('new.svg'), b.imported], [false, []])
  })

  test('a node that may not write tells what changed, and its drift ends when a fellow has recorded it', async () => {
    const [a, b] = await two(['public'])
    await world.make('styles/wave.svg', '<svg/>')
    await b.rescan()
    await b.rescan()
    assert.deepEqual(b.drifted, ['found added styles/wave.svg'])
    assert.deepEqual(b.adapter.told, ['styles/wave.svg'])
    assert.throws(() => b.sync.restoreDrift(), isError('directory-shared'))
    await a.rescan()
    await share([a, b])
    assert.deepEqual(b.drifted, ['found added styles/wave.svg', 'adopted added styles/wave.svg'])
    assert.deepEqual(waitingAt(b), [])
  })

  test('an adapter on a shared directory writes nothing, whoever asks it, and clears up after nobody', async () => {
    const leftover = `.grapevine-tmp-${'0'.repeat(24)}`
    await world.make(leftover, 'of another node')
    const adapter = adapterOn(world.root)
    try {
      await adapter.start()
      const found = (await adapter.scan()).entries.get(LAYER)!
      const [result] = await adapter.apply([{ do: 'remove', path: LAYER, expect: found }], async function* () {})
      assert.equal(result?.outcome, 'waits')
      assert.equal(await world.text(leftover), 'of another node')
      assert.equal(await world.text(LAYER), smallTree()[LAYER])
    } finally {
      await adapter.stop()
    }
  })
})

/** Changes on a node that may not write: reported, restored or adopted by rule and by hand, and never lost. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { AdoptionView, DriftView, EventView, RestoredView } from '../../src/control/target.js'
import { writeTree } from '../adapters/geoserver/tree.js'
import { smallTree } from '../geoserver/world.js'
import { vectorsOf } from './catalog.js'
import { succeeded, withCluster } from './cluster.js'
import { failsWith } from './failure.js'
import type { Node } from './node.js'
import { until } from './until.js'

const LARGE = 'x'.repeat(100_000)
const rules = (...lines: string[]): string[] => lines.flatMap((line) => ['--drift-rule', line])

function put(node: Node, path: string, text: string): void {
  mkdirSync(dirname(join(node.dir, path)), { recursive: true })
  writeFileSync(join(node.dir, path), text)
}

const textAt = (node: Node, path: string): string => readFileSync(join(node.dir, path), 'utf8')

/** `change path` of all drift of a node. */
async function driftOf(node: Node): Promise<string[]> {
  return (await node.json<DriftView[]>('drift', 'ls')).map(({ change, path }) => `${change} ${path}`)
}

test(
  'a public node: drift is reported, makes way by rule or by hand with its bytes kept, and is adopted where both sides say so',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', {
      also: rules('adopt adopted/**'),
      before: (dir) => {
        for (const path of ['restored/f', 'adopted/f', 'adopted/old', 'adopted/deep/g', 'refused/f', 'f', 'g']) {
          mkdirSync(dirname(join(dir, path)), { recursive: true })
          writeFileSync(join(dir, path), 'shared')
        }
      }
    })
    const b = await cluster.join('b', {
      role: 'public',
      also: rules('restore restored/**', 'adopt adopted/**', 'adopt refused/**')
    })
    await cluster.equal()
    const seen: EventView[] = []
    const stop = new AbortController()
    const watching = (async () => {
      for await (const event of b.client.events(stop.signal)) if (event.event.startsWith('drift')) seen.push(event)
    })()

    // by rule: restored at once, what was made here kept
    put(b, 'restored/f', 'edited on b')
    put(b, 'restored/new', 'made on b')
    const restored = (path: string): EventView | undefined =>
      seen.find((event) => event.event === 'drift-ended' && event['path'] === path)
    await until('both made way', () => restored('restored/f') && restored('restored/new'))
    assert.equal(textAt(b, 'restored/f'), 'shared')
    assert.equal(existsSync(join(b.dir, 'restored/new')), false)
    assert.equal(restored('restored/f')!['how'], 'restored')
    assert.equal(readFileSync(String(restored('restored/f')!['kept']), 'utf8'), 'edited on b')
    assert.equal(readFileSync(String(restored('restored/new')!['kept']), 'utf8'), 'made on b')

    // by rule on both sides: adopted, small and large, new, removed and moved
    put(b, 'adopted/f', 'edited on b')
    put(b, 'adopted/new/large', LARGE)
    rmSync(join(b.dir, 'adopted/old'))
    rmSync(join(b.dir, 'adopted/deep'), { recursive: true })
    await until('a has it', () => textAt(a, 'adopted/f') === 'edited on b' && textAt(a, 'adopted/new/large') === LARGE)
    await until(
      'a has removed the rest',
      () => !existsSync(join(a.dir, 'adopted/old')) && !existsSync(join(a.dir, 'adopted/deep'))
    )
    await until('nothing is left', async () => (await driftOf(b)).length === 0)
    await cluster.equal()
    assert.equal(
      (await a.client.entry('adopted/f')).tuples.every(({ author }) => author === a.id),
      true
    )
    // b wrote nothing itself
    assert.equal((await a.status()).spaces[0]!.conflicts, 0)

    stop.abort()
    await watching

    // where only one side says so nobody takes it over, and it stays shown, with the reason
    put(b, 'refused/f', 'edited on b')
    put(b, 'f', 'edited on b')
    await until('b shows both', async () => (await driftOf(b)).join() === 'changed f,changed refused/f')
    await until('b says why', async () => /a: its rules about drift/.test((await b.cli('drift', 'ls')).stdout))
    const [view] = await b.json<AdoptionView[]>('drift', 'adopt', 'f')
    assert.equal(view!.outcome, 'refused')
    assert.equal(textAt(a, 'f'), 'shared')
    assert.equal(textAt(b, 'f'), 'edited on b')

    // by hand
    failsWith(await b.cli('drift', 'restore', 'nowhere'), 'not-found')
    const [made] = await b.json<RestoredView[]>('drift', 'restore', 'f')
    assert.equal(made!.outcome, 'restored')
    assert.equal(readFileSync(made!.kept!, 'utf8'), 'edited on b')
    assert.equal(textAt(b, 'f'), 'shared')
    // it survives a restart: the directory is the truth
    await b.restart()
    await until('b still shows the other', async () => (await driftOf(b)).join() === 'changed refused/f')
    assert.match(succeeded(await b.cli('drift', 'restore')), /^refused\/f restored; kept as /)
    await cluster.equal()
    const before = await vectorsOf(a)
    await b.restart()
    await cluster.equal()
    assert.deepEqual(await vectorsOf(a), before)
  })
)

test(
  'a data directory of GeoServer: an edit of a style is adopted, one of a store makes way and keeps its password at home',
  withCluster(async (cluster) => {
    const also = ['--adapter', 'geoserver']
    const STORE = 'workspaces/coast/depth/datastore.xml'
    const a = await cluster.found('a', {
      also: [...also, ...rules('adopt styles/**')],
      before: (dir) => writeTree(dir, smallTree())
    })
    const b = await cluster.admit('b', { role: 'public', also: [...also, ...rules('restore **', 'adopt styles/**')] })
    writeFileSync(join(b.home, 'geoserver-secrets.json'), '{"coast/depth/passwd": "canary-of-b"}', { mode: 0o600 })
    await b.start()
    await until('b has the store', () => existsSync(join(b.dir, STORE)))
    const store = textAt(b, STORE)
    put(b, 'styles/line.sld', textAt(b, 'styles/line.sld').replace('<sld', '<!-- of b --><sld').concat('\n'))
    put(b, STORE, store.replace('</name>', '</name><enabled>false</enabled>'))
    await until('a draws it', () => textAt(a, 'styles/line.sld') === textAt(b, 'styles/line.sld'))
    await until('the store is as it was', () => textAt(b, STORE) === store)
    assert.match(store, /canary-of-b/)
    await until('nothing is left', async () => (await driftOf(b)).length === 0)
    assert.equal(textAt(a, STORE).includes('enabled>false'), false)
  })
)

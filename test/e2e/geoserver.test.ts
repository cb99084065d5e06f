/** Data directories of GeoServers in step: what belongs to all is the same by meaning, what belongs to one stays there. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { savedTree, writeTree } from '../adapters/geoserver/tree.js'
import { startStandIn } from '../geoserver/server.js'
import { entriesOf, vectorsOf } from './catalog.js'
import { succeeded, withCluster } from './cluster.js'
import { reports, reportsNothing } from './failure.js'
import { copyFixture, NO_SHARED_DATA, sharedData } from './fixtures.js'
import { equalByMeaning, shared } from './geoserver-meaning.js'
import { History } from './history.js'
import type { Node } from './node.js'
import { until } from './until.js'

const ALSO = ['--adapter', 'geoserver']
const STORE = 'workspaces/coast/depth/datastore.xml'
const LAYER = 'workspaces/coast/depth/contours/layer.xml'
const CANARY = 'canary-hunter2'

function put(node: Node, path: string, text: string): void {
  mkdirSync(dirname(join(node.dir, path)), { recursive: true })
  writeFileSync(join(node.dir, path), text)
}

const textAt = (node: Node, path: string): string => readFileSync(join(node.dir, path), 'utf8')

/** The password as GeoServer has it before it encrypts it. */
function storeWith(password: string): string {
  return `<dataStore>\n  <id>DataStoreInfoImpl-646570</id>\n  <name>depth</name>\n  <workspace>\n    <id>WorkspaceInfoImpl-0002</id>\n  </workspace>\n  <connectionParameters>\n    <entry key="passwd">${password}</entry>\n  </connectionParameters>\n</dataStore>\n`
}

test(
  'three data directories are the same by meaning, and what belongs to one node stays there',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', {
      also: ALSO,
      before: (dir) => {
        copyFixture(dir)
        writeFileSync(join(dir, STORE), storeWith(`plain:${CANARY}`))
        for (const path of [
          'security/geoserver.jceks',
          'security/layers.properties',
          'logs/geoserver.log',
          'gwc/tile.png',
          'styles/old.sld.bak'
        ]) {
          mkdirSync(dirname(join(dir, path)), { recursive: true })
          writeFileSync(join(dir, path), CANARY)
        }
      }
    })
    const b = await cluster.admit('b', { also: ALSO })
    writeFileSync(join(b.home, 'geoserver-secrets.json'), '{"coast/depth/passwd": "password of b"}', { mode: 0o600 })
    await b.start()
    const c = await cluster.join('c', { also: ALSO })
    // the node without the password has everything but the store, and says which one
    await reports(c, 'secret-missing', /datastore\.xml$/)
    assert.equal(existsSync(join(c.dir, STORE)), false)
    // what refers to it waits with it, and everything else is there
    const waiting = await until('the layer of that store waits', async () => {
      const found = (await c.client.waiting()).waiting
      assert.ok(found.some(({ path }) => path === LAYER))
      return found
    })
    assert.deepEqual(waiting.find(({ path }) => path.endsWith('/contours/featuretype.xml'))?.for, [
      `store DataStoreInfoImpl-646570 of ${STORE}`
    ])
    await until('c has the workspace', () => existsSync(join(c.dir, 'workspaces/coast/namespace.xml')))
    for (const { path } of waiting) assert.equal(existsSync(join(c.dir, path)), false, path)
    writeFileSync(join(c.home, 'geoserver-secrets.json'), '{"coast/depth/passwd": "password of c"}', { mode: 0o600 })
    succeeded(await c.cli('quarantine', 'retry'))
    await equalByMeaning([a, b, c])
    await reportsNothing(c)
    assert.equal(textAt(b, STORE), storeWith('plain:password of b'))
    assert.equal(textAt(c, STORE), storeWith('plain:password of c'))
    for (const path of ['security', 'logs', 'gwc', 'styles/old.sld.bak'])
      assert.equal(existsSync(join(b.dir, path)), false, path)
    assert.equal(textAt(a, 'global.xml').includes('<updateSequence>42</updateSequence>'), true)
    assert.equal(textAt(b, 'global.xml').includes('updateSequence'), false)

    // what a GeoServer writes by itself is nobody else's business, on no node
    const before = await vectorsOf(a)
    put(
      b,
      'global.xml',
      textAt(b, 'global.xml').replace('</global>', '  <updateSequence>7</updateSequence>\n</global>')
    )
    put(b, STORE, storeWith('crypt1:b='))
    put(c, STORE, storeWith('crypt1:c='))
    put(
      b,
      'workspaces/coast/workspace.xml',
      textAt(b, 'workspaces/coast/workspace.xml').replace(
        '</workspace>',
        '  <dateModified>2026-11-22 09:00:00.0 UTC</dateModified>\n</workspace>'
      )
    )
    put(b, 'security/layers.properties', 'x')
    put(b, 'logs/geoserver.log', 'x')
    // each node looks at everything once more before its directory is known to hold nothing new
    for (const node of [b, c]) await node.restart()
    await equalByMeaning([a, b, c])
    assert.deepEqual(await vectorsOf(a), before)

    // a real change arrives with the rest of the file, between what the node keeps
    put(a, 'global.xml', textAt(a, 'global.xml').replace('UTF-8', 'UTF-16').replace('>42<', '>43<'))
    put(a, STORE, storeWith('crypt1:anew=').replace('</name>', '</name>\n  <enabled>true</enabled>'))
    await until(
      'b has the change',
      () => textAt(b, 'global.xml').includes('UTF-16') && textAt(b, STORE).includes('enabled')
    )
    await equalByMeaning([a, b, c])
    assert.match(textAt(b, 'global.xml'), /<updateSequence>7<\/updateSequence>/)
    assert.match(textAt(b, STORE), /crypt1:b=/)
    assert.match(textAt(c, STORE), /crypt1:c=/)
    assert.deepEqual(
      [a, b, c]
        .filter((node) => holds(node.home, CANARY) || (node !== a && holds(node.dir, CANARY)))
        .map(({ name }) => name),
      []
    )
    for (const own of ['password of b', 'crypt1:b='])
      for (const node of [a, c]) assert.equal(holds(node.home, own) || holds(node.dir, own), false)
  })
)

test(
  'two GeoServers: a reload and a save without a change send nothing, a change arrives once, and telling of it makes no echo',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { also: ALSO, before: (dir) => writeTree(dir, savedTree()) })
    const b = await cluster.join('b', { also: [...ALSO, '--geoserver-rule', 'local www/**'] })
    await equalByMeaning([a, b])
    assert.equal((await b.status()).target!.adapter, 'geoserver')
    const [atA, atB] = [
      await startStandIn({ dir: a.dir, reloadMs: () => 50 }),
      await startStandIn({ dir: b.dir, reloadMs: () => 50 })
    ]
    try {
      const before = await vectorsOf(a)
      const layer = '/rest/layers/coast:contours'
      for (const standIn of [atA, atB]) {
        assert.equal((await standIn.ask('POST', '/rest/reload')).status, 200)
        assert.equal((await standIn.ask('PUT', layer, (await standIn.ask('GET', layer)).text)).status, 200)
      }
      // each node looks at everything once more before it is known that nothing was sent
      for (const node of [a, b]) await node.restart()
      await equalByMeaning([a, b])
      assert.deepEqual(await vectorsOf(a), before)

      await atA.ask('PUT', layer, '<layer><abstract>new</abstract></layer>')
      await until('b has the change', () => textAt(b, LAYER).includes('<abstract>new</abstract>'))
      await equalByMeaning([a, b])
      const once = await vectorsOf(a)
      assert.notDeepEqual(once, before)
      assert.equal((await atB.ask('PUT', layer, textAt(b, LAYER))).status, 200)
      for (const node of [a, b]) await node.restart()
      await equalByMeaning([a, b])
      assert.deepEqual(await vectorsOf(a), once)
      assert.deepEqual(await vectorsOf(b), once)

      // what b says is its own does not arrive there, while what comes after it does
      put(a, 'www/index.html', 'nothing for b')
      await until('a has it in its catalog', async () =>
        (await entriesOf(a, 'www')).some(({ path }) => path === 'www/index.html')
      )
      await atA.ask('PUT', layer, '<layer><abstract>newer</abstract></layer>')
      await until('b has the next change', () => textAt(b, LAYER).includes('newer'))
      assert.equal(existsSync(join(b.dir, 'www')), false)
    } finally {
      await Promise.all([atA.stop(), atB.stop()])
    }
  })
)

/** Whether any byte below a directory is part of `text`, file names aside. */
function holds(directory: string, text: string): boolean {
  try {
    execFileSync('grep', ['-rqaF', text, directory])
    return true
  } catch (error) {
    assert.equal((error as { status?: number }).status, 1, 'grep failed')
    return false
  }
}

test('a real data directory and the newest steps of its history are the same by meaning on two nodes', async (t) => {
  const [data, steps] = [sharedData('aodn-datadir'), sharedData('aodn-history')]
  if (data === undefined || steps === undefined) return t.skip(NO_SHARED_DATA)
  await withCluster(async (cluster) => {
    const history = new History(steps)
    const first = history.steps.length - 30
    let rest: readonly (typeof history.steps)[number][] = []
    const a = await cluster.found('a', { also: ALSO, before: (dir) => void (rest = history.begin(dir, first)) })
    const b = await cluster.join('b', { also: ALSO })
    for (const step of [undefined, ...rest]) {
      if (step !== undefined) history.play(a.dir, step, 'geoserver')
      const state = await until('a shows what was played', async () => {
        const found = await shared(a)
        const listed = new Map<string, string>()
        for await (const { path, kind } of a.client.list('')) if (kind === 'file') listed.set(path, '')
        assert.deepEqual([...listed.keys()].toSorted(), [...found.keys()].toSorted())
        return found
      })
      assert.equal((await equalByMeaning([a, b])).size, state.size)
    }
    const full = await cluster.join('c', { also: ALSO, before: (dir) => cpSync(data, dir, { recursive: true }) })
    await reportsNothing(full)
  })(t)
})

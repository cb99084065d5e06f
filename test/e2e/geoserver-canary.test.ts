/** Passwords of stores, planted as canaries: they are found in the directory they were written to, and nowhere else. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Canaries } from '../../scripts/canaries.js'
import { readFrames, streamsOf } from '../../scripts/pcap.js'
import { writeTree } from '../adapters/geoserver/tree.js'
import { smallTree } from '../geoserver/world.js'
import { withCluster } from './cluster.js'
import { until } from './until.js'

const WORDS = [
  'whole-9f1c2d7e',
  'in-a-url-4b8aa0c3',
  'of-a-user-77d0e1f2',
  'of-a-cascade-5c6d',
  'of-wfs-0a1b2c3d4e',
  'encrypted-8e9fa0b1'
].map((word) => `canary-${word}`)
const [WHOLE, IN_URL, OF_USER, OF_CASCADE, OF_WFS, ENCRYPTED] = WORDS as [
  string,
  string,
  string,
  string,
  string,
  string
]
const store = (name: string, ...entries: Array<[string, string]>): string =>
  `<dataStore>\n  <id>Ds-${name}</id>\n  <name>${name}</name>\n  <workspace>\n    <id>Ws-1</id>\n  </workspace>\n  <connectionParameters>\n${entries
    .map(([key, value]) => `    <entry key="${key}">${value}</entry>\n`)
    .join('')}  </connectionParameters>\n</dataStore>\n`

const TREE = {
  ...smallTree(),
  'workspaces/coast/depth/datastore.xml': store('depth', ['host', 'h'], ['passwd', `plain:${WHOLE}`]),
  'workspaces/coast/jdbc/datastore.xml': store('jdbc', ['url', `jdbc:postgresql://h/d?user=u&amp;password=${IN_URL}`]),
  'workspaces/coast/mongo/datastore.xml': store('mongo', ['data_store', `mongodb://u:${OF_USER}@h:27017/d`]),
  'workspaces/coast/wfs/datastore.xml': store('wfs', ['WFSDataStoreFactory:PASSWORD', OF_WFS]),
  'workspaces/coast/crypt/datastore.xml': store('crypt', ['passwd', `crypt1:${ENCRYPTED}`]),
  'workspaces/coast/far/wmsstore.xml': `<wmsStore>\n  <id>Ws-far</id>\n  <name>far</name>\n  <workspace>\n    <id>Ws-1</id>\n  </workspace>\n  <capabilitiesURL>https://u:${OF_CASCADE}@h/wms?</capabilitiesURL>\n</wmsStore>\n`
}
const STORES = Object.keys(TREE).filter((path) => path.endsWith('store.xml'))

/** All files below a directory, by path. */
function filesOf(directory: string): Array<[string, Buffer]> {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path)])
}

test('passwords of stores, whole or within addresses, leave no trace in homes, logs, other directories and on the wire', async (t) => {
  if (spawnSync('tcpdump', ['--version']).status !== 0 || process.getuid?.() !== 0)
    return t.skip('capturing takes tcpdump and the right to use it')
  await withCluster(async (cluster) => {
    const canaries = new Canaries()
    for (const word of WORDS) canaries.add(word, Buffer.from(word))
    const a = await cluster.found('a', { also: ['--adapter', 'geoserver'], before: (dir) => writeTree(dir, TREE) })
    const port = /\/tcp\/(\d+)/.exec((await a.status()).listen[0]!)![1]!
    const file = join(cluster.place, 'capture.pcap')
    const tcpdump = spawn(
      'tcpdump',
      ['-i', 'lo', '-n', '-U', '--immediate-mode', '-Z', 'root', '-B', '8192', '-w', file, 'tcp', 'port', port],
      {
        stdio: ['ignore', 'ignore', 'pipe']
      }
    )
    cluster.onClose(() => void tcpdump.kill('SIGKILL'))
    let said = ''
    tcpdump.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await until('tcpdump listens', () => said.includes('listening on'))

    const b = await cluster.join('b', { also: ['--adapter', 'geoserver'] })
    await until('b names every store that it cannot write', async () => {
      const held = (await b.status()).problems.filter(({ code }) => code === 'secret-missing').map(({ path }) => path)
      assert.deepEqual(held.toSorted(), STORES.toSorted())
      return true
    })
    await cluster.connected()
    tcpdump.kill('SIGINT')
    await once(tcpdump, 'close')

    const capture = readFileSync(file)
    const { list, cut } = readFrames(capture)
    assert.equal(cut, 0)
    const streams = streamsOf(list)
    const sent = Buffer.concat(streams.map(({ bytes }) => Buffer.from(bytes)))
    // what is said before a connection is encrypted is there to be found: the capture holds what was sent
    assert.ok(sent.includes('/noise'))
    assert.ok(sent.length > 5_000)

    const places: Array<[string, Buffer]> = [
      ['the capture', capture],
      ['what was sent', sent],
      ...[a, b].flatMap((node) => [
        ...filesOf(node.home),
        [`${node.name}'s log`, readFileSync(node.logFile)] as [string, Buffer]
      ]),
      ...filesOf(b.dir)
    ]
    assert.ok(places.length > 20)
    assert.deepEqual(
      places.flatMap(([place, bytes]) => canaries.search(bytes).map(({ what }) => `${what} in ${place}`)),
      []
    )
    // and the search finds what is there
    const home = filesOf(a.dir).flatMap(([, bytes]) => canaries.search(bytes).map(({ what }) => what))
    assert.deepEqual([...new Set(home)].toSorted(), WORDS.toSorted())
  })(t)
})

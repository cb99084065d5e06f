/** What the report of scenarios goes by: an agreement is no edit, and what GeoServers leave out is found in either log. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { withCluster } from './cluster.js'
import { complaintsIn, editsSince, textsOf } from './geoserver-scenario-evidence.js'
import { until } from './until.js'

async function* one(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

test(
  'an agreement on a checkpoint is no edit, and what is in an edit can be read',
  withCluster(async (cluster) => {
    const also = ['--checkpoint-interval-ms', '0', '--checkpoint-age-ms', '0']
    const a = await cluster.found('a', { also })
    const b = await cluster.join('b', { also })
    await cluster.connected()
    await a.client.put('first.xml', one('<first/>'))
    await cluster.equal()
    const { vector } = await a.space()
    const { proposal } = await b.client.compact()
    await until('all agree', async () => {
      const { inForce } = await a.json<{ inForce: { proposal: string } | null }>('inspect', 'checkpoint')
      return inForce?.proposal === proposal
    })
    assert.deepEqual(await editsSince(a.client, vector), [])
    await b.client.put('second.xml', one('<second/>'))
    await cluster.equal()
    const [edit, ...others] = await editsSince(a.client, vector)
    assert.equal(others.length, 0)
    assert.equal(edit!.author, b.id)
    assert.match(await textsOf(a.client, edit!.id, edit!.ops), /<second\/>/)
  })
)

test('what a GeoServer left out is found in its file and in its output, whichever is there', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'gv-complaints-'))
  t.after(() => rmSync(place, { recursive: true }))
  const [file, output] = [join(place, 'geoserver.log'), join(place, 'a.log')]
  assert.throws(() => complaintsIn([file, output]), /geoserver\.log.*a\.log/)
  writeFileSync(output, 'started\nIgnoring feature type directory x\nFailed to load actual store y\n')
  assert.deepEqual(complaintsIn([file, output]), ['Ignoring feature type directory x'])
  writeFileSync(file, 'Ignoring feature type directory x\nFailed to load data store y\n')
  assert.deepEqual(complaintsIn([file, output]), ['Ignoring feature type directory x', 'Failed to load data store y'])
})

/** Large files whose way is cut short, or that are there already. */
import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { EventView } from '../../src/control/target.js'
import { withCluster } from './cluster.js'
import { makeFile } from './large.js'
import type { Node } from './node.js'
import { until } from './until.js'

const MB = 1_000_000

/** Events of a node from now on; ends with it. */
function eventsOf(node: Node): EventView[] {
  const events: EventView[] = []
  const watch = async (): Promise<void> => {
    for await (const event of node.client.events(new AbortController().signal)) events.push(event)
  }
  // the daemon is killed under it
  watch().catch(() => undefined)
  return events
}

test(
  'a killed node goes on with a large file where it was, and --max-upload is kept',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    await a.restart('--max-upload', '1MB')
    await cluster.connected()
    makeFile(join(a.dir, 'large.bin'), 5 * MB)
    const have = async (): Promise<number> => (await b.status()).blobs.fetching[0]?.have ?? 0
    await until('half of it has come', async () => (await have()) >= 2.5 * MB)
    await b.kill()
    await b.start()
    const events = eventsOf(b)
    await until('it goes on', () => events.some(({ event }) => event === 'blob-progress'))
    const first = events.find(({ event }) => event === 'blob-progress')
    assert.ok(Number(first?.have) >= 2.5 * MB, `goes on at ${String(first?.have)}`)
    await until('it is there', () => existsSync(join(b.dir, 'large.bin')))
    assert.ok(readFileSync(join(b.dir, 'large.bin')).equals(readFileSync(join(a.dir, 'large.bin'))))
    const progress = events.filter(({ event }) => event === 'blob-progress')
    const seconds = (Date.parse(progress.at(-1)!.time) - Date.parse(progress[0]!.time)) / 1_000
    const bytes = Number(progress.at(-1)!.have) - Number(progress[0]!.have)
    // a quarter of a second is saved up, and a part may be under way
    assert.ok(bytes <= (seconds + 0.25) * MB + 300_000, `${bytes} bytes in ${seconds} s`)
  })
)

test(
  'a file that is there under another name is not sent again',
  withCluster(async (cluster) => {
    const [a, b] = (await cluster.of(2)) as [Node, Node]
    await cluster.connected()
    makeFile(join(a.dir, 'first.bin'), 2 * MB)
    await until('the first is there', () => existsSync(join(b.dir, 'first.bin')))
    const events = eventsOf(b)
    await until('b is watched', async () => {
      await b.client.status()
      return true
    })
    copyFileSync(join(a.dir, 'first.bin'), join(a.dir, 'second.bin'))
    await until('the second is there', () => existsSync(join(b.dir, 'second.bin')))
    await until('b said so', () => events.some(({ event, path }) => event === 'file-written' && path === 'second.bin'))
    assert.deepEqual(
      events.filter(({ event }) => event === 'blob-progress'),
      []
    )
    assert.equal((await b.status()).blobs.stored, 1)
  })
)

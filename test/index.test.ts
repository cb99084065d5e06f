import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createNode, GrapevineError, type NodeOptions, type RunningNode } from '../src/index.js'
import { until } from './e2e/until.js'

describe('the library', () => {
  let place = ''
  const running: RunningNode[] = []

  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'gv-library-'))
  })

  afterEach(async () => {
    await Promise.all(running.splice(0).map((node) => node.stop()))
    await rm(place, { recursive: true, force: true })
  })

  async function start(name: string, options: Partial<NodeOptions> = {}): Promise<RunningNode> {
    const node = await createNode({
      home: join(place, name, 'home'),
      dir: join(place, name, 'catalog'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      mdns: false,
      ...options
    })
    running.push(node)
    return node
  }

  async function* bytes(text: string): AsyncIterable<Uint8Array> {
    yield Buffer.from(text)
  }

  it('makes a node and a cluster, and starts the same node again', async () => {
    const first = await start('a')
    await first.control.put('a/b.txt', bytes('b'))
    await first.stop()
    await first.stopped
    const again = await start('a')
    assert.equal(again.node, first.node)
    const { body } = await again.control.open('a/b.txt')
    let text = ''
    for await (const part of body) text += Buffer.from(part).toString()
    assert.equal(text, 'b')
  })

  it('lets a second node join with a token, and both share one catalog', async () => {
    const first = await start('a', { name: 'first' })
    const { token } = await first.control.invite({ role: 'author', expiresMs: 60_000, uses: 1 })
    const second = await start('b', { token, rescanIntervalMs: 60_000 })
    await first.control.put('shared.txt', bytes('shared'))
    await until(
      'the file is in the second directory',
      async () => (await readFile(join(place, 'b', 'catalog', 'shared.txt'), 'utf8').catch(() => '')) === 'shared'
    )
    assert.equal((await second.control.verify({ waitMs: 30_000 })).equal, true)
  })

  it('refuses a setting out of its range with a typed error', async () => {
    await assert.rejects(
      start('c', { rescanIntervalMs: 1 }),
      (error) => error instanceof GrapevineError && error.code === 'config-invalid'
    )
    await assert.rejects(start('d', { token: 'gv1-nonsense' }), { code: 'token-malformed' })
  })
})

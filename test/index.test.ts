import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createNode, GrapevineError, type NodeOptions, type RunningNode } from '../src/index.js'
import { until } from './e2e/until.js'
import { watchCalls } from './faults/files.js'

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

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

  it('reads all entries with their bytes, or those that are asked for, and large files without', async () => {
    const { control, read } = await start('a', { adapter: 'none' })
    const small = Array.from({ length: 600 }, (_, at) => ({ path: `d${at % 2}/f${at}`, body: Buffer.from(`${at}`) }))
    const atLimit = { path: 'limit', body: Buffer.alloc(16_384, 'l') }
    const large = { path: 'past', body: Buffer.alloc(16_385, 'p') }
    await control.putMany([...small, atLimit, large])
    const all = await collected(read())
    const listed = await collected(control.list(''))
    assert.deepEqual(
      all.map(({ entry }) => entry),
      listed
    )
    assert.equal(new Set(listed.map(({ id }) => id)).size, 600 + 2 + 2)
    assert.equal(listed.length, 600 + 2 + 2)
    const given = new Map([...small, atLimit].map(({ path, body }) => [path, body.toString()]))
    for (const { entry, body } of all)
      assert.equal(body && Buffer.from(body).toString(), given.get(entry.path), entry.path)

    const idOf = (path: string): string => listed.find((entry) => entry.path === path)!.id
    await control.remove('d0/f2')
    const asked = ['d1/f1', 'past', 'd0/f2', 'd0/f0', 'd0'].map(idOf)
    const some = await collected(read([...asked, '0'.repeat(32)]))
    assert.deepEqual(
      some.map(({ entry, body }) => [entry.path, body && Buffer.from(body).toString()]),
      [
        ['d1/f1', '1'],
        ['past', undefined],
        ['d0/f0', '0'],
        ['d0', undefined]
      ]
    )
    for await (const first of read()) {
      assert.equal(first.entry.path, all[0]?.entry.path)
      break
    }
  })

  it('says that it is starting while its index is made anew, as for another key, and answers as before when it is done', async () => {
    const node = await start('a', { adapter: 'none' })
    const { control } = node
    await control.put('a/b.txt', bytes('b'))
    const answers = new Set<string>()
    let asking: Promise<void> | undefined
    const code = (error: unknown): string => (error as GrapevineError).code
    const ask = async (): Promise<void> => {
      answers.add(await control.status().then(({ state, spaces }) => `${state} ${spaces[0]?.entries}`, code))
      answers.add(await collected(node.read()).then(({ length }) => `read ${length}`, code))
      answers.add(await control.entry('a/b.txt').then(({ path }) => path, code))
      asking = undefined
    }
    const before = node.node
    await watchCalls(
      (call) => {
        if (call.includes(place)) asking ??= new Promise(setImmediate).then(ask)
      },
      async () => {
        await control.rotateKey()
        await until(
          'it has its new key',
          async () => node.node !== before && (await control.status()).state === 'running'
        )
      }
    )
    await asking
    assert.ok(answers.has('starting 2'), [...answers].join())
    const expected = ['running 2', 'starting 2', 'read 2', 'a/b.txt', 'starting']
    assert.deepEqual(
      [...answers].filter((each) => !expected.includes(each)),
      []
    )
  })

  it('refuses a setting out of its range with a typed error', async () => {
    await assert.rejects(
      start('c', { rescanIntervalMs: 1 }),
      (error) => error instanceof GrapevineError && error.code === 'config-invalid'
    )
    await assert.rejects(start('d', { token: 'gv1-nonsense' }), { code: 'token-malformed' })
  })
})

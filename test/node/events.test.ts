/** What real daemons tell while things happen: the facts that API.md promises, and each when it says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControlClient, EVENTS } from '../../src/control/index.js'
import type { EventView } from '../../src/control/target.js'
import { withCluster, type Cluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'

async function* from(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

const put = (node: Node, path: string, text: string): Promise<unknown> => node.client.put(path, from(text))

class Watcher {
  readonly seen: EventView[] = []
  readonly #node: Node
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(cluster: Cluster, node: Node) {
    this.#node = node
    cluster.onClose(() => this.#stop.abort())
    this.#done = this.#watch()
    // a daemon that is killed because the test failed must not hide why
    this.#done.catch(() => undefined)
  }

  async #watch(): Promise<void> {
    // a client of its own: the node's is closed as soon as it is told to stop
    const client = new ControlClient({ home: this.#node.home })
    for await (const event of client.events(this.#stop.signal)) this.seen.push(event)
    client.close()
  }

  /** Changes something until that is told. */
  async ready(): Promise<void> {
    let at = 0
    await until('the stream is open', async () => {
      await put(this.#node, 'd/first', `${String(performance.now())} ${at++}`)
      return this.find('entry-changed', { path: 'd/first' })
    })
  }

  /** The first event with these facts. */
  find(name: string, facts: Record<string, unknown>): EventView | undefined {
    return this.seen.find(
      (each) => each.event === name && Object.entries(facts).every(([key, value]) => each[key] === value)
    )
  }

  async sees(name: string, facts: Record<string, unknown>): Promise<EventView> {
    return until(`${this.#node.name} tells ${name} ${JSON.stringify(facts)}`, () => this.find(name, facts))
  }

  async end(): Promise<EventView[]> {
    this.#stop.abort()
    await this.#done
    return this.seen
  }
}

/** Every fact that must be there is, none is there that is not promised, and each is of its kind. */
function assertPromised(events: readonly EventView[]): void {
  for (const { seq, time, event, ...facts } of events) {
    assert.deepEqual([typeof seq, typeof time], ['number', 'string'])
    const promised: Readonly<Record<string, string>> = EVENTS[event].facts
    for (const [key, value] of Object.entries(facts)) {
      const type = { string: 'text', number: 'number', boolean: 'flag' }[typeof value as 'string']
      assert.equal(promised[key]?.replace('?', ''), type, `${event} tells ${key}=${String(value)}`)
    }
    for (const [key, type] of Object.entries(promised))
      assert.ok(type.endsWith('?') || key in facts, `${event} lacks ${key}`)
  }
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, at) => events[0]!.seq + at)
  )
}

test(
  'changes, members and conflicts are told with what API.md promises',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    const watch = new Watcher(cluster, a)
    await watch.ready()
    await put(a, 'd/f', '1')
    const changed = await watch.sees('entry-changed', { path: 'd/f' })
    assert.deepEqual(
      [changed.kind, changed.author, changed.local, changed.conflict, changed.size, typeof changed.hash],
      ['file', a.id, true, false, 1, 'string']
    )
    await watch.sees('file-written', { path: 'd/f' })
    const b = await cluster.join('b')
    await watch.sees('peer-joined', { node: b.id, role: 'author', name: 'b' })
    await watch.sees('peer-connected', { node: b.id })
    await watch.sees('in-sync', { node: b.id, root: (await a.space()).root })
    await put(b, 'd/of-b', '2')
    await watch.sees('entry-changed', { path: 'd/of-b', local: false, author: b.id })
    await a.client.move('d/of-b', 'moved')
    await watch.sees('entry-changed', { path: 'moved', local: true })
    await a.client.remove('moved')
    await watch.sees('entry-removed', { path: 'moved', local: true })
    // nothing is in conflict, and nothing said so
    assert.equal(watch.find('conflict-opened', {}), undefined)
    await cluster.equal()
    await b.stop()
    await watch.sees('peer-disconnected', { node: b.id })
    await put(a, 'd/f', 'of a')
    await a.stop()
    await watch.sees('node-stopping', { node: a.id })
    assertPromised(await watch.end())

    await b.start()
    await put(b, 'd/f', 'of b')
    await b.stop()
    await a.start()
    const again = new Watcher(cluster, a)
    await again.ready()
    await b.start()
    const opened = await again.sees('conflict-opened', { path: 'd/f' })
    assert.equal(opened.kind, 'field')
    await cluster.equal()
    await put(a, 'd/f', 'of both')
    await again.sees('conflict-closed', { path: 'd/f', id: opened.id, kind: 'field' })
    await a.client.remove('d')
    await again.sees('entry-removed', { path: 'd' })
    await again.sees('entry-removed', { path: 'f', id: opened.id })
    assertPromised(await again.end())
  })
)

/** What the adapter lets wait: it stays out of the target, is shown, and is tried again when that may help. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { ApplyItem, Waits } from '../../src/adapters/contract.js'
import { importOrder } from '../../src/publish/import-order.js'
import { WaitingRoom } from '../../src/publish/waiting-room.js'
import { makeSites, share, type Site } from './site.js'

let dispose: () => Promise<void> = () => Promise.resolve()
afterEach(() => dispose())

async function sites(count: number): Promise<Site[]> {
  const made = await makeSites(count)
  dispose = () => made.dispose()
  for (const site of made.sites) {
    await site.start()
    await site.rest()
  }
  return made.sites
}

/** Whatever is called `X needs Y` waits until Y is in the target or in the set. */
function needing(site: Site): void {
  const waitsFor = (path: string, set: readonly ApplyItem[]): Waits | undefined => {
    const need = / needs (.*)$/.exec(path)?.[1]
    if (need === undefined || site.adapter.nodes.has(need)) return undefined
    const comes = set.some((item) => item.path === need && waitsFor(need, set) === undefined)
    return comes ? undefined : { for: [need], state: 'coming' }
  }
  site.adapter.waits = ({ path }, set) => waitsFor(path, set)
}

const shown = (site: Site): string[] =>
  site.sync.waiting.list().map(({ path, state, for: words }) => `${path}: ${state}, ${words.join()}`)

describe('what the adapter lets wait', () => {
  test('is not in the target but shown, and comes with what it waited for, whatever the order', async () => {
    const [a] = (await sites(1)) as [Site]
    needing(a)
    await a.node.put('b needs c', '1')
    await a.rest()
    await a.node.put('a needs b needs c', '2')
    await a.rest()
    assert.deepEqual(a.adapter.picture(), [])
    assert.deepEqual(shown(a), ['a needs b needs c: coming, b needs c', 'b needs c: coming, c'])
    await a.node.put('other', '3')
    await a.rest()
    assert.deepEqual(a.adapter.picture(), ['other=3'])
    await a.node.put('c', '4')
    await a.rest()
    assert.deepEqual(shown(a), [])
    assert.deepEqual(a.adapter.picture(), ['a needs b needs c=2', 'b needs c=1', 'c=4', 'other=3'])
  })

  test('has waited since it came, however often it is tried', async () => {
    const [a] = (await sites(1)) as [Site]
    needing(a)
    await a.node.put('b needs c', '1')
    await a.rest()
    const { since } = a.sync.waiting.list()[0]!
    a.node.clock.advance(5_000)
    await a.node.put('x', '2')
    await a.rest()
    assert.equal(a.sync.waiting.list()[0]!.since, since)
  })

  test('is told to the adapter as coming, with whether its bytes are here, when something else is applied', async () => {
    const [a, b] = (await sites(2)) as [Site, Site]
    a.adapter.put('large', 'x'.repeat(20_000))
    await share([a, b])
    a.adapter.put('small', 'x')
    await share([a, b])
    const told = b.adapter.told.flatMap(({ entries }) => entries).map(({ path, here }) => [path, here])
    assert.deepEqual(told, [['large', false]])
    assert.deepEqual(shown(b), ['large: content, its content, 20000 bytes'])
  })

  test('comes when a person makes what it waits for in the target', async () => {
    const [a] = (await sites(1)) as [Site]
    needing(a)
    await a.node.put('b needs c', '1')
    await a.rest()
    a.adapter.put('c', 'by hand')
    await a.rest()
    assert.deepEqual(a.adapter.picture(), ['b needs c=1', 'c=by hand'])
  })

  test('is forgotten when it is removed, and changed when it changes', async () => {
    const [a] = (await sites(1)) as [Site]
    needing(a)
    await a.node.put('b needs c', '1')
    await a.node.put('d needs c', '1')
    await a.rest()
    await a.node.remove('b needs c')
    await a.node.put('d needs c', '2')
    await a.rest()
    assert.deepEqual(shown(a), ['d needs c: coming, c'])
    await a.node.put('c', '3')
    await a.rest()
    assert.deepEqual(a.adapter.picture(), ['c=3', 'd needs c=2'])
  })

  test('is tried again when its time is over, without anything else that happens', async () => {
    const [a] = (await sites(1)) as [Site]
    let tries = 0
    a.adapter.waits = () => (tries++ === 0 ? { for: ['x'], state: 'broken', againMs: 7_000 } : undefined)
    await a.node.put('f', '1')
    await a.rest()
    const [entry] = a.sync.waiting.list()
    assert.equal(entry!.until! - entry!.since, 7_000)
    a.node.clock.advance(6_999)
    await a.rest()
    assert.equal(tries, 1)
    a.node.clock.advance(1)
    await a.rest()
    assert.deepEqual(a.adapter.picture(), ['f=1'])
    assert.equal(a.sync.waiting.size, 0)
  })

  test('is told that nothing else comes when the queue is empty, however many sets it took', async () => {
    const [a, b] = (await sites(2)) as [Site, Site]
    const more: boolean[] = []
    b.adapter.waits = (_item, _set, coming) => {
      more.push(coming.more)
      return coming.more ? { for: ['more'], state: 'coming' } : undefined
    }
    for (let at = 0; at < 2_001; at++) a.adapter.put(`f${at}`, 'x')
    b.hold()
    await share([a, b])
    b.release()
    await b.rest()
    assert.equal(more.includes(true), true)
    assert.equal(b.adapter.picture().length, 2_001)
    assert.equal(b.sync.waiting.size, 0)
  })
})

test('a waiting room tells when the next is passed on, and lets content go by its hash', () => {
  let now = 100
  const room = new WaitingRoom(() => now)
  room.forBody('1', 'f', { hash: 'aa', size: 7 })
  assert.equal(room.holds, false)
  assert.equal(room.nextMs(), undefined)
  room.hold('2', 'g', { for: ['x'], state: 'broken', againMs: 50 })
  assert.deepEqual([room.holds, room.size, room.nextMs()], [true, 2, 50])
  assert.deepEqual(room.arrived('aa'), ['1'])
  assert.deepEqual(room.heldIds(), ['2'])
  now = 140
  room.taken(['1', '2'])
  assert.equal(room.size, 0)
  room.hold('2', 'g', { for: ['x'], state: 'coming' })
  assert.deepEqual(room.list(), [{ id: '2', path: 'g', state: 'coming', for: ['x'], since: 100 }])
  room.over('2')
  assert.equal(room.size, 0)
})

test('what others refer to is written down first and removed last, and what makes way before all', () => {
  const file = (path: string) => ({ path, kind: 'file', body: { hash: '', size: 0 }, exec: false, inode: '' }) as const
  const row = (path: string, kind: 'file' | 'dir' = 'file') =>
    ({ id: path, path, kind, hash: '', size: 0, exec: false, inode: '', seen: [], lingering: false }) as const
  const diff = {
    added: [file('z1'), file('a2'), { path: 'd', kind: 'dir', inode: '' } as const],
    changed: [{ base: row('c3'), now: file('c3') }],
    moved: [{ base: row('folder', 'dir'), now: { path: 'named', kind: 'dir', inode: '' } as const }],
    gone: [row('folder/f3'), row('old2'), row('old3'), row('dir1', 'dir'), row('a2/inside3'), row('old1')],
    refreshed: []
  }
  const rankOf = (path: string): number => Number(/\d/.exec(path)?.[0] ?? 0)
  const order = importOrder(diff, { rankOf })
  assert.deepEqual(
    order.firstGone.map(({ path }) => path),
    ['a2/inside3', 'folder/f3']
  )
  assert.deepEqual(
    order.directories.map(({ path }) => path),
    ['d']
  )
  assert.deepEqual(
    order.files.map((item) => ('now' in item ? item.now.path : item.path)),
    ['z1', 'a2', 'c3']
  )
  assert.deepEqual(
    order.lastGone.map(({ path }) => path),
    ['old3', 'old2', 'old1', 'dir1']
  )
  const plain = importOrder(diff, {})
  assert.deepEqual(
    plain.files.map((item) => ('now' in item ? item.now.path : item.path)),
    ['c3', 'a2', 'z1']
  )
  assert.equal(plain.firstGone.length, 6)
})

test('a new directory is made once, however many files come with it', async () => {
  const [a, b] = (await sites(2)) as [Site, Site]
  for (const name of ['1', '2', '3']) await a.node.put(`above/below/${name}`, name)
  await share([a, b])
  const made = b.adapter.applied.filter((item) => item.do === 'mkdir').map(({ path }) => path)
  assert.deepEqual(made, ['above', 'above/below'])
})

test('what others refer to is written down first however long it takes to read', async () => {
  const [a, b] = (await sites(2)) as [Site, Site]
  a.adapter.rankOf = (path) => (path.startsWith('first') ? 0 : 1)
  // the large one is stored before it is written down, the small one is at hand
  a.adapter.put('first', 'x'.repeat(1_000_000))
  a.adapter.put('second', 'y')
  await share([a, b])
  const ids = ['first', 'second'].map((path) => a.node.at(path).id)
  const edits = a.node.records().flatMap(({ body }) => body.ops.flatMap((op) => (op.k === 'edit' ? [op.entry] : [])))
  assert.deepEqual(
    edits.filter((id) => ids.includes(id)),
    ids
  )
})

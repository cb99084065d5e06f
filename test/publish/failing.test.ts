/** Entries that the adapter cannot apply: one that throws what nobody foresaw is held and named, and all others go on. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { ApplyItem } from '../../src/adapters/contract.js'
import { GrapevineError } from '../../src/errors.js'
import { makeSites, type Site } from './site.js'

let dispose: () => Promise<void> = () => Promise.resolve()
afterEach(() => dispose())

async function oneSite(): Promise<Site> {
  const made = await makeSites(1)
  dispose = () => made.dispose()
  const [site] = made.sites as [Site]
  await site.start()
  await site.rest()
  return site
}

/** Applying anything at these paths throws. */
function poison(site: Site, paths: readonly string[], error: Error = new TypeError('bo\nom')): { tries: ApplyItem[] } {
  const tries: ApplyItem[] = []
  site.adapter.beforeItem = (item) => {
    if (!paths.includes(item.path)) return
    tries.push(item)
    throw error
  }
  return { tries }
}

const listed = (site: Site): string[] => site.sync.failing.list().map(({ path, state }) => `${path} ${state}`)
const problems = (site: Site): string[] => site.sync.problems.list().map(({ path, error }) => `${path} ${error.code}`)

/** Several entries that come to the target as one set. */
async function putAll(site: Site, texts: Readonly<Record<string, string>>): Promise<void> {
  site.hold()
  for (const [path, text] of Object.entries(texts)) await site.node.put(path, text)
  site.release()
  await site.rest()
}

describe('an entry whose apply throws what nobody foresaw', () => {
  test('is held and named, and all others of its set are applied', async () => {
    const site = await oneSite()
    poison(site, ['b'])
    await putAll(site, { a: '1', b: '2', c: '3' })
    assert.deepEqual(site.adapter.picture(), ['a=1', 'c=3'])
    assert.deepEqual(listed(site), ['b held'])
    assert.deepEqual(problems(site), ['b entry-quarantined'])
    assert.match(site.sync.failing.list()[0]!.reason, /b cannot be applied: TypeError: bo om$/)
    assert.equal(site.sync.state, 'watching')
  })

  test('is tried again when it changes, and not when others do', async () => {
    const site = await oneSite()
    const { tries } = poison(site, ['b'])
    await putAll(site, { a: '1', b: '2' })
    const before = tries.length
    await site.node.put('a', 'more')
    await site.rest()
    assert.equal(tries.length, before)
    await site.node.put('b', 'other')
    await site.rest()
    assert.equal(tries.length, before + 1 + 1)
    assert.deepEqual(listed(site), ['b held'])
    site.adapter.beforeItem = () => undefined
    await site.node.put('b', 'third')
    await site.rest()
    assert.deepEqual(site.adapter.picture(), ['a=more', 'b=third'])
    assert.deepEqual([listed(site), problems(site)], [[], []])
  })

  test('is tried again with a scan of everything, at a start and when asked, and stays a problem until it is applied', async () => {
    const site = await oneSite()
    const { tries } = poison(site, ['b'])
    await putAll(site, { b: '2' })
    for (const again of [
      () => site.rescan(),
      async () => void assert.equal(site.sync.retry(), true),
      async () => void assert.equal(site.sync.retry('b'), true),
      async () => {
        await site.stop()
        await site.start()
      }
    ]) {
      const before = tries.length
      await again()
      await site.rest()
      assert.ok(tries.length > before)
      assert.deepEqual(problems(site), ['b entry-quarantined'])
    }
    assert.equal(site.sync.retry('a'), false)
    site.adapter.beforeItem = () => undefined
    site.sync.retry('b')
    await site.rest()
    assert.deepEqual(site.adapter.picture(), ['b=2'])
    assert.deepEqual([listed(site), problems(site)], [[], []])
  })

  test('is forgotten when the catalog has it no more', async () => {
    const site = await oneSite()
    poison(site, ['b'])
    await putAll(site, { b: '2' })
    await site.node.remove('b')
    await site.rest()
    assert.deepEqual([listed(site), problems(site)], [[], []])
  })
})

test('what lacks something that no trying brings is held under its own word, and keeps nothing else waiting', async () => {
  for (const code of ['secret-missing', 'file-broken'] as const) {
    const site = await oneSite()
    let [lacks, tries] = [true, 0]
    const apply = site.adapter.apply.bind(site.adapter)
    site.adapter.apply = async (items, bodies, signal) => {
      const results = []
      for (const item of items) {
        if (!lacks || item.path !== 'b') results.push(...(await apply([item], bodies, signal)))
        else {
          tries++
          const error = new GrapevineError(code, 'no', { next: 'look' })
          results.push({ item, outcome: 'failed' as const, entry: null, error })
        }
      }
      return results
    }
    await putAll(site, { a: '1', b: '2' })
    await site.node.put('c', '3')
    await site.rest()
    assert.deepEqual(site.adapter.picture(), ['a=1', 'c=3'])
    assert.deepEqual([listed(site), problems(site)], [['b held'], [`b ${code}`]])
    assert.equal(site.sync.state, 'watching')
    const before = tries
    await site.rescan()
    assert.equal(tries, before + 1)
    assert.deepEqual(problems(site), [`b ${code}`])
    lacks = false
    assert.equal(site.sync.retry('b'), true)
    await site.rest()
    assert.deepEqual(site.adapter.picture(), ['a=1', 'b=2', 'c=3'])
    assert.deepEqual([listed(site), problems(site)], [[], []])
    await dispose()
  }
})

describe('an entry that a person dropped', () => {
  test('is not tried until it changes, over a restart too, and the status says so', async () => {
    const site = await oneSite()
    const { tries } = poison(site, ['b'], new GrapevineError('target-write-failed', 'no', { next: 'look' }))
    await putAll(site, { a: '1' })
    site.hold()
    await site.node.put('b', '2')
    site.release()
    await site.node.settled()
    assert.deepEqual(listed(site), [])
    site.adapter.beforeItem = () => undefined
    await site.rescan()
    poison(site, ['c'])
    await putAll(site, { c: '3' })
    assert.equal(await site.sync.drop('nothing'), false)
    assert.equal(await site.sync.drop('c'), true)
    const { tries: more } = poison(site, ['c'])
    await site.rescan()
    await site.stop()
    await site.start()
    await site.rest()
    assert.deepEqual([tries.length > 0, more], [true, []])
    assert.deepEqual(listed(site), ['c dropped'])
    assert.deepEqual(problems(site), ['c entry-quarantined'])
    assert.match(site.sync.problems.list()[0]!.error.message, /as somebody decided/)
    site.adapter.beforeItem = () => undefined
    await site.node.put('c', 'changed')
    await site.rest()
    assert.deepEqual(site.adapter.picture(), ['a=1', 'b=2', 'c=changed'])
    assert.deepEqual([listed(site), problems(site)], [[], []])
    // and it is no longer kept from anything
    await site.stop()
    await site.start()
    assert.deepEqual(listed(site), [])
  })

  test('is tried again when a person asks', async () => {
    const site = await oneSite()
    poison(site, ['c'])
    await putAll(site, { c: '3' })
    await site.sync.drop('c')
    site.adapter.beforeItem = () => undefined
    await site.rescan()
    assert.deepEqual(site.adapter.picture(), [])
    site.sync.retry()
    await site.rest()
    assert.deepEqual(site.adapter.picture(), ['c=3'])
  })
})

test('an adapter that throws at everything is at fault itself: nothing is held, and all of it is tried again', async () => {
  const site = await oneSite()
  poison(site, ['a', 'b'])
  site.hold()
  for (const path of ['a', 'b']) await site.node.put(path, path)
  site.release()
  await site.node.settled()
  assert.deepEqual(listed(site), [])
  assert.deepEqual(problems(site), [' internal'])
  site.adapter.beforeItem = () => undefined
  await site.rest()
  assert.deepEqual(site.adapter.picture(), ['a=a', 'b=b'])
})

test('a system that refuses one of the items tried alone ends the whole set, as before', async () => {
  const site = await oneSite()
  let fault = true
  site.adapter.beforeItem = () => {
    const error = fault ? new TypeError('boom') : new GrapevineError('disk-full', 'full', { next: 'free space' })
    fault = false
    throw error
  }
  site.hold()
  for (const path of ['a', 'b']) await site.node.put(path, path)
  site.release()
  await site.node.settled()
  assert.deepEqual(problems(site), [' disk-full'])
  assert.deepEqual(listed(site), [])
})

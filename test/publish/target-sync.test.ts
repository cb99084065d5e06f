/** The rules of publish/target-sync.ts, cited by number, over a target in memory. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { ApplyItem } from '../../src/adapters/contract.js'
import { GrapevineError } from '../../src/errors.js'
import { CONFIRM_MS } from '../../src/publish/missing.js'
import { makeSites, share, type Site, type SitesOptions } from './site.js'

let dispose: (() => Promise<void>) | undefined

afterEach(async () => {
  await dispose?.()
  dispose = undefined
})

/** Sites that are running. */
async function running(count: number, options: SitesOptions = {}): Promise<Site[]> {
  const made = await makeSites(count, options)
  dispose = made.dispose
  for (const site of made.sites) await site.start()
  await share(made.sites)
  return made.sites
}

/** All targets are equal, and equal to their catalogs. */
async function agree(sites: readonly Site[], expected: readonly string[]): Promise<void> {
  await share(sites)
  for (const site of sites) assert.deepEqual(site.adapter.picture(), expected)
  const before = sites.map((site) => site.records)
  for (const site of sites) await site.rescan()
  await share(sites)
  assert.deepEqual(
    sites.map((site) => site.records),
    before,
    'looking again at targets in step wrote records'
  )
}

describe('rule 1: the scan is the truth', () => {
  test('what was changed without a hint is found by the next full scan', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    await a.stop()
    a.adapter.put('f', 'x')
    await a.start()
    await agree([a, b], ['f=x'])
    await a.adapter.stop()
    a.adapter.put('f', 'y')
    a.adapter.put('g', 'z')
    await a.rest()
    assert.deepEqual(b.adapter.picture(), ['f=x'])
    await a.rescan()
    await agree([a, b], ['f=y', 'g=z'])
  })

  test('a hint at something that did not change, or is not there, does nothing', async () => {
    const [a] = (await running(1)) as [Site]
    a.adapter.put('f', 'x')
    await a.rest()
    const { records } = a
    a.sync.hint({ paths: ['f', 'nowhere', 'f/below'] })
    await a.rest()
    assert.equal(a.records, records)
    assert.deepEqual(await a.node.tree(), ['f=x'])
  })

  test('what a scan could not look at is not taken for deleted, nor what is below it', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/f', 'x')
    a.adapter.put('g', 'y')
    await share([a, b])
    a.adapter.problems.set('d', new GrapevineError('file-unreadable', 'no entry', { next: 'chmod' }))
    await a.rescan()
    assert.equal(a.sync.problems.list().length, 1)
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), ['d/', 'd/f=x', 'g=y'])
    a.adapter.problems.clear()
    await a.rescan()
    assert.equal(a.sync.problems.list().length, 0)
    await agree([a, b], ['d/', 'd/f=x', 'g=y'])
  })
})

describe('what is missing is looked for twice', () => {
  /** Two nodes with a folder, the first of which hears nothing of what happens in its target. */
  async function withFolder(): Promise<[Site, Site]> {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/f', 'x')
    await share([a, b])
    await a.adapter.stop()
    return [a, b]
  }
  const idOf = (site: Site, path: string): string | undefined => site.node.replica.reader.resolve(path)?.id

  test('a rename whose two names are hinted one after the other is a rename', async () => {
    const [a, b] = await withFolder()
    const [folder, file] = [idOf(a, 'd'), idOf(a, 'd/f')]
    a.adapter.rename('d', 'e')
    a.sync.hint({ paths: ['d'] })
    await a.node.settled()
    assert.deepEqual([idOf(a, 'd'), idOf(a, 'd/f')], [folder, file], 'one look was enough')
    a.sync.hint({ paths: ['e'] })
    await agree([a, b], ['e/', 'e/f=x'])
    assert.deepEqual([idOf(b, 'e'), idOf(b, 'e/f')], [folder, file])
  })

  test('a rename under a scan that sees neither name is a rename', async () => {
    const [a, b] = await withFolder()
    const [folder, file] = [idOf(a, 'd'), idOf(a, 'd/f')]
    a.adapter.rename('d', 'e')
    a.adapter.unseen = (path) => path.startsWith('e')
    a.sync.hint({ all: true })
    await a.node.settled()
    a.adapter.unseen = () => false
    a.sync.hint({ paths: ['e'] })
    await agree([a, b], ['e/', 'e/f=x'])
    assert.deepEqual([idOf(b, 'e'), idOf(b, 'e/f')], [folder, file])
  })

  test('what is missed in a folder that moves meanwhile is looked for where the folder is now', async () => {
    const [a, b] = await withFolder()
    a.adapter.remove('d/f')
    a.adapter.rename('d', 'e')
    // a look at everything waits for nothing: the move is taken over before the removal is certain
    await a.rescan()
    assert.deepEqual(await a.node.tree(), ['e=dir'])
    await agree([a, b], ['e/'])
  })

  test('what one save removed and wrote is one change, though the removal was in doubt', async () => {
    const [a, b] = await withFolder()
    const { records } = a
    a.adapter.remove('d/f')
    a.adapter.put('d/g', 'y')
    a.sync.hint({ paths: ['d/f', 'd/g'] })
    await a.node.settled()
    assert.equal(a.records, records)
    await agree([a, b], ['d/', 'd/g=y'])
  })

  test('what comes and goes all the time does not keep the rest waiting', async () => {
    const [a] = await withFolder()
    const turns = [0, 1, 2, 3, 4, 5]
    for (const turn of turns) a.adapter.put(`d/${turn}`, 'here')
    await a.rescan()
    for (const turn of turns) {
      a.adapter.remove(`d/${turn}`)
      a.adapter.put(`kept ${turn}`, 'kept')
      a.sync.hint({ paths: [`d/${turn}`, `kept ${turn}`] })
      await a.node.settled()
      a.node.clock.advance(CONFIRM_MS / 2)
      await a.node.settled()
    }
    assert.ok(idOf(a, 'kept 0') !== undefined)
    await a.rest()
    assert.deepEqual(await a.node.tree(), ['d=dir', 'd/f=x', ...turns.map((turn) => `kept ${turn}=kept`)])
  })

  test('what was in a folder that is a file now is gone at once', async () => {
    const [a, b] = await withFolder()
    a.adapter.remove('d')
    a.adapter.put('d', 'a file now')
    a.sync.hint({ all: true })
    await a.node.settled()
    assert.deepEqual(await a.node.tree(), ['d=a file now'])
    await agree([a, b], ['d=a file now'])
  })

  test('a file that made way for a folder from elsewhere is gone at once', async () => {
    const [a, b] = await withFolder()
    a.adapter.put('way', 'made')
    await a.rescan()
    a.adapter.remove('way')
    a.adapter.rename('d', 'way')
    await a.rescan()
    await agree([a, b], ['way/', 'way/f=x'])
    assert.equal(a.node.replica.catalog.conflicts, 0)
  })

  test('a target that stops before the second look deletes nothing, and does so when it is back', async () => {
    const [a, b] = await withFolder()
    a.adapter.remove('d/f')
    a.sync.hint({ paths: ['d/f'] })
    await a.node.settled()
    await a.stop()
    assert.ok(idOf(a, 'd/f') !== undefined)
    await a.start()
    await agree([a, b], ['d/'])
  })
})

describe('rule 2: equal content is no change', () => {
  test('rescans, touches, rewrites of the same bytes and restarts write no record and no file', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('empty')
    a.adapter.put('f', 'x')
    await agree([a, b], ['empty/', 'f=x'])
    const before = [a.records, a.adapter.applied.length, b.adapter.applied.length]
    a.adapter.put('f', 'x')
    b.adapter.remove('f')
    b.adapter.put('f', 'x')
    await share([a, b])
    for (const site of [a, b]) {
      await site.stop()
      await site.start()
    }
    await share([a, b])
    assert.deepEqual([a.records, a.adapter.applied.length, b.adapter.applied.length], before)
  })

  test('the same change made on both sides is of one mind', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'x')
    b.adapter.put('f', 'x')
    await agree([a, b], ['f=x'])
    assert.equal(a.node.replica.catalog.conflicts, 0)
  })
})

describe('rule 3: a local edit replaces only what the target had seen', () => {
  test('two edits of one file apart: one wins in both targets, the other is kept as a conflict', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'base')
    await share([a, b])
    a.node.clock.wall += 5
    b.node.clock.wall += 9
    a.adapter.put('f', 'of a')
    b.adapter.put('f', 'of b')
    await agree([a, b], ['f=of b'])
    assert.deepEqual(a.node.losers('f'), ['of a'])
    a.adapter.put('f', 'settled')
    await agree([a, b], ['f=settled'])
    assert.equal(b.node.replica.catalog.conflicts, 0)
  })

  test('an edit made while a newer value was on its way is a conflict, not an overwrite', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', '1')
    await share([a, b])
    await a.node.put('f', '2 from the command line')
    await a.rest()
    // b's target still shows 1 when somebody edits it
    await b.adapter.stop()
    b.adapter.put('f', '1 edited')
    await b.node.pull(a.node)
    await b.rest()
    await share([a, b])
    const all = [a.node.text('f'), ...a.node.losers('f')].toSorted()
    assert.deepEqual(all, ['1 edited', '2 from the command line'])
    assert.deepEqual(b.adapter.picture(), a.adapter.picture())
  })

  test('a file deleted here and edited there lives on with the edit', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'base')
    await share([a, b])
    a.adapter.remove('f')
    b.adapter.put('f', 'edited')
    await agree([a, b], ['f=edited'])
  })

  test('a directory removed here lives on there with what was put into it, and comes back here', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/old', 'x')
    await share([a, b])
    a.adapter.remove('d')
    b.adapter.put('d/new', 'y')
    await agree([a, b], ['d/', 'd/new=y'])
  })
})

describe('rule 4: nothing is written over content that is not what we last saw', () => {
  test('a local edit that no scan has seen yet survives a remote write as a conflict', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'base')
    await share([a, b])
    await a.adapter.stop()
    a.adapter.put('f', 'local, unseen')
    await b.node.put('f', 'remote')
    await share([a, b])
    const all = [b.node.text('f'), ...b.node.losers('f')].toSorted()
    assert.deepEqual(all, ['local, unseen', 'remote'])
    assert.deepEqual(a.adapter.picture(), b.adapter.picture())
  })

  test('a local file that no scan has seen yet survives a remote one at its path', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    await a.adapter.stop()
    a.adapter.put('f', 'local, unseen')
    await b.node.put('f', 'remote')
    await share([a, b])
    assert.deepEqual([b.node.text('f'), ...b.node.losers('f')].toSorted(), ['local, unseen', 'remote'])
    assert.deepEqual(a.adapter.picture(), b.adapter.picture())
  })

  test('a local edit that no scan has seen yet survives a remote deletion', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'base')
    await share([a, b])
    await a.adapter.stop()
    a.adapter.put('f', 'local, unseen')
    await b.node.remove('f')
    await share([a, b])
    assert.deepEqual(a.adapter.picture(), ['f=local, unseen'])
    assert.deepEqual(b.adapter.picture(), ['f=local, unseen'])
  })
})

describe('rule 5: an entry whose bytes are not here waits', () => {
  test('the target keeps what it has until they arrive', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'small')
    await share([a, b])
    const large = 'x'.repeat(20_000)
    a.adapter.put('f', large)
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), ['f=small'])
    assert.equal(b.sync.waiting.size, 1)
    const { body } = b.node.at('f').meaning
    assert.deepEqual([...new Set(b.wanted)], [body!.hash])
    b.blobs.set(body!.hash, Buffer.from(large))
    b.sync.bodyArrived(body!.hash)
    await agree([a, b], [`f=${large}`])
    assert.equal(b.sync.waiting.size, 0)
  })

  test('what changed again meanwhile, or was deleted, waits no more', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'x'.repeat(20_000))
    a.adapter.put('g', 'y'.repeat(20_000))
    await share([a, b])
    assert.equal(b.sync.waiting.size, 2)
    a.adapter.put('f', 'small again')
    a.adapter.remove('g')
    await agree([a, b], ['f=small again'])
    assert.equal(b.sync.waiting.size, 0)
  })

  test('a file moved to another place before its bytes came appears there', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    const large = 'z'.repeat(20_000)
    a.adapter.put('f', large)
    await share([a, b])
    a.adapter.rename('f', 'g')
    await share([a, b])
    const { body } = b.node.at('g').meaning
    b.blobs.set(body!.hash, Buffer.from(large))
    b.sync.bodyArrived(body!.hash)
    await agree([a, b], [`g=${large}`])
  })
})

describe('rule 6: a node that may not write reports drift, and sets bytes aside before it replaces them', () => {
  test('an edit, an addition and a removal are shown, undone by the next change there, and no byte is lost', async () => {
    const [a, b] = (await running(2, { roles: ['public'] })) as [Site, Site]
    for (const name of ['changed', 'removed']) a.adapter.put(name, 'shared')
    await share([a, b])
    await b.adapter.stop()
    b.adapter.put('changed', 'edited here')
    b.adapter.put('added', 'new here')
    b.adapter.remove('removed')
    await b.rescan()
    assert.deepEqual(b.sync.drift.paths().toSorted(), ['added', 'changed', 'removed'])
    for (const name of ['added', 'changed', 'removed']) await a.node.put(name, 'of the cluster')
    await share([a, b])
    assert.deepEqual(
      a.adapter.picture(),
      ['added', 'changed', 'removed'].map((name) => `${name}=of the cluster`)
    )
    assert.deepEqual(b.adapter.picture(), a.adapter.picture())
    assert.deepEqual((await b.aside()).toSorted(), ['added=new here', 'changed=edited here'])
    assert.deepEqual(b.sync.drift.paths(), [])
    assert.equal(b.records, a.records)
    assert.equal(
      [...b.node.replica.log.logs()].some((head) => Buffer.compare(head.author, b.node.keys.publicKey) === 0),
      false
    )
  })

  test('drift that is taken back by hand is drift no more', async () => {
    const [a, b] = (await running(2, { roles: ['public'] })) as [Site, Site]
    a.adapter.put('f', 'shared')
    await share([a, b])
    b.adapter.put('f', 'edited here')
    b.adapter.put('g', 'new here')
    await b.rest()
    assert.deepEqual(b.sync.drift.paths().toSorted(), ['f', 'g'])
    b.adapter.put('f', 'shared')
    b.adapter.remove('g')
    await b.rescan()
    assert.deepEqual(b.sync.drift.paths(), [])
  })
})

describe('a change of kind', () => {
  test('a file becomes a directory with files in it', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('x', 'file')
    await share([a, b])
    a.adapter.remove('x')
    a.adapter.makeDir('x')
    a.adapter.put('x/f', 'inside')
    await agree([a, b], ['x/', 'x/f=inside'])
    assert.equal(a.node.replica.catalog.conflicts, 0)
  })

  test('a directory with files in it becomes a file', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('x')
    a.adapter.makeDir('x/deep')
    a.adapter.put('x/f', 'inside')
    a.adapter.put('x/deep/g', 'deeper')
    await share([a, b])
    a.adapter.remove('x')
    a.adapter.put('x', 'file')
    await agree([a, b], ['x=file'])
    assert.equal(a.node.replica.catalog.conflicts, 0)
  })

  test('made apart, a file here and a directory there: both are in both targets, one under a marked name', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('x', 'file')
    b.adapter.makeDir('x')
    b.adapter.put('x/f', 'inside')
    await share([a, b])
    assert.deepEqual(a.adapter.picture(), b.adapter.picture())
    const contents = a.adapter
      .picture()
      .map((line) => line.replace(/^.*=/, ''))
      .filter((line) => !line.endsWith('/'))
    assert.deepEqual(contents.toSorted(), ['file', 'inside'])
    assert.equal(a.node.replica.catalog.conflicts, 1)
    await agree([a, b], a.adapter.picture())
  })
})

/** Directories `one` and `two` with a file each, which then trade places in the catalog of `a` alone. */
/** Returns how much had been applied at `b` before. */
async function tradePlaces(a: Site, b: Site): Promise<number> {
  for (const name of ['one', 'two']) {
    a.adapter.makeDir(name)
    a.adapter.put(`${name}/f`, `in ${name}`)
  }
  await share([a, b])
  const before = b.adapter.applied.length
  await a.node.move('one', 'spare')
  await a.node.move('two', 'one')
  await a.node.move('spare', 'two')
  await a.rest()
  return before
}

describe('moves', () => {
  test('a renamed file keeps its entry, and its content is not written again', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'x')
    await share([a, b])
    const { id } = a.node.at('f')
    a.adapter.rename('f', 'g')
    await agree([a, b], ['g=x'])
    assert.equal(b.node.at('g').id, id)
    assert.deepEqual(
      b.adapter.applied.map((item) => item.do),
      ['write', 'move']
    )
  })

  test('two files trade places', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('one', '1')
    a.adapter.put('two', '2')
    await share([a, b])
    a.adapter.rename('one', 'spare')
    a.adapter.rename('two', 'one')
    a.adapter.rename('spare', 'two')
    await agree([a, b], ['one=2', 'two=1'])
  })

  test('two directories trade places, with all that is in them', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    for (const name of ['one', 'two']) {
      a.adapter.makeDir(name)
      a.adapter.put(`${name}/f`, `in ${name}`)
    }
    await share([a, b])
    a.adapter.rename('one', 'spare')
    a.adapter.rename('two', 'one')
    a.adapter.rename('spare', 'two')
    await agree([a, b], ['one/', 'one/f=in two', 'two/', 'two/f=in one'])
  })

  test('two directories that trade places in the catalog do so in every target, without writing what is in them', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    const before = await tradePlaces(a, b)
    await agree([a, b], ['one/', 'one/f=in two', 'two/', 'two/f=in one'])
    assert.deepEqual([...new Set(b.adapter.applied.slice(before).map((item) => item.do))], ['move'])
  })

  test('three directories go round in a circle', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    for (const name of 'abc') {
      a.adapter.makeDir(name)
      a.adapter.put(`${name}/f`, name)
    }
    await share([a, b])
    a.adapter.rename('a', 'spare')
    a.adapter.rename('c', 'a')
    a.adapter.rename('b', 'c')
    a.adapter.rename('spare', 'b')
    await agree([a, b], ['a/', 'a/f=c', 'b/', 'b/f=a', 'c/', 'c/f=b'])
  })

  test('a directory is renamed while files in it are edited, added, removed and renamed', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    for (const name of ['edited', 'removed', 'renamed', 'same']) a.adapter.put(`d/${name}`, name)
    await share([a, b])
    const { id } = a.node.at('d')
    a.adapter.rename('d', 'e')
    a.adapter.put('e/edited', 'other')
    a.adapter.put('e/added', 'new')
    a.adapter.remove('e/removed')
    a.adapter.rename('e/renamed', 'e/named')
    await agree([a, b], ['e/', 'e/added=new', 'e/edited=other', 'e/named=renamed', 'e/same=same'])
    assert.equal(b.node.at('e').id, id)
  })

  test('a directory is renamed here while a file in it is edited there: the edit follows', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/f', 'base')
    await share([a, b])
    a.adapter.rename('d', 'e')
    b.adapter.put('d/f', 'edited')
    b.adapter.put('d/g', 'new')
    await agree([a, b], ['e/', 'e/f=edited', 'e/g=new'])
  })

  test('a directory moves into one that is made with the same change', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/f', 'x')
    await share([a, b])
    a.adapter.makeDir('new')
    a.adapter.makeDir('new/deep')
    a.adapter.rename('d', 'new/deep/d')
    await agree([a, b], ['new/', 'new/deep/', 'new/deep/d/', 'new/deep/d/f=x'])
  })

  test('a directory is renamed, another made in its place, and a file moved into that', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/in it', 'stays with the old one')
    a.adapter.put('f', 'goes into the new one')
    await share([a, b])
    a.adapter.rename('d', 'e')
    a.adapter.makeDir('d')
    a.adapter.rename('f', 'd/f')
    await agree([a, b], ['d/', 'd/f=goes into the new one', 'e/', 'e/in it=stays with the old one'])
  })

  test('a directory and the one it is in change roles: the inner becomes the outer', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('a')
    a.adapter.makeDir('a/b')
    a.adapter.put('a/f', 'in a')
    a.adapter.put('a/b/g', 'in b')
    await share([a, b])
    a.adapter.rename('a/b', 'b')
    a.adapter.rename('a', 'b/a')
    await agree([a, b], ['b/', 'b/a/', 'b/a/f=in a', 'b/g=in b'])
  })

  test('two directories renamed to one name apart: both stay, one under a marked name', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    for (const name of ['one', 'two']) {
      a.adapter.makeDir(name)
      a.adapter.put(`${name}/f`, `in ${name}`)
    }
    await share([a, b])
    a.adapter.rename('one', 'same')
    b.adapter.rename('two', 'same')
    await share([a, b])
    assert.deepEqual(a.adapter.picture(), b.adapter.picture())
    assert.equal(a.adapter.picture().filter((line) => line.endsWith('/')).length, 2)
    assert.deepEqual(
      a.adapter
        .picture()
        .filter((line) => line.includes('='))
        .map((line) => line.split('=')[1])
        .toSorted(),
      ['in one', 'in two']
    )
    await agree([a, b], a.adapter.picture())
  })

  test('a move that makes a cycle with one made elsewhere leaves both targets equal and whole', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    for (const name of ['a', 'b']) {
      a.adapter.makeDir(name)
      a.adapter.put(`${name}/f`, `in ${name}`)
    }
    await share([a, b])
    a.adapter.rename('a', 'b/a')
    b.adapter.rename('b', 'a/b')
    await share([a, b])
    assert.deepEqual(a.adapter.picture(), b.adapter.picture())
    assert.deepEqual(
      a.adapter
        .picture()
        .filter((line) => line.includes('='))
        .map((line) => line.split('=')[1])
        .toSorted(),
      ['in a', 'in b']
    )
    await agree([a, b], a.adapter.picture())
  })
})

describe('a directory that lingers', () => {
  test('stays while it holds what is not shared, without an entry, and goes when it is empty', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    b.adapter.ignored = (path) => path.endsWith('.log')
    a.adapter.makeDir('d')
    a.adapter.put('d/f', 'x')
    await share([a, b])
    b.adapter.put('d/own.log', 'private')
    a.adapter.remove('d')
    await share([a, b])
    assert.deepEqual(a.adapter.picture(), [])
    assert.deepEqual(b.adapter.picture(), ['d/', 'd/own.log=private'])
    const { records } = b
    await b.rescan()
    assert.equal(b.records, records, 'the directory that stayed is not new')
    a.adapter.makeDir('d')
    a.adapter.put('d/g', 'again')
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), ['d/', 'd/g=again', 'd/own.log=private'])
  })
})

describe('what is ignored', () => {
  test('is never imported, written or removed, also when it was shared before', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f.log', 'shared once')
    a.adapter.put('g', 'x')
    await share([a, b])
    for (const restart of [false, true]) {
      b.adapter.ignored = (path) => path.endsWith('.log')
      if (restart) {
        await b.stop()
        await b.start()
      }
      await b.rescan()
      await share([a, b])
      assert.deepEqual(b.adapter.picture(), ['f.log=shared once', 'g=x'])
      assert.deepEqual(a.adapter.picture(), ['f.log=shared once', 'g=x'])
    }
    a.adapter.put('f.log', 'changed')
    b.adapter.put('own.log', 'private')
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), ['f.log=shared once', 'g=x', 'own.log=private'])
    a.adapter.remove('f.log')
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), ['f.log=shared once', 'g=x', 'own.log=private'])
    assert.deepEqual(a.adapter.picture(), ['g=x'])
  })
})

describe('the first scan of a node that has files already', () => {
  async function joining(adopt: 'merge' | 'cluster'): Promise<[Site, Site]> {
    const made = await makeSites(2, { each: (index) => (index === 1 ? { adopt, newcomer: true } : {}) })
    dispose = made.dispose
    const [a, b] = made.sites as [Site, Site]
    await a.start()
    a.adapter.makeDir('d')
    a.adapter.put('d/equal', 'same')
    a.adapter.put('d/differs', 'of the cluster')
    a.adapter.put('cluster only', 'c')
    await a.rest()
    await b.node.pull(a.node)
    b.adapter.makeDir('d')
    b.adapter.put('d/equal', 'same')
    b.adapter.put('d/differs', 'of the joiner')
    b.adapter.put('joiner only', 'j')
    b.adapter.makeDir('own')
    b.adapter.makeDir('own/deep')
    b.adapter.put('own/deep/f', 'o')
    b.adapter.makeDir('kept')
    b.adapter.put('kept/private.log', 'not shared')
    b.adapter.ignored = (path) => path.endsWith('.log')
    // the joiner's clock is ahead: still what the cluster has wins
    b.node.clock.wall += 86_400_000
    await b.start()
    return [a, b]
  }

  test('merge: equal files meet in one entry, a differing one becomes a conflict that the cluster wins, nothing is deleted', async () => {
    const [a, b] = await joining('merge')
    await share([a, b])
    const shared = [
      'cluster only=c',
      'd/',
      'd/differs=of the cluster',
      'd/equal=same',
      'joiner only=j',
      'kept/',
      'own/',
      'own/deep/',
      'own/deep/f=o'
    ]
    assert.deepEqual(a.adapter.picture(), shared)
    assert.deepEqual(
      b.adapter.picture().filter((line) => !line.includes('.log')),
      shared
    )
    assert.deepEqual(a.node.losers('d/differs'), ['of the joiner'])
    assert.equal(a.node.replica.catalog.conflicts, 1)
    assert.equal(a.node.replica.catalog.entries, shared.length)
  })

  test('cluster: what differs or is not of the cluster makes way, its bytes kept aside, and nothing of it is shared later', async () => {
    const [a, b] = await joining('cluster')
    const shared = ['cluster only=c', 'd/', 'd/differs=of the cluster', 'd/equal=same']
    for (let turn = 0; turn < 3; turn++) {
      await share([a, b])
      assert.deepEqual(a.adapter.picture(), shared)
      assert.deepEqual(b.adapter.picture(), [...shared, 'kept/', 'kept/private.log=not shared'])
      await b.rescan()
      if (turn === 1) await b.stop().then(() => b.start())
    }
    assert.deepEqual((await b.aside()).toSorted(), ['d/differs=of the joiner', 'joiner only=j', 'own/deep/f=o'])
    assert.equal(a.node.replica.catalog.conflicts, 0)
    // what lingers makes room for the cluster's own
    a.adapter.makeDir('kept')
    a.adapter.put('kept/f', 'shared')
    await share([a, b])
    assert.deepEqual(b.adapter.picture(), [...shared, 'kept/', 'kept/f=shared', 'kept/private.log=not shared'])
  })

  test('a first scan that could not be finished is still the first when it is tried again', async () => {
    const made = await makeSites(2, { each: (index) => (index === 1 ? { newcomer: true } : {}) })
    dispose = made.dispose
    const [a, b] = made.sites as [Site, Site]
    await a.start()
    a.adapter.put('f', 'of the cluster')
    await a.rest()
    await b.node.pull(a.node)
    b.adapter.put('f', 'of the joiner')
    b.node.clock.wall += 86_400_000
    b.node.disk.failNext('sync')
    await b.start()
    await b.node.settled()
    assert.equal(b.node.replica.failure?.code, 'store-failed')
    await b.node.replica.recover()
    await agree([a, b], ['f=of the cluster'])
    assert.deepEqual(a.node.losers('f'), ['of the joiner'])
  })
})

describe('a crash', () => {
  /** `b` learns of everything `a` has at once, and dies when `when` says so. */
  async function dieing(
    a: Site,
    b: Site,
    when: { before?(item: ApplyItem): boolean; after?(item: ApplyItem): boolean }
  ): Promise<void> {
    const die = (now: boolean | undefined): void => {
      if (now !== true) return
      b.die()
      throw new Error('the process dies')
    }
    b.adapter.beforeItem = (item) => die(when.before?.(item))
    b.adapter.afterItem = (item) => die(when.after?.(item))
    b.hold()
    await b.node.pull(a.node)
    b.release()
    await b.node.settled()
    assert.equal(b.alive, false, 'it never came to the moment of death')
    b.adapter.beforeItem = () => undefined
    b.adapter.afterItem = () => undefined
  }

  for (const items of [0, 1, 2, 3, 4]) {
    test(`between write and note, after ${items} of 4 items: the next start ends in step, without a record`, async () => {
      const [a, b] = (await running(2)) as [Site, Site]
      for (const name of ['one', 'two', 'three']) a.adapter.put(name, 'old')
      a.adapter.makeDir('dir')
      await share([a, b])
      await a.node.put('one', 'new')
      await a.node.put('added', 'new')
      await a.node.remove('two')
      await a.node.move('three', 'dir/three')
      await a.rest()
      let left = items
      if (items === 0) await dieing(a, b, { before: () => true })
      else await dieing(a, b, { after: () => --left === 0 })
      const { records } = b
      await b.start()
      await agree([a, b], ['added=new', 'dir/', 'dir/three=old', 'one=new'])
      assert.equal(b.records, records)
      assert.equal(a.node.replica.catalog.conflicts, 0)
    })
  }

  for (const moves of [1, 2, 3]) {
    test(`after ${moves} of the moves of two directories trading places renames nothing for the others`, async () => {
      const [a, b] = (await running(2)) as [Site, Site]
      await tradePlaces(a, b)
      let left = moves
      await dieing(a, b, { after: (item) => item.do === 'move' && --left === 0 })
      const { records } = b
      await b.start()
      await agree([a, b], ['one/', 'one/f=in two', 'two/', 'two/f=in one'])
      assert.equal(b.records, records)
    })
  }

  test('after everything the base knew was lost: nothing is deleted, nothing conflicts that is equal', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.makeDir('d')
    a.adapter.put('d/f', 'x')
    await share([a, b])
    await b.stop()
    for await (const [key] of b.store.iterate({ gte: '', lt: '\u{10ffff}' }))
      await b.store.write(new Map([[key, null]]))
    await b.start()
    await agree([a, b], ['d/', 'd/f=x'])
    assert.equal(a.node.replica.catalog.conflicts, 0)
  })

  test('after everything the base knew was lost: content that stands beside a winner is not written once more', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    a.adapter.put('f', 'base')
    await share([a, b])
    b.node.clock.wall += 9
    a.adapter.put('f', 'of a')
    b.adapter.put('f', 'of b')
    await agree([a, b], ['f=of b'])
    await b.stop()
    for await (const [key] of b.store.iterate({ gte: '', lt: '\u{10ffff}' }))
      await b.store.write(new Map([[key, null]]))
    b.adapter.put('f', 'of a')
    const { records } = b
    await b.start()
    await agree([a, b], ['f=of b'])
    assert.equal(b.records, records)
    assert.deepEqual(a.node.losers('f'), ['of a'])
  })
})

describe('an item that fails', () => {
  test('is reported, does not hold up the others, and is written once it can be', async () => {
    const [a, b] = (await running(2)) as [Site, Site]
    let refuses = true
    b.adapter.beforeItem = (item) => {
      if (refuses && item.path === 'bad' && item.do === 'write')
        throw new GrapevineError('target-write-failed', 'no', { next: 'mend it' })
    }
    a.adapter.put('good', '1')
    await share([a, b])
    const original = b.adapter.apply.bind(b.adapter)
    b.adapter.apply = async (items, bodies, signal) => {
      const results = []
      for (const item of items) {
        if (refuses && item.path === 'bad')
          results.push({
            item,
            outcome: 'failed' as const,
            entry: null,
            error: new GrapevineError('target-write-failed', 'no', { next: 'mend it' })
          })
        else results.push(...(await original([item], bodies, signal)))
      }
      return results
    }
    await a.node.put('bad', '2')
    await a.node.put('also good', '3')
    await b.node.pull(a.node)
    for (let turn = 0; turn < 5; turn++) {
      await b.node.settled()
      b.node.clock.advance(2_000)
    }
    assert.deepEqual(b.adapter.picture(), ['also good=3', 'good=1'])
    assert.deepEqual(
      b.sync.problems.list().map(({ path, error }) => `${path} ${error.code}`),
      ['bad target-write-failed']
    )
    await a.node.put('good', '1 more')
    await b.node.pull(a.node)
    await b.node.settled()
    assert.deepEqual(b.adapter.picture(), ['also good=3', 'good=1 more'])
    refuses = false
    await agree([a, b], ['also good=3', 'bad=2', 'good=1 more'])
    assert.deepEqual(b.sync.problems.list(), [])
  })
})

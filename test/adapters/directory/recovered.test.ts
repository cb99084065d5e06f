/** What a crash leaves between the target and the base rows, with the real TargetSync over a real directory. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { Adapter, ApplyItem, ApplyResult, BodySource, WatchHint } from '../../../src/adapters/contract.js'
import { createDirectoryAdapter, MemoryStatCache, type DirectoryAdapter } from '../../../src/adapters/index.js'
import { systemClock } from '../../../src/runtime-node.js'
import { silentLogger } from '../../../src/runtime.js'
import { makeSites, share, Site } from '../../publish/site.js'

/** The directory adapters of one process after the other. */
class Lives implements Adapter {
  readonly kind = 'directory'
  /** Called between a set and what the caller makes of its results. */
  applied = (): void => {}
  #now: DirectoryAdapter
  #hint: (hint: WatchHint) => void = () => {}

  constructor(
    readonly root: string,
    readonly journalDir: string
  ) {
    this.#now = this.#make()
  }

  #make(): DirectoryAdapter {
    const deps = { clock: systemClock, logger: silentLogger, cache: new MemoryStatCache() }
    return createDirectoryAdapter(deps, { root: this.root, journalDir: this.journalDir })
  }

  async start(): Promise<void> {
    this.#now = this.#make()
    this.#now.onHint((hint) => this.#hint(hint))
    await this.#now.start()
  }

  stop = (): Promise<void> => this.#now.stop()
  onHint = (listener: (hint: WatchHint) => void): void => void (this.#hint = listener)
  scan: Adapter['scan'] = (options) => this.#now.scan(options)
  read: Adapter['read'] = (entry, signal) => this.#now.read(entry, signal)
  ignores: Adapter['ignores'] = (path, kind) => this.#now.ignores(path, kind)
  setAside: Adapter['setAside'] = (path, to) => this.#now.setAside(path, to)
  keepCopy: Adapter['keepCopy'] = (path, to) => this.#now.keepCopy(path, to)
  settled = (): Promise<void> => this.#now.settled()

  get recovered(): readonly ApplyResult[] {
    return this.#now.recovered
  }

  async apply(items: readonly ApplyItem[], bodies: BodySource, signal?: AbortSignal): Promise<ApplyResult[]> {
    const results = await this.#now.apply(items, bodies, signal)
    this.applied()
    return results
  }
}

let place: string
let disposals: Array<() => Promise<void>>

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'grapevine-test-'))
  disposals = [() => rm(place, { recursive: true })]
})
afterEach(async () => {
  for (const dispose of disposals.reverse()) await dispose()
})

/** A site in memory that writes, and one over a directory. */
async function pair(): Promise<{ writer: Site; site: Site<Lives>; adapter: Lives; file: (path: string) => string }> {
  const made = await makeSites(2)
  const [writer, spare] = made.sites as [Site, Site]
  const root = join(place, 'target')
  await mkdir(root)
  const adapter = new Lives(root, join(place, 'journal'))
  const site = new Site(spare.node, adapter, join(place, 'aside'))
  // the lab tells the site it made; here another one stands in its place
  spare.changed = (ids) => site.changed(ids)
  disposals.push(made.dispose, () => site.stop())
  await writer.start()
  await site.start()
  return { writer, site, adapter, file: (path) => join(root, path) }
}

/** Kills the site right after its adapter has applied a set. */
async function dieAfterApplying(site: Site<Lives>, adapter: Lives, cause: () => Promise<void>): Promise<void> {
  const dead = new Promise<void>((resolve) => {
    adapter.applied = () => {
      site.die()
      adapter.applied = () => {}
      resolve()
    }
  })
  await cause()
  await dead
  await adapter.stop()
}

test('what was put in place before a crash is no edit of this node: what was written elsewhere since stays', async () => {
  const { writer, site, adapter, file } = await pair()
  writer.adapter.put('a', 'first')
  writer.adapter.put('b', 'first')
  await writer.rest()
  await share([writer, site])
  assert.equal(await readFile(file('a'), 'utf8'), 'first')
  writer.adapter.put('a', 'second')
  writer.adapter.put('b', 'second')
  await writer.rest()
  await dieAfterApplying(site, adapter, async () => {
    await share([writer, site]).catch(() => {})
  })
  assert.equal(await readFile(file('a'), 'utf8'), 'second')
  writer.adapter.put('a', 'third')
  await writer.rest()
  await share([writer])
  const { records } = site
  await site.start()
  await share([writer, site])
  assert.equal(await readFile(file('a'), 'utf8'), 'third')
  assert.equal(site.node.replica.catalog.conflicts, 0)
  assert.deepEqual(writer.adapter.picture(), ['a=third', 'b=second'])
  assert.equal(site.records, records + 1, 'only the record of the third content came')
})

test('an edit made after the crash is still an edit', async () => {
  const { writer, site, adapter, file } = await pair()
  writer.adapter.put('a', 'first')
  await writer.rest()
  await dieAfterApplying(site, adapter, async () => {
    await share([writer, site]).catch(() => {})
  })
  await writeFile(file('a'), 'mine')
  await site.start()
  await share([writer, site])
  assert.deepEqual(writer.adapter.picture(), ['a=mine'])
  assert.equal(site.node.replica.catalog.conflicts, 0)
})

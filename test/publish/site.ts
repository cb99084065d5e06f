/** A node with a target: the real TargetSync between a replica of the lab and an adapter. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Adapter } from '../../src/adapters/contract.js'
import { mayWriteAt } from '../../src/catalog/index.js'
import { silentLogger } from '../../src/runtime.js'
import { Base } from '../../src/publish/base.js'
import { DriftRules, TargetSync, type TargetSyncOptions } from '../../src/publish/index.js'
import { MemoryStore, Overlay } from '../../src/store/index.js'
import { bodyRefOf, type BodyRef, type Role } from '../../src/wire/index.js'
import { Lab, meet, type LabNode } from '../replica/lab.js'
import { MemoryAdapter } from './memory-adapter.js'

/** Longest wait for a target to come to rest, ms of real time. */
const PATIENCE_MS = 60_000

export class Site<A extends Adapter = MemoryAdapter> {
  sync!: TargetSync
  base!: Base
  /** Where the base rows are; what was not flushed is lost with the process. */
  readonly store = new MemoryStore()
  /** Large bodies this node has. */
  readonly blobs = new Map<string, Uint8Array>()
  readonly wanted: string[] = []
  /** The last line the target logged as an error. */
  lastFault = ''
  readonly imported: string[] = []
  readonly written: string[] = []
  readonly drifted: string[] = []
  /** What becomes of drift here. */
  driftRules: string[] = []
  #running = false
  /** Grows with every crash; the process before can reach neither target nor base any more. */
  #life = 0
  #held: Set<string> | undefined

  constructor(
    readonly node: LabNode,
    readonly adapter: A,
    readonly asideDir: string,
    readonly options: Partial<TargetSyncOptions> = {}
  ) {}

  /** Begins with whatever base rows are stored, as a new process would. */
  async start(): Promise<this> {
    const { node } = this
    const { reader, members } = node.replica
    const store = this.#mortal(this.store)
    this.base = new Base({ rows: new Overlay({ store }), store })
    const inline = (ref: BodyRef): Uint8Array | undefined => this.blobs.get(ref.hash) ?? reader.inlineBody(ref)
    this.sync = new TargetSync(
      {
        adapter: this.#mortal(this.adapter),
        reader,
        sink: { change: (change, { bytes, time }) => node.replica.change(change, bytes, time) },
        base: this.base,
        clock: node.clock,
        logger: {
          ...silentLogger,
          error: (message, facts) => (this.lastFault = `${message} ${JSON.stringify(facts)}`)
        },
        bodies: {
          has: (ref) => inline(ref) !== undefined,
          want: (ref) => this.wanted.push(ref.hash),
          source: async function* (ref) {
            yield inline(ref)!
          },
          store: async (source) => this.#storeBlob(source)
        },
        mayWrite: (path, kind) => {
          const self = members.get(node.keys.publicKey)
          return ['admin', 'author'].includes(self?.role ?? '') && mayWriteAt(self?.scope, path, kind)
        },
        driftPolicy: (path) => new DriftRules(this.driftRules).policyOf(path),
        asideDir: this.asideDir
      },
      { rescanIntervalMs: 3_600_000_000, adopt: 'merge', newcomer: false, ...this.options },
      {
        imported: (path, what) => this.imported.push(`${what} ${path}`),
        written: (path, what) => this.written.push(`${what} ${path}`),
        drift: ({ path, change }, end) => this.drifted.push(`${end?.how ?? 'found'} ${change} ${path}`)
      }
    )
    await this.sync.start()
    this.#running = true
    return this
  }

  async #storeBlob(source: AsyncIterable<Uint8Array>): Promise<BodyRef> {
    const parts: Uint8Array[] = []
    for await (const part of source) parts.push(part)
    const bytes = Buffer.concat(parts)
    const ref = bodyRefOf(bytes)
    this.blobs.set(ref.hash, bytes)
    return ref
  }

  /** What a process holds in its hands: after its end every call on it fails. */
  #mortal<T extends object>(thing: T): T {
    const life = this.#life
    return new Proxy(thing, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown => {
          if (life !== this.#life) throw new Error('the process that held this is dead')
          return value.apply(target, args)
        }
      }
    })
  }

  changed(ids: Iterable<string>): void {
    if (this.#held !== undefined) for (const id of ids) this.#held.add(id)
    else if (this.#running) this.sync.changed(ids)
  }

  /** Tells the target of nothing until `release`, so that many changes come to it at once. */
  hold(): void {
    this.#held = new Set()
  }

  release(): void {
    const ids = this.#held ?? []
    this.#held = undefined
    this.changed(ids)
  }

  /** The process dies where it stands: what was not flushed is gone, and nothing of it runs on. */
  die(): void {
    this.#life += 1
    this.#running = false
  }

  /** Whether a process runs. */
  get alive(): boolean {
    return this.#running
  }

  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    await this.sync.stop()
  }

  /** Waits until there is nothing left to do, moving the clock over pauses between tries. */
  async rest(): Promise<void> {
    const end = performance.now() + PATIENCE_MS
    const life = this.#life
    for (let calm = 0; calm < 3;) {
      if (life !== this.#life) throw new Error('the process died before it came to rest')
      await this.node.settled()
      calm = this.sync.idle ? calm + 1 : 0
      if (!this.sync.idle) this.node.clock.advance(1_000)
      if (performance.now() > end)
        throw new Error(
          `the target does not come to rest: ${JSON.stringify(this.sync.problems.list())} ${this.lastFault}`
        )
    }
  }

  /** Looks at everything again. */
  async rescan(): Promise<void> {
    this.sync.hint({ all: true })
    await this.rest()
  }

  /** Records this node holds of the catalog. */
  get records(): number {
    return [...this.node.replica.log.logs()]
      .filter((head) => head.space === 'catalog')
      .reduce((sum, head) => sum + head.seq, 0)
  }

  /** What was set aside, as `path=text`. */
  async aside(): Promise<string[]> {
    const files = await readdir(this.asideDir, { recursive: true, withFileTypes: true }).catch(() => [])
    const found = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name))
    return Promise.all(
      found.map(async (path) => `${path.slice(this.asideDir.length + 1)}=${await readFile(path, 'utf8')}`)
    )
  }
}

export interface SitesOptions {
  readonly roles?: readonly Role[]
  readonly each?: (index: number) => Partial<TargetSyncOptions>
}

/** Nodes with targets in memory, none started; `dispose` removes what they left on disk. */
export async function makeSites(
  count: number,
  options: SitesOptions = {}
): Promise<{ sites: Site[]; dispose(): Promise<void> }> {
  const sites: Site[] = []
  const base = await mkdtemp(join(tmpdir(), 'grapevine-sites-'))
  const nodes = await new Lab().nodes(count, {
    ...(options.roles === undefined ? {} : { roles: options.roles }),
    each: (index) => ({ events: { entriesChanged: (ids) => sites[index]?.changed(ids) } })
  })
  for (const [index, node] of nodes.entries())
    sites.push(new Site(node, new MemoryAdapter(), join(base, `${index}`), options.each?.(index)))
  return {
    sites,
    dispose: async () => {
      for (const site of sites) if (site.sync !== undefined) await site.stop()
      await rm(base, { recursive: true, force: true })
    }
  }
}

/** Everybody imports, exchanges and writes until nothing moves any more. */
export async function share(sites: readonly Site<Adapter>[]): Promise<void> {
  for (let before = ''; ;) {
    for (const site of sites) await site.rest()
    await meet(sites.map(({ node }) => node))
    for (const site of sites) await site.rest()
    const now = sites.map((site) => `${site.records} ${site.node.replica.catalog.root()}`).join()
    if (now === before) return
    before = now
  }
}

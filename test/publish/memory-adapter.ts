/** An adapter whose target is a tree in memory: for tests that need to see and to stop every step. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkPath } from '../../src/adapters/names.js'
import type {
  Adapter,
  ApplyItem,
  ApplyResult,
  BodyRef,
  BodySource,
  Coming,
  ScanResult,
  TargetEntry,
  TargetProblem,
  Waits,
  WatchHint
} from '../../src/adapters/contract.js'
import { GrapevineError, type ErrorCode } from '../../src/errors.js'
import { bodyRefOf } from '../../src/wire/index.js'

type FileNode = { readonly kind: 'file'; readonly bytes: Buffer; readonly exec: boolean; readonly inode: string }
type Node = FileNode | { readonly kind: 'dir'; readonly inode: string }

class Differs extends Error {}

const fault = (code: ErrorCode, message: string): GrapevineError =>
  new GrapevineError(code, message, { next: 'look at the target' })

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')

/** Parents before children, siblings by name. */
const byTree = (a: string, b: string): number => (a.replaceAll('/', '\u0000') < b.replaceAll('/', '\u0000') ? -1 : 1)

export class MemoryAdapter implements Adapter {
  readonly kind = 'memory'
  readonly nodes = new Map<string, Node>()
  /** Problems a scan reports, by path; what is at or below these is not listed. */
  readonly problems = new Map<string, GrapevineError>()
  /** What the rules leave out. */
  ignored: (path: string) => boolean = () => false
  /** What a scan misses although it is there, as one that runs while things are moved. */
  unseen: (path: string) => boolean = () => false
  /** Everything applied with success, for tests that count. */
  readonly applied: ApplyItem[] = []
  /** What has to wait, asked before each item of a set with what the set has besides and what is coming. */
  waits: (item: ApplyItem, set: readonly ApplyItem[], coming: Coming) => Waits | undefined = () => undefined
  /** What others refer to has the smaller number. */
  rankOf?: (path: string) => number
  /** What was given with each set. */
  readonly told: Coming[] = []
  scans = 0
  /** Called before each item of a set; throwing ends the process's call as a crash would. */
  beforeItem: (item: ApplyItem) => void = () => undefined
  /** Called after each item was put in place. */
  afterItem: (item: ApplyItem) => void = () => undefined
  #listener: (hint: WatchHint) => void = () => undefined
  #watching = false
  readonly #hinted: string[] = []
  /** The set under way, or done and not taken note of. */
  #journal:
    { readonly items: readonly ApplyItem[]; readonly results: ApplyResult[]; readonly bodies: BodySource } | undefined
  recovered: readonly ApplyResult[] = []
  #nextInode = 1

  // --- hands of another program --------------------------------------------------------------------------------------

  put(path: string, bytes: Uint8Array | string, { exec = false }: { exec?: boolean } = {}): void {
    const inode = this.nodes.get(path)?.inode ?? this.#inode()
    this.#placeFile(path, Buffer.from(bytes), exec, inode)
    this.#hint(path)
  }

  makeDir(path: string): void {
    this.#require(parentOf(path))
    this.nodes.set(path, { kind: 'dir', inode: this.#inode() })
    this.#hint(path)
  }

  remove(path: string): void {
    for (const below of this.#at(path)) this.nodes.delete(below)
    this.#hint(path)
  }

  rename(from: string, to: string): void {
    this.#moveAll(from, to)
    this.#hint(from)
    this.#hint(to)
  }

  bytesAt(path: string): { bytes: Buffer; exec: boolean } | null {
    const node = this.nodes.get(path)
    return node?.kind === 'file' ? { bytes: node.bytes, exec: node.exec } : null
  }

  /** `path=text` or `path/`, in order: the whole target at a glance. */
  picture(): string[] {
    return [...this.nodes]
      .toSorted(([a], [b]) => byTree(a, b))
      .map(([path, node]) => (node.kind === 'dir' ? `${path}/` : `${path}=${node.bytes.toString()}`))
  }

  // --- the adapter ---------------------------------------------------------------------------------------------------

  onHint(listener: (hint: WatchHint) => void): void {
    this.#listener = listener
  }

  async start(): Promise<void> {
    this.#watching = true
    await this.#recover()
  }

  /** Of a set that was begun the rest is done; one of which nothing is in place is forgotten. */
  async #recover(): Promise<void> {
    const open = this.#journal
    if (open === undefined) return
    this.#journal = undefined
    this.recovered = []
    if (open.results.length === 0) return
    for (const item of open.items.slice(open.results.length)) open.results.push(await this.#applyOne(item, open.bodies))
    this.recovered = open.results.filter(({ outcome }) => outcome === 'done')
    this.#journal = open
  }

  async settled(): Promise<void> {
    this.#journal = undefined
    this.recovered = []
  }

  async stop(): Promise<void> {
    this.#watching = false
  }

  async scan(options: { paths?: readonly string[]; signal?: AbortSignal } = {}): Promise<ScanResult> {
    options.signal?.throwIfAborted()
    this.scans += 1
    const entries = new Map<string, TargetEntry>()
    const problems: TargetProblem[] = []
    for (const path of [...this.nodes.keys()].toSorted(byTree)) {
      if (options.paths !== undefined && !options.paths.some((scope) => within(path, scope))) continue
      if (this.#leftOut(path) || this.unseen(path)) continue
      const problem = [...this.problems].find(([at]) => within(path, at))
      if (problem !== undefined) {
        if (problem[0] === path) problems.push({ path, error: problem[1] })
      } else entries.set(path, this.#entry(path))
    }
    return { entries, problems }
  }

  async *read(entry: TargetEntry & { kind: 'file' }): AsyncIterable<Uint8Array> {
    const found = this.bytesAt(entry.path)
    if (found === null || bodyRefOf(found.bytes).hash !== entry.body.hash)
      throw fault('file-changed', `${entry.path} changed`)
    yield found.bytes
  }

  async apply(
    items: readonly ApplyItem[],
    bodies: BodySource,
    signal?: AbortSignal,
    coming: Coming = { entries: [], more: false }
  ): Promise<ApplyResult[]> {
    const results: ApplyResult[] = []
    this.#journal = { items, results, bodies }
    this.told.push(coming)
    for (const item of items) {
      const waits = this.waits(item, items, coming)
      if (waits !== undefined) {
        results.push({ item, outcome: 'waits', entry: null, waits })
        continue
      }
      this.beforeItem(item)
      results.push(await this.#applyOne(item, bodies, signal))
      this.afterItem(item)
    }
    return results
  }

  ignores(path: string): boolean {
    return this.#leftOut(path)
  }

  async setAside(path: string, saveTo: string): Promise<void> {
    await this.keepCopy(path, saveTo)
    this.nodes.delete(path)
  }

  async keepCopy(path: string, saveTo: string): Promise<string> {
    const refusal = checkPath(path)
    if (refusal !== null) throw refusal
    const found = this.bytesAt(path)
    if (found === null) throw fault('file-changed', `${path} is gone`)
    const target = join(saveTo, path)
    await mkdir(dirname(target), { recursive: true })
    for (let turn = 0; ; turn++) {
      const place = turn === 0 ? target : `${target}.${turn}`
      try {
        await writeFile(place, found.bytes, { flag: 'wx' })
        return place
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
  }

  // --- applying ------------------------------------------------------------------------------------------------------

  async #applyOne(item: ApplyItem, bodies: BodySource, signal?: AbortSignal): Promise<ApplyResult> {
    try {
      this.#refuse(item, signal)
      const entry = await this.#change(item, bodies)
      this.applied.push(item)
      // a watcher cannot tell who did it, and what moved along may be news
      this.#hint(item.path)
      return { item, outcome: 'done', entry }
    } catch (error) {
      if (error instanceof Differs)
        return { item, outcome: 'differs', entry: null, error: fault('target-write-failed', error.message) }
      if (!(error instanceof GrapevineError)) throw error
      return { item, outcome: 'failed', entry: null, error }
    }
  }

  #refuse(item: ApplyItem, signal?: AbortSignal): void {
    if (signal?.aborted === true) throw fault('stopped', 'stopping')
    for (const path of item.do === 'move' ? [item.from, item.path] : [item.path]) {
      const refusal = checkPath(path)
      if (refusal !== null) throw refusal
      if (this.#leftOut(path)) throw fault('file-not-shared', `${path} is ignored`)
    }
    if (item.do === 'move' && item.path.startsWith(`${item.from}/`)) throw fault('move-into-itself', 'below itself')
  }

  async #change(item: ApplyItem, bodies: BodySource): Promise<TargetEntry | null> {
    const here = this.nodes.get(item.path)
    switch (item.do) {
      case 'write': {
        const wanted = await collect(item.body, bodies)
        const held = this.bytesAt(item.path)
        if (held !== null && held.exec === item.exec && bodyRefOf(held.bytes).hash === item.body.hash)
          return this.#entry(item.path)
        this.#expect(item.path, item.expect)
        if (here?.kind === 'dir') this.#assertEmpty(item.path)
        this.#placeFile(item.path, wanted, item.exec, this.#inode())
        return this.#entry(item.path)
      }
      case 'mkdir':
        if (here?.kind === 'dir') return this.#entry(item.path)
        this.#expect(item.path, item.expect)
        this.#require(parentOf(item.path))
        this.nodes.set(item.path, { kind: 'dir', inode: this.#inode() })
        return this.#entry(item.path)
      case 'remove':
        if (here === undefined) return null
        this.#expect(item.path, item.expect)
        if (here.kind === 'dir') this.#assertEmpty(item.path)
        this.nodes.delete(item.path)
        return null
      case 'move':
        if (!this.nodes.has(item.from) && here !== undefined && this.#equal(item.path, item.expect))
          return this.#entry(item.path)
        this.#expect(item.from, item.expect)
        if (here !== undefined) throw new Differs(`${item.path} is taken`)
        this.#moveAll(item.from, item.path)
        return this.#entry(item.path)
    }
  }

  #expect(path: string, expect: TargetEntry | null): void {
    if (expect === null ? this.nodes.has(path) : !this.#equal(path, expect))
      throw new Differs(`${path} is not as expected`)
  }

  #equal(path: string, expect: TargetEntry): boolean {
    const node = this.nodes.get(path)
    if (node === undefined || node.kind !== expect.kind) return false
    return (
      node.kind === 'dir' ||
      expect.kind === 'dir' ||
      (bodyRefOf(node.bytes).hash === expect.body.hash && node.exec === expect.exec)
    )
  }

  #assertEmpty(path: string): void {
    const held = this.#at(path).filter((other) => other !== path)
    if (held.length > 0) throw new Differs(`the directory still holds ${held.join(', ')}`)
  }

  #moveAll(from: string, to: string): void {
    this.#require(parentOf(to))
    const moved = this.#at(from).map((path): [string, Node] => [path, this.nodes.get(path)!])
    for (const [path] of moved) this.nodes.delete(path)
    for (const [path, node] of moved) this.nodes.set(to + path.slice(from.length), node)
  }

  #placeFile(path: string, bytes: Buffer, exec: boolean, inode: string): void {
    this.#require(parentOf(path))
    this.nodes.set(path, { kind: 'file', bytes, exec, inode })
  }

  #require(parent: string): void {
    if (parent !== '' && this.nodes.get(parent)?.kind !== 'dir') throw new Differs(`${parent} is no directory`)
  }

  #entry(path: string): TargetEntry {
    const node = this.nodes.get(path)!
    return node.kind === 'dir'
      ? { path, kind: 'dir', inode: node.inode }
      : { path, kind: 'file', body: bodyRefOf(node.bytes), exec: node.exec, inode: node.inode }
  }

  #at(path: string): string[] {
    return [...this.nodes.keys()].filter((other) => within(other, path))
  }

  #leftOut(path: string): boolean {
    for (let at = path; at !== ''; at = parentOf(at)) if (this.ignored(at)) return true
    return false
  }

  #inode(): string {
    return `${this.#nextInode++}`
  }

  /** Gathered until the hands have done what they do at once, as a watcher gathers over a short time. */
  #hint(path: string): void {
    if (!this.#watching) return
    this.#hinted.push(path)
    if (this.#hinted.length > 1) return
    queueMicrotask(() => {
      const paths = this.#hinted.splice(0)
      if (this.#watching) this.#listener({ paths })
    })
  }
}

function within(path: string, scope: string): boolean {
  return path === scope || path.startsWith(`${scope}/`)
}

async function collect(body: BodyRef, bodies: BodySource): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of bodies(body)) parts.push(part)
  const bytes = Buffer.concat(parts)
  if (bodyRefOf(bytes).hash !== body.hash) throw fault('blob-damaged', 'bytes do not match their hash')
  return bytes
}

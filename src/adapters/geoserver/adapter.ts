/**
 * A GeoServer data directory as a target: the directory adapter, through which only passes what belongs to all nodes.
 * README.md tells the rules.
 */
import { bodyRefOf } from '../../wire/index.js'
import type {
  Adapter,
  ApplyItem,
  ApplyResult,
  BodyRef,
  BodySource,
  Coming,
  Contents,
  ScanResult,
  TargetEntry,
  Waits,
  WatchHint
} from '../contract.js'
import { outcomeOf } from '../directory/check.js'
import { DirectoryAdapter, type DirectoryDeps, type DirectoryOptions } from '../directory/index.js'
import { BrokenRule, type BrokenReferences } from './broken-rule.js'
import { Classifier } from './classify.js'
import type { Closure } from './closure.js'
import { freshen } from './freshen.js'
import { brokenIn, Judge } from './judge.js'
import { Knowledge } from './knowledge.js'
import { contentsOf } from './contents.js'
import { FactsBook } from './facts-book.js'
import { withAllAbove } from './left-out.js'
import { markOf, recoveredResult } from './marks.js'
import type { TextMemory, TravelMemory } from './memory.js'
import { mayGoTogether, ordered, rankOf } from './order.js'
import { collect, Outside, type FileEntry } from './outside.js'
import { About } from './tell/about.js'
import { Caller, type CallerOptions } from './tell/caller.js'
import { Debt } from './tell/debt.js'
import { Teller } from './tell/teller.js'
import { Wake } from './wake.js'
import type { TellingView } from './tell/telling-view.js'
import type { Turn } from './tell/windows.js'
import { lacksOf } from './plugins.js'
import { Preparation, type Prepared, type PrepareDeps } from './prepare.js'
import { MAX_XML_BYTES } from './xml.js'

/** How a running GeoServer over the directory is told of changes. */
export interface Telling {
  readonly access: CallerOptions
  readonly memory: TextMemory
  readonly turn: () => Turn
}

export interface GeoServerDeps extends DirectoryDeps {
  /** Absent: nobody is told. */
  readonly telling?: Telling
  readonly memory: TravelMemory
  /** What files said when they were read last. */
  readonly facts: TextMemory
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface GeoServerOptions extends Omit<DirectoryOptions, 'leavesOut' | 'together'> {
  /** Lines `share PATTERN`, `local PATTERN` and `field PATTERN ELEMENT/ELEMENT`. */
  readonly rules?: readonly string[]
  /** Where the node keeps the passwords of stores. */
  readonly secretsFile: string
  /** What is done with references that are broken at their source; absent: they are passed on at once. */
  readonly broken?: BrokenReferences
  /** Whether GeoServers of other nodes run over the same directory: then nothing is written, and all that changes is told. */
  readonly shared?: boolean
}

/** Where a directory is shared nothing is written to it. */
const OTHERS: Waits = { for: ['whoever shares the directory to write it'], state: 'coming' }
const AT_ONCE: BrokenReferences = { rule: 'pass', afterMs: 0 }

export class GeoServerAdapter implements Adapter {
  readonly kind = 'geoserver'
  readonly contents: Contents
  readonly #inner: DirectoryAdapter
  readonly #outside: Outside
  readonly #prepare: PrepareDeps
  readonly #knowledge: Knowledge
  readonly #judge: Judge
  readonly #wake: Wake
  readonly #classifier: Classifier
  readonly #root: string
  readonly #shared: boolean
  #teller: Teller | undefined
  #about: About | undefined
  #listener: (hint: WatchHint) => void = () => {}
  #recovered: readonly ApplyResult[] | undefined
  /** Sets are prepared and applied one after the other: each is compared with what the one before left. */
  #applying: Promise<unknown> = Promise.resolve()

  /** Throws `config-invalid` for a rule that cannot be understood. */
  constructor(deps: GeoServerDeps, options: GeoServerOptions) {
    const classifier = new Classifier(options.rules)
    this.contents = contentsOf(classifier)
    const { rules: _rules, secretsFile, broken = AT_ONCE, shared = false, ...directory } = options
    this.#root = options.root
    this.#shared = shared
    this.#inner = new DirectoryAdapter(deps, {
      ...directory,
      readOnly: shared,
      leavesOut: withAllAbove(classifier),
      together: (a, b) => mayGoTogether(classifier.classify(a), classifier.classify(b))
    })
    const { environment, telling } = deps
    this.#classifier = classifier
    const knowledge = new Knowledge(
      options.root,
      classifier,
      new FactsBook({ root: options.root, cache: deps.cache, memory: deps.facts }),
      { asOfBefore: shared }
    )
    this.#knowledge = knowledge
    const over = (path: string): void => this.#listener({ paths: [path] })
    const wake = new Wake({ clock: deps.clock, inventory: knowledge.inventory, over })
    this.#wake = wake
    this.#outside = new Outside({
      inner: this.#inner,
      classifier,
      memory: deps.memory,
      wake,
      putBack: (now, bytes) => this.#putBack(now, bytes)
    })
    this.#judge = new Judge({ knowledge, classifier, rule: new BrokenRule(broken, deps.clock) })
    if (telling !== undefined) this.#teller = this.#tellerOf(deps, telling, classifier)
    this.#prepare = { inner: this.#inner, outside: this.#outside, classifier, secretsFile, environment }
  }

  #tellerOf(deps: GeoServerDeps, telling: Telling, classifier: Classifier): Teller {
    const { clock, logger } = deps
    const caller = new Caller(telling.access)
    this.#about = new About({ clock, logger, caller })
    return new Teller({
      clock,
      logger,
      caller,
      knowledge: this.#knowledge,
      debt: new Debt(telling.memory, classifier),
      bytesOf: (path) => this.#bytesOf(path),
      turn: telling.turn,
      sayingsAt: (path) => this.#outside.sayingsAt(path),
      whileTold: (path, sent, call, was) => {
        this.#wake.telling(path)
        // a directory that others have, too, shows itself as it is
        return this.#shared ? call() : this.#outside.told(path, sent, call, was)
      },
      ownFields: (path) => this.#outside.ownFields(path),
      shared: this.#shared
    })
  }

  /** Where somebody else wrote there meanwhile that stays, and shows itself to the next scan. */
  async #putBack(now: FileEntry, bytes: Uint8Array): Promise<void> {
    const { path, exec } = now
    async function* source(): AsyncGenerator<Uint8Array> {
      yield bytes
    }
    await this.#inner.apply([{ do: 'write', path, body: bodyRefOf(bytes), exec, expect: now }], source)
  }

  async #bytesOf(path: string): Promise<Uint8Array | undefined> {
    const entry = (await this.#inner.scan({ paths: [path] })).entries.get(path)
    return entry?.kind === 'file' ? collect(this.#inner.read(entry)) : undefined
  }

  /** How far GeoServer knows what lies in its directory; undefined: nobody tells it. */
  telling(): TellingView | undefined {
    if (this.#teller === undefined) return undefined
    const { version, modules } = this.#about!
    return {
      ...(version !== undefined && { version }),
      ...this.#teller.view(),
      lacks: modules === undefined ? [] : lacksOf(this.#knowledge.inventory, modules),
      leftOut: [...this.#outside.leftOut].map(([path, elements]) => ({ path, elements }))
    }
  }

  get rootIdentity(): DirectoryAdapter['rootIdentity'] {
    return this.#inner.rootIdentity
  }

  get recovered(): readonly ApplyResult[] {
    this.#recovered ??= this.#inner.recovered.map(recoveredResult)
    return this.#recovered
  }

  onHint(listener: (hint: WatchHint) => void): void {
    this.#listener = listener
    this.#inner.onHint(listener)
  }

  ignores(path: string, kind: 'file' | 'dir'): boolean {
    return this.#inner.ignores(path, kind)
  }

  async start(): Promise<void> {
    await this.#inner.start()
    // it goes on behind; whoever needs it waits for it, and hears when it cannot be read
    this.#knowledge.load().catch(() => {})
    this.#about?.start()
    await this.#teller?.start(this.recovered.flatMap(({ item }) => filesOf(item)))
  }

  async stop(): Promise<void> {
    await this.#about?.stop()
    await this.#teller?.stop()
    this.#wake.stop()
    await this.#inner.stop()
    await this.#applying
  }

  async scan(options: Parameters<Adapter['scan']>[0] = {}): Promise<ScanResult> {
    if (this.#shared) {
      await freshen(this.#root, options.paths ?? [])
      return this.#outside.translate(await this.#inner.scan(options), options.signal)
    }
    const found = await this.#inner.scan(options)
    if (options.paths !== undefined) {
      const files = [...hashesOf(found).keys()]
      const others = options.paths.filter((path) => found.entries.get(path)?.kind !== 'file')
      // what was a directory, or is one, may have lost what was below it
      await this.#noticed([...new Set([...files, ...others, ...this.#knowledge.below(others)])])
    } else if (this.#knowledge.whole) await this.#noticed(this.#knowledge.differing(hashesOf(found)))
    return this.#outside.translate(found, options.signal)
  }

  async noted(paths: readonly string[]): Promise<void> {
    if (!this.#shared) return
    if (this.#teller !== undefined) await this.#teller.changed(paths)
    else for (const path of paths) await this.#knowledge.look(path)
  }

  async meansSame(entry: FileEntry, body: BodyRef, bodies: BodySource): Promise<boolean> {
    if (body.size > MAX_XML_BYTES || this.#outside.placeOf(entry.path) === null) return false
    return this.#outside.takesFor(entry.path, body, await collect(bodies(body)))
  }

  /** What was hinted at is looked at by path. Whoever wrote it was not us: GeoServer, if that runs, knows of it. */
  async #noticed(paths: readonly string[]): Promise<void> {
    if (this.#teller !== undefined) await this.#teller.noticed(paths)
    else for (const path of paths) await this.#knowledge.look(path)
  }

  rankOf(path: string): number {
    return rankOf(this.#classifier.classify(path))
  }

  broken(limit: number): ReturnType<NonNullable<Adapter['broken']>> {
    return brokenIn(this.#knowledge.inventory, limit)
  }

  async *read(entry: FileEntry, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.#outside.placeOf(entry.path) === null) yield* this.#inner.read(entry, signal)
    else yield await this.#outside.read(entry, (path) => this.#listener({ paths: [path] }))
  }

  apply(
    items: readonly ApplyItem[],
    bodies: BodySource,
    signal?: AbortSignal,
    coming?: Coming
  ): Promise<ApplyResult[]> {
    if (this.#shared)
      return Promise.resolve(items.map((item) => ({ item, outcome: 'waits', entry: null, waits: OTHERS })))
    const turn = this.#applying.then(() => this.#apply(items, bodies, signal, coming))
    this.#applying = turn.catch(() => {})
    return turn
  }

  settled(): Promise<void> {
    return this.#inner.settled()
  }

  async setAside(path: string, saveTo: string): Promise<void> {
    this.#outside.noteAside(path, await this.#inner.putAside(path, saveTo))
  }

  keepCopy(path: string, saveTo: string): Promise<string> {
    return this.#inner.keepCopy(path, saveTo)
  }

  async #apply(
    items: readonly ApplyItem[],
    bodies: BodySource,
    signal?: AbortSignal,
    coming?: Coming
  ): Promise<ApplyResult[]> {
    const preparation = new Preparation(this.#prepare, bodies)
    let set: Prepared[]
    let closure: Closure
    try {
      closure = await this.#judge.judge(items, bodies, coming)
      const first = closure.waiting
      set = await preparation.all(
        items.filter((item) => !first.has(item)),
        signal
      )
    } catch (error) {
      // the directory is not there, or the node is stopping: nothing was touched
      return items.map((item) => outcomeOf(item, error, signal))
    }
    const waiting = closure.without(new Set(set.flatMap(({ item, result }) => (result === undefined ? [] : [item]))))
    const open = set.filter(({ item, result }) => result === undefined && !waiting.has(item))
    const answers = await this.#place(ordered(open), closure, preparation.source, signal)
    for (const { item, result } of set) if (result !== undefined) answers.set(item, result)
    for (const [item, waits] of waiting) answers.set(item, { item, outcome: 'waits', entry: null, waits })
    const done = items.filter((item) => answers.get(item)!.outcome === 'done')
    const entries = new Map(done.map((item) => [item.path, answers.get(item)!.entry]))
    await this.#judge.applied(done, (path) => this.#hashOf(path, entries.get(path)))
    return items.map((item) => answers.get(item)!)
  }

  /** Puts what is prepared in place, in its order. */
  async #place(
    open: readonly Prepared[],
    closure: Closure,
    source: BodySource,
    signal?: AbortSignal
  ): Promise<Map<ApplyItem, ApplyResult>> {
    const ofInner = new Map(open.flatMap((each) => marked(each).map((item) => [item, each.item])))
    const inner = [...ofInner.keys()]
    const withhold = (failed: readonly ApplyItem[]): ReadonlyMap<ApplyItem, Waits> => {
      const waiting = closure.without(new Set(failed.map((item) => ofInner.get(item)!)))
      return new Map(inner.flatMap((item) => [[item, waiting.get(ofInner.get(item)!)] as const]).filter(isKnown))
    }
    const results = await this.#told(inner, () => this.#inner.applyWhole(inner, source, withhold, signal))
    const own = new Map<ApplyItem, ApplyResult[]>()
    for (const [at, item] of inner.entries()) {
      const outer = ofInner.get(item)!
      own.set(outer, [...(own.get(outer) ?? []), results[at]!])
    }
    return new Map(open.map((prepared) => [prepared.item, this.#answer(prepared, own.get(prepared.item)!)]))
  }

  #hashOf(path: string, entry: TargetEntry | null | undefined): string | undefined {
    if (entry?.kind !== 'file') return undefined
    return this.#outside.placeOf(path) === null ? entry.body.hash : this.#outside.rawAt(path)
  }

  #told<T>(items: readonly ApplyItem[], apply: () => Promise<T>): Promise<T> {
    if (this.#teller === undefined) return apply()
    const paths = items.flatMap((item) => (item.do === 'move' ? this.#moved(item) : filesOf(item)))
    return this.#teller.changing(paths, apply)
  }

  /** With a directory everything in it moves. */
  #moved({ from, path, expect }: ApplyItem & { do: 'move' }): string[] {
    if (expect.kind === 'file') return [from, path]
    return this.#knowledge.below([from]).flatMap((file) => [file, path + file.slice(from.length)])
  }

  /** The result of an item from those of what was done for it. */
  #answer({ item, stands }: Prepared, results: readonly ApplyResult[]): ApplyResult {
    const failed = results.find(({ outcome }) => outcome !== 'done')
    if (failed !== undefined) return { ...failed, item }
    const { entry } = results[0]!
    if (stands === undefined || entry?.kind !== 'file') return { item, outcome: 'done', entry }
    this.#outside.remember(entry.path, entry.body, stands.body, stands)
    return { item, outcome: 'done', entry: { ...entry, body: stands.body } }
  }
}

function isKnown(pair: readonly [ApplyItem, Waits | undefined]): pair is readonly [ApplyItem, Waits] {
  return pair[1] !== undefined
}

function hashesOf({ entries }: ScanResult): Map<string, string> {
  return new Map([...entries.values()].flatMap((each) => (each.kind === 'file' ? [[each.path, each.body.hash]] : [])))
}

function filesOf(item: ApplyItem): string[] {
  if (item.do === 'move') return [item.from, item.path]
  const isDirectory = item.do === 'mkdir' || (item.do === 'remove' && item.expect.kind === 'dir')
  return isDirectory ? [] : [item.path]
}

/** The first carries the caller's mark; a second is ours alone. */
function marked({ item, inner, stands }: Prepared): ApplyItem[] {
  const [first, ...rest] = inner
  return [{ ...first!, mark: markOf(item.mark, stands?.body) }, ...rest]
}

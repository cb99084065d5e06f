/**
 * A GeoServer data directory as a target: the directory adapter, through which only passes what belongs to all nodes.
 * README.md tells the rules.
 */
import type { Adapter, ApplyItem, ApplyResult, BodySource, ScanResult, WatchHint } from '../contract.js'
import { outcomeOf } from '../directory/check.js'
import { DirectoryAdapter, type DirectoryDeps, type DirectoryOptions } from '../directory/index.js'
import { Classifier } from './classify.js'
import { markOf, recoveredResult } from './marks.js'
import type { TravelMemory } from './memory.js'
import { mayGoTogether, ordered } from './order.js'
import { collect, Outside, type FileEntry } from './outside.js'
import { Caller, type CallerOptions } from './tell/caller.js'
import { Debt, type TellMemory } from './tell/debt.js'
import { Knowledge } from './tell/knowledge.js'
import { Teller, type TellingView } from './tell/teller.js'
import type { Turn } from './tell/windows.js'
import { Preparation, type Prepared, type PrepareDeps } from './prepare.js'

/** How a running GeoServer over the directory is told of changes. */
export interface Telling {
  readonly access: CallerOptions
  readonly memory: TellMemory
  readonly turn: () => Turn
}

export interface GeoServerDeps extends DirectoryDeps {
  /** Absent: nobody is told. */
  readonly telling?: Telling
  readonly memory: TravelMemory
  readonly environment: Readonly<Record<string, string | undefined>>
}

export interface GeoServerOptions extends Omit<DirectoryOptions, 'leavesOut' | 'together'> {
  /** Lines `share PATTERN` and `local PATTERN`. */
  readonly rules?: readonly string[]
  /** Where the node keeps the passwords of stores. */
  readonly secretsFile: string
}

/** Directories whose answer is remembered. */
const MAX_REMEMBERED_DIRECTORIES = 50_000

export class GeoServerAdapter implements Adapter {
  readonly kind = 'geoserver'
  readonly #inner: DirectoryAdapter
  readonly #outside: Outside
  readonly #prepare: PrepareDeps
  #teller: Teller | undefined
  #knowledge: Knowledge | undefined
  #listener: (hint: WatchHint) => void = () => {}
  #recovered: readonly ApplyResult[] | undefined
  /** Sets are prepared and applied one after the other: each is compared with what the one before left. */
  #applying: Promise<unknown> = Promise.resolve()

  /** Throws `config-invalid` for a rule that cannot be understood. */
  constructor(deps: GeoServerDeps, options: GeoServerOptions) {
    const classifier = new Classifier(options.rules)
    const { rules: _rules, secretsFile, ...directory } = options
    this.#inner = new DirectoryAdapter(deps, {
      ...directory,
      leavesOut: withAllAbove(classifier),
      together: (a, b) => mayGoTogether(classifier.classify(a), classifier.classify(b))
    })
    this.#outside = new Outside(this.#inner, classifier, deps.memory)
    const { environment, telling } = deps
    if (telling !== undefined) this.#teller = this.#tellerOf(deps, telling, options.root, classifier)
    this.#prepare = { inner: this.#inner, outside: this.#outside, classifier, secretsFile, environment }
  }

  #tellerOf(deps: GeoServerDeps, telling: Telling, root: string, classifier: Classifier): Teller {
    const { clock, logger } = deps
    const knowledge = new Knowledge(root, classifier)
    this.#knowledge = knowledge
    return new Teller({
      clock,
      logger,
      caller: new Caller(telling.access),
      knowledge,
      debt: new Debt(telling.memory, classifier),
      bytesOf: (path) => this.#bytesOf(path),
      turn: telling.turn
    })
  }

  async #bytesOf(path: string): Promise<Uint8Array | undefined> {
    const entry = (await this.#inner.scan({ paths: [path] })).entries.get(path)
    return entry?.kind === 'file' ? collect(this.#inner.read(entry)) : undefined
  }

  /** How far GeoServer knows what lies in its directory; undefined: nobody tells it. */
  telling(): TellingView | undefined {
    return this.#teller?.view()
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
    await this.#teller?.start(this.recovered.flatMap(({ item }) => filesOf(item)))
  }

  async stop(): Promise<void> {
    await this.#teller?.stop()
    await this.#inner.stop()
    await this.#applying
  }

  async scan(options: Parameters<Adapter['scan']>[0] = {}): Promise<ScanResult> {
    const found = await this.#inner.scan(options)
    // what was hinted at is looked at by path, and whoever wrote it was not us: it is known already
    if (options.paths !== undefined)
      await this.#teller?.noticed([...new Set([...options.paths, ...found.entries.keys()])])
    return this.#outside.translate(found, options.signal)
  }

  async *read(entry: FileEntry, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.#outside.placeOf(entry.path) === null) yield* this.#inner.read(entry, signal)
    else yield await this.#outside.read(entry, (path) => this.#listener({ paths: [path] }))
  }

  apply(items: readonly ApplyItem[], bodies: BodySource, signal?: AbortSignal): Promise<ApplyResult[]> {
    const turn = this.#applying.then(() => this.#apply(items, bodies, signal))
    this.#applying = turn.catch(() => {})
    return turn
  }

  settled(): Promise<void> {
    return this.#inner.settled()
  }

  async setAside(path: string, saveTo: string): Promise<void> {
    this.#outside.noteAside(path, await this.#inner.putAside(path, saveTo))
  }

  async #apply(items: readonly ApplyItem[], bodies: BodySource, signal?: AbortSignal): Promise<ApplyResult[]> {
    const preparation = new Preparation(this.#prepare, bodies)
    let set: Prepared[]
    try {
      await this.#teller?.ready()
      set = await preparation.all(items, signal)
    } catch (error) {
      // the directory is not there, or the node is stopping: nothing was touched
      return items.map((item) => outcomeOf(item, error, signal))
    }
    const open = ordered(set.filter(({ result }) => result === undefined))
    const inner = open.flatMap((prepared) => marked(prepared))
    const results = await this.#told(inner, () => this.#inner.apply(inner, preparation.source, signal))
    const of = new Map(inner.map((item, at) => [item, results[at]!]))
    let at = 0
    const answers = new Map(
      open.map((prepared) => {
        const own = inner.slice(at, (at += prepared.inner.length)).map((item) => of.get(item)!)
        return [prepared.item, this.#answer(prepared, own)]
      })
    )
    return set.map(({ item, result }) => result ?? answers.get(item)!)
  }

  #told<T>(items: readonly ApplyItem[], apply: () => Promise<T>): Promise<T> {
    if (this.#teller === undefined) return apply()
    const paths = items.flatMap((item) => (item.do === 'move' ? this.#moved(item) : filesOf(item)))
    return this.#teller.changing(paths, apply)
  }

  /** With a directory everything in it moves. */
  #moved({ from, path, expect }: ApplyItem & { do: 'move' }): string[] {
    if (expect.kind === 'file') return [from, path]
    return this.#knowledge!.below(from).flatMap((file) => [file, path + file.slice(from.length)])
  }

  /** The result of an item from those of what was done for it. */
  #answer({ item, stands }: Prepared, results: readonly ApplyResult[]): ApplyResult {
    const failed = results.find(({ outcome }) => outcome !== 'done')
    if (failed !== undefined) return { ...failed, item }
    const { entry } = results[0]!
    if (stands === undefined || entry?.kind !== 'file') return { item, outcome: 'done', entry }
    this.#outside.remember(entry.path, entry.body, stands.body, stands.meaning)
    return { item, outcome: 'done', entry: { ...entry, body: stands.body } }
  }
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

/** What lies below a directory that is left out is left out, whatever it is by itself. */
function withAllAbove(classifier: Classifier): (path: string, kind: 'file' | 'dir') => boolean {
  const directories = new Map<string, boolean>()
  const leavesOut = (directory: string): boolean => {
    const known = directories.get(directory)
    if (known !== undefined) return known
    const cut = directory.lastIndexOf('/')
    const answer = (cut > 0 && leavesOut(directory.slice(0, cut))) || classifier.leavesOut(directory, 'dir')
    if (directories.size >= MAX_REMEMBERED_DIRECTORIES) directories.clear()
    directories.set(directory, answer)
    return answer
  }
  return (path, kind) => {
    if (kind === 'dir') return leavesOut(path)
    const cut = path.lastIndexOf('/')
    return (cut > 0 && leavesOut(path.slice(0, cut))) || classifier.leavesOut(path, 'file')
  }
}

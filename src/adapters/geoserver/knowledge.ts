/** What lies in the data directory, as GeoServer sees it: all its objects, kept up to date by path. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { isWithin } from '../paths.js'
import { travels, type Classifier } from './classify.js'
import type { FactsBook } from './facts-book.js'
import { Inventory } from './inventory.js'
import { factsAt, loadInventory } from './load.js'
import { isRead, type FileFacts } from './objects.js'

export class Knowledge {
  readonly inventory = new Inventory()
  readonly #root: string
  readonly #classifier: Classifier
  readonly #book: FactsBook | undefined
  readonly #asOfBefore: boolean
  #loaded: Promise<void> | undefined
  #whole = false
  /** Files that were looked at while the directory was being read: what that finds in them may be older. */
  readonly #newer = new Set<string>()
  /** Path -> the newest look at it that is under way. */
  readonly #looks = new Map<string, object>()

  /**
   * `book`: what files said before; absent: all are read at each start. `asOfBefore`: what is not looked at by path is known
   * as it was, because others write here and whoever asks wants to know what changed.
   */
  constructor(root: string, classifier: Classifier, book?: FactsBook, { asOfBefore = false } = {}) {
    this.#root = root
    this.#classifier = classifier
    this.#book = book
    this.#asOfBefore = asOfBefore
  }

  /** Reads the directory, once; again when that failed. Throws what opening it throws. */
  load(): Promise<void> {
    this.#loaded ??= this.#load().then(
      () => {
        this.#whole = true
        this.#newer.clear()
      },
      (error: unknown) => {
        this.#loaded = undefined
        throw error
      }
    )
    return this.#loaded
  }

  async #load(): Promise<void> {
    const book = this.#book
    const isStale = (path: string): boolean => this.#newer.has(path)
    if (book === undefined) return loadInventory(this.#root, this.#classifier, this.inventory, { isStale })
    await book.open()
    const asOfBefore = this.#asOfBefore && book.knowsAnything
    const said = asOfBefore ? book.before.bind(book) : book.at.bind(book)
    await loadInventory(this.#root, this.#classifier, this.inventory, { book, said, isStale })
    if (asOfBefore) for (const path of book.rest()) this.#take(book.before(path, this.#classifier.classify(path)))
    book.close()
  }

  #take(facts: FileFacts | null): void {
    if (facts !== null) this.inventory.set(facts)
  }

  at(path: string): FileFacts | undefined {
    return this.inventory.files.get(path)
  }

  /** Whether the directory has been read. */
  get whole(): boolean {
    return this.#whole
  }

  /** Takes note of what a file says that was just written. */
  put(facts: FileFacts): void {
    this.#overtake(facts.path)
    this.inventory.set(facts)
  }

  delete(path: string): void {
    this.#overtake(path)
    this.inventory.delete(path)
    this.#book?.forget(path)
  }

  /** What is still being read of this file is older than what is known from now on. */
  #overtake(path: string): void {
    this.#looks.delete(path)
    if (!this.#whole) this.#newer.add(path)
  }

  /** Paths of files at or below these. */
  below(paths: readonly string[]): string[] {
    if (paths.length === 0) return []
    const scopes = new Set(paths)
    return [...this.inventory.files.keys()].filter((path) => isWithin(path, scopes))
  }

  /**
   * Everything was scanned: which files are known otherwise and must be looked at, because no hint of them came. `files`:
   * what was found, with the content id of each.
   */
  differing(files: ReadonlyMap<string, string>): string[] {
    const known = [...this.inventory.files.values()].filter(({ class: { sharing } }) => travels(sharing))
    const gone = known.flatMap(({ path }) => (files.has(path) ? [] : [path]))
    const others = [...files].flatMap(([path, hash]) => (this.#knows(path, hash) ? [] : [path]))
    return [...gone, ...others]
  }

  #knows(path: string, hash: string): boolean {
    const facts = this.inventory.files.get(path)
    return facts !== undefined && (facts.hash === hash || !isRead(path, facts.class))
  }

  /** What the file at `from` would say at `to`. */
  async asIfAt(from: string, to: string): Promise<FileFacts> {
    const fileClass = this.#classifier.classify(to)
    return (await factsAt(this.#root, to, fileClass, { from })) ?? { path: to, class: fileClass }
  }

  /** Reads one file as it is now. A look that another one overtook finds nothing out. */
  async look(path: string): Promise<FileFacts | undefined> {
    const own = {}
    this.#looks.set(path, own)
    const isFile = await lstat(join(this.#root, path)).then(
      (stat) => stat.isFile(),
      () => false
    )
    const book = this.#book
    const fileClass = this.#classifier.classify(path)
    const facts = isFile ? await factsAt(this.#root, path, fileClass, { ...(book && { book }) }) : null
    if (this.#looks.get(path) !== own) return this.at(path)
    if (facts === null) this.delete(path)
    else this.put(facts)
    return facts ?? undefined
  }
}

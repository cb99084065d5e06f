/** What lies in the data directory, as GeoServer sees it: all its objects, kept up to date by path. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { isWithin } from '../paths.js'
import { travels, type Classifier } from './classify.js'
import type { FactsBook } from './facts-book.js'
import { Inventory } from './inventory.js'
import { factsAt, loadInventory } from './load.js'
import type { FileFacts } from './objects.js'

export class Knowledge {
  readonly inventory = new Inventory()
  readonly #root: string
  readonly #classifier: Classifier
  readonly #book: FactsBook | undefined
  readonly #asOfBefore: boolean
  #loaded: Promise<void> | undefined
  #whole = false

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
      () => void (this.#whole = true),
      (error: unknown) => {
        this.#loaded = undefined
        throw error
      }
    )
    return this.#loaded
  }

  async #load(): Promise<void> {
    const book = this.#book
    if (book === undefined) return loadInventory(this.#root, this.#classifier, this.inventory)
    await book.open()
    const asOfBefore = this.#asOfBefore && book.knowsAnything
    const said = asOfBefore ? book.before.bind(book) : book.at.bind(book)
    await loadInventory(this.#root, this.#classifier, this.inventory, { book, said })
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
    this.inventory.set(facts)
  }

  delete(path: string): void {
    this.inventory.delete(path)
    this.#book?.forget(path)
  }

  /** Paths of files at or below these. */
  below(paths: readonly string[]): string[] {
    if (paths.length === 0) return []
    const scopes = new Set(paths)
    return [...this.inventory.files.keys()].filter((path) => isWithin(path, scopes))
  }

  /**
   * Everything was scanned: what is known otherwise is read again. `files` are the paths of the files that were found.
   */
  async compare(files: ReadonlySet<string>): Promise<void> {
    const known = [...this.inventory.files.values()].filter(({ class: { sharing } }) => travels(sharing))
    const gone = known.flatMap(({ path }) => (files.has(path) ? [] : [path]))
    const come = [...files].filter((path) => !this.inventory.files.has(path))
    for (const path of [...gone, ...come]) await this.look(path)
  }

  /** What the file at `from` would say at `to`. */
  async asIfAt(from: string, to: string): Promise<FileFacts> {
    const fileClass = this.#classifier.classify(to)
    return (await factsAt(this.#root, to, fileClass, { from })) ?? { path: to, class: fileClass }
  }

  /** Reads one file as it is now. */
  async look(path: string): Promise<FileFacts | undefined> {
    const isFile = await lstat(join(this.#root, path)).then(
      (stat) => stat.isFile(),
      () => false
    )
    const book = this.#book
    const fileClass = this.#classifier.classify(path)
    const facts = isFile ? await factsAt(this.#root, path, fileClass, { ...(book && { book }) }) : null
    if (facts === null) this.delete(path)
    else this.inventory.set(facts)
    return facts ?? undefined
  }
}

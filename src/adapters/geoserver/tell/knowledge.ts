/** What lies in the data directory, as GeoServer sees it: all its objects, kept up to date by path. */
import type { Classifier } from '../classify.js'
import { Inventory } from '../inventory.js'
import { factsAt, loadInventory } from '../load.js'
import type { FileFacts } from '../objects.js'

export class Knowledge {
  readonly inventory = new Inventory()
  readonly #root: string
  readonly #classifier: Classifier
  #loaded: Promise<void> | undefined

  constructor(root: string, classifier: Classifier) {
    this.#root = root
    this.#classifier = classifier
  }

  /** Reads the directory, once; again when that failed. Throws what opening it throws. */
  load(): Promise<void> {
    this.#loaded ??= loadInventory(this.#root, this.#classifier, this.inventory).catch((error: unknown) => {
      this.#loaded = undefined
      throw error
    })
    return this.#loaded
  }

  at(path: string): FileFacts | undefined {
    return this.inventory.files.get(path)
  }

  /** Paths of files at or below `path`. */
  below(path: string): string[] {
    return [...this.inventory.files.keys()].filter((other) => other === path || other.startsWith(`${path}/`))
  }

  /** Reads one file as it is now. */
  async look(path: string): Promise<FileFacts | undefined> {
    const facts = await factsAt(this.#root, path, this.#classifier.classify(path))
    if (facts === null) this.inventory.delete(path)
    else this.inventory.set(facts)
    return facts ?? undefined
  }
}

/** What GeoServer has not been told yet; survives a restart, because a file that it does not know of is lost at its next save. */
import type { Classifier } from '../classify.js'
import type { TextMemory } from '../memory.js'
import type { FileFacts, GeoObject } from '../objects.js'
import type { Sayings } from './taken.js'

/** Files of which is kept what GeoServer had: a document has some tens of fields. */
const MAX_BEFORE = 1_000
const FILES = 'f/'
const TILES = 't/'

export class Debt {
  readonly #memory: TextMemory
  readonly #classifier: Classifier
  /** Path -> what GeoServer knows of it; undefined: nothing. */
  readonly files = new Map<string, FileFacts | undefined>()
  /** What GeoServer says in files that it is to be told of otherwise; after a restart that is not known. */
  readonly before = new Map<string, Sayings>()
  /** Layer or group -> when its tiles may be dropped, ms of the wall clock. */
  readonly tiles = new Map<string, number>()

  constructor(memory: TextMemory, classifier: Classifier) {
    this.#memory = memory
    this.#classifier = classifier
  }

  async load(): Promise<void> {
    for (const [key, value] of await this.#memory.all()) {
      if (key.startsWith(TILES)) this.tiles.set(key.slice(TILES.length), Number(value))
      else this.#loadFile(key.slice(FILES.length), value)
    }
  }

  /** '': nothing was there; `null`: a file that holds no object. */
  #loadFile(path: string, value: string): void {
    const known = { path, class: this.#classifier.classify(path) }
    const object = value === '' ? null : (JSON.parse(value) as GeoObject | null)
    this.files.set(path, value === '' ? undefined : object === null ? known : { ...known, object })
  }

  /**
   * The first word counts: what GeoServer knows does not change before it is told. `own`: fields that it put in by itself,
   * which are not missed when they are not sent.
   */
  owe(path: string, before: FileFacts | undefined, own: readonly string[] = []): void {
    if (this.files.has(path)) return
    const known = withoutFields(before, own)
    this.files.set(path, known)
    this.#memory.set(FILES + path, known === undefined ? '' : JSON.stringify(known.object ?? null))
  }

  /** As `owe`, the first word counts; of more files than `MAX_BEFORE` it is not known. */
  async noteBefore(path: string, sayingsAt: (path: string) => Promise<Sayings | undefined>): Promise<void> {
    if (this.files.has(path) || this.before.size >= MAX_BEFORE) return
    const said = await sayingsAt(path)
    if (said !== undefined) this.before.set(path, said)
  }

  paid(path: string): void {
    this.before.delete(path)
    this.files.delete(path)
    this.#memory.delete(FILES + path)
  }

  oweTiles(name: string, at: number): void {
    const before = this.tiles.get(name)
    if (before !== undefined && before >= at) return
    this.tiles.set(name, at)
    this.#memory.set(TILES + name, String(at))
  }

  tilesDropped(name: string): void {
    this.tiles.delete(name)
    this.#memory.delete(TILES + name)
  }
}

function withoutFields(facts: FileFacts | undefined, own: readonly string[]): FileFacts | undefined {
  if (facts?.object?.fields === undefined || own.length === 0) return facts
  return { ...facts, object: { ...facts.object, fields: facts.object.fields.filter((field) => !own.includes(field)) } }
}

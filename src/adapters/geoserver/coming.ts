/** What is to come into the directory besides a set, as far as it can be told: which ids, and which files. */
import { GrapevineError } from '../../errors.js'
import { bodyRefOf } from '../../wire/index.js'
import type { BodyRef, BodySource, Coming } from '../contract.js'
import { mapLimit } from '../directory/pool.js'
import { travels, type Classifier } from './classify.js'
import { mayHold, type Need } from './needs.js'
import { IDENTIFIED_KINDS, OBJECT_ROOTS, readFacts, type FileFacts } from './objects.js'
import { collect } from './outside.js'
import { MAX_XML_BYTES } from './xml.js'

/** Contents read at once; each may have `MAX_XML_BYTES`. */
const PARALLEL_READS = 4

/** What contents say that are on their way, each read once for as long as it is on its way. */
export class Arriving {
  readonly #classifier: Classifier
  #known = new Map<string, FileFacts>()
  #used = new Map<string, FileFacts>()

  constructor(classifier: Classifier) {
    this.#classifier = classifier
  }

  /** What the file at a path says with this content. Throws what reading it throws. */
  async factsOf(path: string, body: BodyRef, bodies: BodySource): Promise<FileFacts> {
    const fileClass = this.#classifier.classify(path)
    const isRead = OBJECT_ROOTS[fileClass.kind] !== undefined || /\.sld$/i.test(path)
    if (!isRead || !travels(fileClass.sharing) || body.size > MAX_XML_BYTES) return { path, class: fileClass }
    const key = `${body.hash} ${path}`
    let facts = this.#known.get(key) ?? this.#used.get(key)
    if (facts === undefined) {
      const bytes = await collect(bodies(body))
      // damaged bytes say nothing; they are found out when they are to be written
      if (bodyRefOf(bytes).hash !== body.hash) return { path, class: fileClass }
      facts = readFacts(path, fileClass, bytes)
    }
    this.#used.set(key, facts)
    return facts
  }

  /** A set was judged: what was not asked for since the last one is on its way no more. */
  forget(): void {
    this.#known = this.#used
    this.#used = new Map()
  }

  async expect({ entries }: Coming, bodies: BodySource): Promise<Expected> {
    const expected = new Expected()
    await mapLimit(entries, PARALLEL_READS, async ({ path, body, here }) => {
      const facts = body !== null && here ? await this.#factsIf(path, body, bodies) : undefined
      const unread = { path, class: this.#classifier.classify(path) }
      expected.add(path, body === null ? null : (facts ?? unread), facts === undefined)
    })
    return expected
  }

  /** Undefined when the bytes are gone again. */
  async #factsIf(path: string, body: BodyRef, bodies: BodySource): Promise<FileFacts | undefined> {
    try {
      return await this.factsOf(path, body, bodies)
    } catch (error) {
      if (error instanceof GrapevineError) return undefined
      throw error
    }
  }
}

export class Expected {
  readonly #changes = new Set<string>()
  readonly #files = new Set<string>()
  readonly #ids = new Map<string, string>()
  /** Files whose content is not known: each may hold whatever its kind can. */
  readonly #unread: FileFacts[] = []

  add(path: string, facts: FileFacts | null, unread: boolean): void {
    this.#changes.add(path)
    if (facts === null) return
    this.#files.add(path)
    if (unread) this.#unread.push(facts)
    else if (facts.object !== undefined && IDENTIFIED_KINDS.has(facts.object.kind)) this.#ids.set(facts.object.id, path)
  }

  changes(path: string): boolean {
    return this.#changes.has(path)
  }

  /** The path of what will satisfy it. */
  of(need: Need): string | undefined {
    if (need.by === 'path') return this.#files.has(need.path) ? need.path : undefined
    return this.#ids.get(need.id) ?? this.#unread.find((facts) => mayHold(facts.class.kind, need))?.path
  }
}

/** Judges a set before it is prepared: reads what its files say and what else is coming, and asks the closure. */
import { GrapevineError } from '../../errors.js'
import type { ApplyItem, BodyRef, BodySource, BrokenReference, Coming } from '../contract.js'
import { mapLimit } from '../directory/pool.js'
import { showName } from '../names.js'
import type { BrokenRule } from './broken-rule.js'
import type { Classifier } from './classify.js'
import { Closure, type Candidate } from './closure.js'
import { Arriving } from './coming.js'
import { brokenReferencesOf } from './findings.js'
import type { Inventory } from './inventory.js'
import type { Knowledge } from './knowledge.js'
import { wordsOf } from './needs.js'
import type { FileFacts } from './objects.js'

/** Contents read at once; each may have `MAX_XML_BYTES`. */
const PARALLEL_READS = 4
const NOTHING: Coming = { entries: [], more: false }

export interface JudgeDeps {
  readonly knowledge: Knowledge
  readonly classifier: Classifier
  readonly rule: BrokenRule
}

export class Judge {
  readonly #deps: JudgeDeps
  readonly #arriving: Arriving
  /** Of the last set, for what becomes of it. */
  #candidates: ReadonlyMap<ApplyItem, Candidate> = new Map()

  constructor(deps: JudgeDeps) {
    this.#deps = deps
    this.#arriving = new Arriving(deps.classifier)
  }

  /** Throws what opening the directory throws. */
  async judge(items: readonly ApplyItem[], bodies: BodySource, coming: Coming = NOTHING): Promise<Closure> {
    const { knowledge, rule } = this.#deps
    await knowledge.load()
    const candidates = await mapLimit(items, PARALLEL_READS, (item) => this.#candidateOf(item, bodies))
    this.#candidates = new Map(candidates.map((candidate) => [candidate.item, candidate]))
    const expected = await this.#arriving.expect(coming, bodies)
    this.#arriving.forget()
    const closure = new Closure(candidates, {
      inventory: knowledge.inventory,
      coming: (need) => expected.of(need),
      changes: (path) => expected.changes(path),
      more: coming.more,
      waitMs: (path, need) => rule.waitMs(path, need)
    })
    rule.judged(items.map(({ path }) => path))
    return closure
  }

  /** These were applied: the directory is known to hold them. `hashAt`: the content id of the file at a path, as it lies there. */
  async applied(items: readonly ApplyItem[], hashAt: (path: string) => string | undefined): Promise<void> {
    const { knowledge } = this.#deps
    for (const item of items) {
      const { clears, brings } = this.#candidates.get(item)!
      if (item.do === 'move' && item.expect.kind === 'dir') await this.#moved(item.from, item.path)
      for (const path of clears) knowledge.delete(path)
      for (const facts of brings) knowledge.put(asItLies(facts, hashAt(facts.path)))
    }
  }

  /** With a directory everything in it moved. */
  async #moved(from: string, to: string): Promise<void> {
    const { knowledge } = this.#deps
    for (const path of knowledge.below([from])) {
      knowledge.delete(path)
      await knowledge.look(to + path.slice(from.length))
    }
  }

  async #candidateOf(item: ApplyItem, bodies: BodySource): Promise<Candidate> {
    if (item.do === 'remove') return { item, brings: [], clears: [item.path] }
    if (item.do === 'mkdir' || (item.do === 'move' && item.expect.kind === 'dir'))
      return { item, brings: [], clears: [] }
    if (item.do === 'write')
      return { item, brings: [await this.#factsOf(item.path, item.body, bodies)], clears: [item.path] }
    const facts = await this.#deps.knowledge.asIfAt(item.from, item.path)
    return { item, brings: [facts], clears: [item.from, item.path] }
  }

  /** What cannot be read says nothing; it fails when it is to be written. */
  async #factsOf(path: string, body: BodyRef, bodies: BodySource): Promise<FileFacts> {
    try {
      return await this.#arriving.factsOf(path, body, bodies)
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      return { path, class: this.#deps.classifier.classify(path) }
    }
  }
}

function asItLies(facts: FileFacts, hash: string | undefined): FileFacts {
  return hash === undefined ? facts : { ...facts, hash }
}

/** What is broken in a directory, as everybody who shares it has it. */
export function brokenIn(inventory: Inventory, limit: number): { count: number; references: BrokenReference[] } {
  const byId = brokenReferencesOf(inventory).map(({ path, reference: { role, id } }) => ({
    path,
    missing: wordsOf({ by: 'id', role, id })
  }))
  const bodies = inventory.unmetBodies().map(({ path, body }) => ({ path, missing: showName(body) }))
  const references = [...byId, ...bodies].toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  return { count: references.length, references: references.slice(0, limit) }
}

/** What records know of other logs: worked out when they are applied, and kept for those that build on them. */
import type { Overlay } from '../store/index.js'
import type { Dep } from '../wire/index.js'
import type { RecordLog } from './record-log.js'
import { decodeKnowledge, knowledgeKey, type Knowledge } from './rows.js'

export const NOTHING: Knowledge = new Map()

/** The greatest depth in a record's past, and what it knows; `changed`: more than the one before it in its log. */
export interface Past {
  readonly depth: number
  readonly knowledge: Knowledge
  readonly changed: boolean
}

export class Pasts {
  readonly #rows: Overlay
  readonly #log: Pick<RecordLog, 'get' | 'row'>

  constructor(rows: Overlay, log: Pick<RecordLog, 'get' | 'row'>) {
    this.#rows = rows
    this.#log = log
  }

  /**
   * The greatest depth and the knowledge a record with these deps has: its predecessor's, each dep's, and the deps
   * themselves. All of them must be applied. A dep whose id is not the one we applied makes the answer undefined.
   */
  past(log: string, deps: readonly Dep[]): Past | undefined {
    const own = this.#log.get(log)
    let depth = own === undefined || own.applied === 0 ? 0 : this.#log.row(log, own.applied)!.depth
    if (deps.length === 0) return { depth, knowledge: own?.knowledge ?? NOTHING, changed: false }
    const knowledge = new Map(own?.knowledge ?? NOTHING)
    for (const dep of deps) {
      const row = this.#log.row(dep.log, dep.seq)
      if (row === undefined || row.id !== dep.id) return undefined
      depth = Math.max(depth, row.depth)
      raise(knowledge, dep.log, dep.seq)
      for (const [other, seq] of this.knowledgeAt(dep.log, row.knowledge))
        if (other !== log) raise(knowledge, other, seq)
    }
    return { depth, knowledge, changed: true }
  }

  /** What the records of a log know from its record `at` on, until another says more. */
  knowledgeAt(log: string, at: number): Knowledge {
    const head = this.#log.get(log)
    return head !== undefined && head.knowledgeAt === at ? head.knowledge : this.knowledgeRow(log, at)
  }

  knowledgeRow(log: string, at: number): Knowledge {
    if (at === 0) return NOTHING
    const bytes = this.#rows.get(knowledgeKey(log, at))
    return bytes === undefined ? NOTHING : decodeKnowledge(bytes)
  }
}

function raise(knowledge: Map<string, number>, log: string, seq: number): void {
  if ((knowledge.get(log) ?? 0) < seq) knowledge.set(log, seq)
}

/** The heads of the record graph, per space: records nothing else builds on yet. A new record names them as its deps. */
import type { RecordLog } from '../log/index.js'
import type { Dep, SignedRecord } from '../wire/index.js'

export class Heads {
  readonly #spaces = new Map<string, Map<string, Dep>>()

  /** Works the heads out from the logs: a log's newest applied record is one unless another log's newest knows it. */
  load(log: RecordLog): void {
    const logs = [...log.logs()].filter((head) => head.applied > 0)
    for (const head of logs) {
      const known = logs.some(
        (other) =>
          other.log !== head.log && other.space === head.space && (other.knowledge.get(head.log) ?? 0) >= head.applied
      )
      const row = known ? undefined : log.row(head.log, head.applied)
      if (row !== undefined) this.#of(head.space).set(row.id, { log: head.log, seq: head.applied, id: row.id })
    }
  }

  applied(record: SignedRecord): void {
    const { space, prev, deps, seq } = record.body
    const heads = this.#of(space)
    if (prev !== null) heads.delete(prev)
    for (const dep of deps) heads.delete(dep.id)
    heads.set(record.id, { log: record.log, seq, id: record.id })
  }

  of(space: string): Dep[] {
    return [...this.#of(space).values()]
  }

  #of(space: string): Map<string, Dep> {
    let heads = this.#spaces.get(space)
    if (heads === undefined) {
      heads = new Map()
      this.#spaces.set(space, heads)
    }
    return heads
  }
}

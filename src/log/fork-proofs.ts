/** Records that contradict those we hold: kept in the index as proof that their author wrote twice at one place. */
import { prefixRange, type Overlay, type Store } from '../store/index.js'
import { decodeRecord, type SignedRecord } from '../wire/index.js'

const FORKS = 'F/'
/** Proofs kept of one forked log: one is enough, and an author must not fill our disk with more. */
const MAX_FORK_PROOFS = 8

export class ForkProofs {
  readonly #rows: Overlay
  /** Log -> seq and id of records that contradict the one held at that seq. */
  readonly #forks = new Map<string, Array<{ seq: number; id: string }>>()

  constructor(rows: Overlay) {
    this.#rows = rows
  }

  async load(store: Store): Promise<void> {
    for await (const [key] of store.iterate(prefixRange(FORKS))) {
      const [log, seq, id] = key.slice(FORKS.length).split('/')
      if (log !== undefined && seq !== undefined && id !== undefined)
        this.#forks.set(log, [...(this.#forks.get(log) ?? []), { seq: Number.parseInt(seq, 16), id }])
    }
  }

  /** False when it is known, or when there are enough of that log. */
  add({ log, id, body, bytes }: SignedRecord): boolean {
    const known = this.#forks.get(log) ?? []
    if (known.length >= MAX_FORK_PROOFS || known.some((fork) => fork.id === id)) return false
    this.#forks.set(log, [...known, { seq: body.seq, id }])
    this.#rows.put(forkKey(log, body.seq, id), bytes)
    return true
  }

  /** In the order of their places. */
  of(log: string): SignedRecord[] {
    return (this.#forks.get(log) ?? [])
      .toSorted((a, b) => a.seq - b.seq)
      .flatMap(({ seq, id }) => {
        const bytes = this.#rows.get(forkKey(log, seq, id))
        return bytes === undefined ? [] : [decodeRecord(bytes)]
      })
  }
}

const forkKey = (log: string, seq: number, id: string): string =>
  `${FORKS}${log}/${seq.toString(16).padStart(12, '0')}/${id}`

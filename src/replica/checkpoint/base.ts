/**
 * The checkpoints in force, as folding needs them: what took the place of older records, and how those records were judged
 * that nobody without them could judge.
 */
import { readChunk, type EntryState } from '../../catalog/index.js'
import { decodeManifest, type BorderRecord, type BodyRef, type ChunkRef, type Manifest } from '../../wire/index.js'
import type { Knows } from '../../identity/index.js'
import { decodeKnowledge, type RecordLog } from '../../log/index.js'
import type { InForce, KeptCheckpoint } from './base-file.js'
import type { Contents } from './contents.js'

export class Base {
  readonly #contents: Contents | undefined
  #inForce: InForce | undefined
  #floor: Manifest | undefined
  #border: ReadonlyMap<string, BorderRecord> = new Map()
  /** Records of members that what the floor covers knew of, and that are not known to be applied: log -> seq. */
  readonly #members = new Map<string, number>()
  /** The piece read last: entries are asked for one after the other. */
  #read: { hash: string; entries: Map<string, EntryState> } | undefined

  constructor(contents: Contents | undefined) {
    this.#contents = contents
  }

  get inForce(): InForce | undefined {
    return this.#inForce
  }

  /** The newest checkpoint that all members vouched for. */
  get top(): KeptCheckpoint | undefined {
    return this.#inForce?.top
  }

  /** What took the place of older records. */
  get floor(): Manifest | undefined {
    return this.#floor
  }

  /** Throws `message-malformed` when a manifest is none. */
  set(inForce: InForce): void {
    this.#inForce = inForce
    this.#read = undefined
    if (inForce.floor === undefined) return
    this.#floor = decodeManifest(inForce.floor.encoded)
    const { border } = decodeManifest(inForce.top.encoded)
    this.#members.clear()
    const covered = new Set(this.#floor.logs.map(({ log }) => log))
    for (const { knowledge } of this.#floor.logs)
      for (const [log, seq] of decodeKnowledge(knowledge))
        if (!covered.has(log)) this.#members.set(log, Math.max(seq, this.#members.get(log) ?? 0))
    this.#border = new Map(border.map((record) => [`${record.log}/${record.seq}`, record]))
  }

  /**
   * Whether a record does not know of the checkpoint that took the place of what it builds on. No member writes one once
   * that is in force, unless it was away for so long that nobody waited for it.
   */
  isBefore(knows: Knows): boolean {
    return this.#floor !== undefined && !knows(this.#floor.proposal.log, this.#floor.proposal.seq)
  }

  /**
   * A log of the members' space of which more has to be applied before any record of the catalog can be judged: the records
   * that would have seen to that are gone.
   */
  membersBehind(log: Pick<RecordLog, 'get'>): string | undefined {
    for (const [of, seq] of this.#members) {
      if ((log.get(of)?.applied ?? 0) < seq) return of
      this.#members.delete(of)
    }
    return undefined
  }

  /** How a record was judged by those who held what it builds on. */
  judged(log: string, seq: number, id: string): BorderRecord | undefined {
    const found = this.#border.get(`${log}/${seq}`)
    return found?.id === id ? found : undefined
  }

  /** An entry as it was at the floor. Throws `blob-missing`, `blob-damaged`. */
  async entry(id: string): Promise<EntryState | undefined> {
    const chunk = this.#floor === undefined ? undefined : chunkOf(this.#floor.chunks, id)
    if (chunk === undefined) return undefined
    if (this.#read?.hash !== chunk.hash) {
      const bytes = await this.#contents!.get(refOf(chunk))
      this.#read = { hash: chunk.hash, entries: new Map([...readChunk(bytes)].map((entry) => [entry.id, entry.state])) }
    }
    return this.#read.entries.get(id)
  }
}

export function refOf({ hash, size }: ChunkRef): BodyRef {
  return { hash, size }
}

/** The piece that would hold this entry. */
function chunkOf(chunks: readonly ChunkRef[], id: string): ChunkRef | undefined {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (chunks[middle]!.first <= id) low = middle + 1
    else high = middle
  }
  return chunks[low - 1]
}

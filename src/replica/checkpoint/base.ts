/**
 * The checkpoints in force, as folding needs them: what took the place of older records, and how those records were judged
 * that nobody without them could judge.
 */
import { readChunk, type EntryState } from '../../catalog/index.js'
import { manifestInSteps, type BorderRecord, type BodyRef, type ChunkRef, type Manifest } from '../../wire/index.js'
import type { Knows } from '../../identity/index.js'
import { decodeKnowledge, type RecordLog } from '../../log/index.js'
import type { Clock } from '../../runtime.js'
import { Breath, breathing } from '../breath.js'
import type { InForce, KeptCheckpoint } from './base-file.js'
import type { Contents } from './contents.js'

export class Base {
  readonly #contents: Contents | undefined
  readonly #clock: Pick<Clock, 'monotonic' | 'pause'>
  #inForce: InForce | undefined
  #floor: Manifest | undefined
  #topManifest: Manifest | undefined
  #border: ReadonlyMap<string, BorderRecord> = new Map()
  /** Records of members that what the floor covers knew of, and that are not known to be applied: log -> seq. */
  #members = new Map<string, number>()
  /** The piece read last: entries are asked for one after the other. */
  #read: { hash: string; entries: Map<string, EntryState> } | undefined

  constructor(contents: Contents | undefined, clock: Pick<Clock, 'monotonic' | 'pause'>) {
    this.#contents = contents
    this.#clock = clock
  }

  get inForce(): InForce | undefined {
    return this.#inForce
  }

  /** The newest checkpoint that all members vouched for. */
  get top(): KeptCheckpoint | undefined {
    return this.#inForce?.top
  }

  /** What that comes to. */
  get topManifest(): Manifest | undefined {
    return this.#topManifest
  }

  /** What took the place of older records. */
  get floor(): Manifest | undefined {
    return this.#floor
  }

  /** All of it counts at once, when it resolves. Throws `message-malformed` when a manifest is none. */
  async set(inForce: InForce): Promise<void> {
    const top = await breathing(manifestInSteps(inForce.top.encoded), this.#clock)
    const floor = inForce.floor && (await breathing(manifestInSteps(inForce.floor.encoded), this.#clock))
    const members = floor && (await this.#membersOf(floor))
    this.#inForce = inForce
    this.#topManifest = top
    this.#read = undefined
    if (floor === undefined) return
    this.#floor = floor
    this.#members = members!
    this.#border = new Map(top.border.map((record) => [`${record.log}/${record.seq}`, record]))
  }

  async #membersOf({ logs }: Manifest): Promise<Map<string, number>> {
    const breath = new Breath(this.#clock)
    const members = new Map<string, number>()
    const covered = new Set(logs.map(({ log }) => log))
    for (const { knowledge } of logs) {
      await breath.draw()
      for (const [log, seq] of decodeKnowledge(knowledge))
        if (!covered.has(log)) members.set(log, Math.max(seq, members.get(log) ?? 0))
    }
    return members
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

/**
 * Works out what a proposed checkpoint comes to: from what this node itself folded, so that a member's word for it is its
 * own. Entries that nothing beyond the checkpoint touched are as they stand; the others are folded again from the
 * checkpoint before and the records in between.
 */
import {
  bodiesOf,
  ChunkWriter,
  PackWriter,
  type Catalog,
  type CatalogReader,
  type EntryState
} from '../../catalog/index.js'
import type { RecordLog } from '../../log/index.js'
import type { Clock } from '../../runtime.js'
import {
  encodeManifest,
  type BodyRef,
  type BorderRecord,
  type CheckpointRef,
  type ChunkRef,
  type Dep,
  type FrozenLog,
  type FrozenRecord
} from '../../wire/index.js'
import { Breath } from '../breath.js'
import { byCause } from '../by-cause.js'
import type { Removals } from '../removals.js'
import { NO_RIGHT, placeOf } from '../removed.js'
import type { Base } from './base.js'
import type { KeptCheckpoint } from './base-file.js'
import type { Contents } from './contents.js'
import { cutOf, type Cut } from './cut.js'
import { sortedKnowledge } from './knowledge.js'

export interface MakerDeps {
  readonly cluster: string
  readonly log: RecordLog
  readonly catalog: Catalog
  readonly reader: CatalogReader
  readonly removals: Pick<Removals, 'voids'>
  readonly base: Base
  readonly contents: Contents
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
}

/** A piece ends behind an entry whose id ends so: one of 512, and the same one whatever else changes. */
const CUT_MASK = 0x1ff
/** Or when it has grown to this, bytes. */
const MAX_PIECE_BYTES = 512 * 1024

export class CheckpointMaker {
  readonly #deps: MakerDeps

  constructor(deps: MakerDeps) {
    this.#deps = deps
  }

  /** The manifest of a proposal that is applied here. All it names is stored and durable when it resolves. */
  async make(proposal: Dep, before: CheckpointRef | undefined): Promise<KeptCheckpoint> {
    const { log, catalog, contents, cluster } = this.#deps
    const cut = cutOf(log, proposal)
    const later = new Set<string>()
    const watched = catalog.watch((entries) => entries.forEach((id) => later.add(id)))
    try {
      await this.#touchedBeyond(cut, later)
      const { chunks, packs, entries } = await this.#freeze(cut, later)
      const encoded = encodeManifest({
        cluster,
        proposal: { log: proposal.log, seq: proposal.seq, id: proposal.id },
        before,
        entries,
        logs: await this.#logs(cut),
        border: await this.#border(cut, before),
        chunks
      })
      return { proposal, manifest: await contents.put(encoded), packs, encoded }
    } finally {
      watched()
    }
  }

  /**
   * Adds the entries that records beyond the cut wrote to, or that do not show what counted when the checkpoint was
   * proposed. They may be nearly all there are.
   */
  async #touchedBeyond(cut: Cut, touched: Set<string>): Promise<void> {
    const { log, removals } = this.#deps
    const breath = new Breath(this.#deps.clock)
    for (const head of [...log.logs()]) {
      if (head.space !== 'catalog') continue
      for (let seq = (cut.seqs.get(head.log) ?? 0) + 1; seq <= head.applied; seq++) {
        for (const op of log.read(head.log, seq).body.ops) if (op.k === 'edit') touched.add(op.entry)
        await breath.draw()
      }
    }
    for (const each of removals.voids)
      if (cut.covers(each.log, each.seq)) for (const id of each.entries) touched.add(id)
  }

  async #freeze(
    cut: Cut,
    later: ReadonlySet<string>
  ): Promise<{ chunks: ChunkRef[]; packs: BodyRef[]; entries: number }> {
    const { reader, contents, clock } = this.#deps
    const breath = new Breath(clock)
    const chunks: ChunkRef[] = []
    const packs: BodyRef[] = []
    const writer = new ChunkWriter()
    const pack = new PackWriter((ref) => reader.inlineBody(ref))
    let first = ''
    let entries = 0
    const put = async (): Promise<void> => {
      if (writer.entries === 0) return
      chunks.push({ first, ...(await contents.put(writer.take())) })
      if (!pack.empty) packs.push(await contents.put(pack.take()))
    }
    for await (const id of reader.ids()) {
      await breath.draw()
      const state = later.has(id) ? await this.#then(id, cut) : reader.entry(id)?.state
      if (state === undefined || state.clients.length === 0) continue
      if (writer.entries === 0) first = id
      writer.add(id, state)
      for (const body of bodiesOf(state)) pack.add(body)
      entries += 1
      if ((Number.parseInt(id.slice(-3), 16) & CUT_MASK) === 0 || writer.bytes >= MAX_PIECE_BYTES) await put()
    }
    await put()
    return { chunks, packs, entries }
  }

  /** An entry as the records within the cut make it. */
  async #then(id: string, cut: Cut): Promise<EntryState | undefined> {
    const { log, reader, catalog, base } = this.#deps
    const places = (await reader.history(id)).filter(
      ({ log: of, seq }) => cut.covers(of, seq) && seq > (log.get(of)?.floor ?? 0) && this.#counts(of, seq, cut)
    )
    const touches = places.map(({ log: of, seq }) => ({
      record: log.read(of, seq),
      knows: log.knowledgeOf(of, seq)
    }))
    const from = await base.entry(id)
    if (from === undefined && touches.length === 0) return undefined
    return catalog.foldAlone(
      id,
      touches.toSorted((a, b) => byCause(a.record, b.record)),
      from
    ).state
  }

  /** Whether a record counted for whoever knew what the proposal builds on: not of removals that came later. */
  #counts(of: string, seq: number, cut: Cut): boolean {
    const row = this.#deps.log.row(of, seq)
    if (row?.state !== 'void') return row?.state === 'applied'
    const removal = placeOf(row.reason)
    return !cut.covers(removal.log, removal.seq)
  }

  /** What each log knows names all others: with many logs that takes a while. */
  async #logs(cut: Cut): Promise<FrozenLog[]> {
    const { log, clock } = this.#deps
    const breath = new Breath(clock)
    const logs: FrozenLog[] = []
    for (const [of, seq] of sorted(cut)) {
      const { author, epoch } = log.get(of)!
      logs.push({ ...this.#frozen(of, seq), author, epoch })
      await breath.draw()
    }
    return logs
  }

  #frozen(log: string, seq: number): FrozenRecord {
    const { id, depth } = this.#deps.log.row(log, seq)!
    return { log, seq, id, depth, knowledge: sortedKnowledge(this.#deps.log.knowledge(log, seq)) }
  }

  /** What a log knows only grows, so that of each the first few alone can be ignorant of the checkpoint before. */
  async #border(cut: Cut, before: CheckpointRef | undefined): Promise<BorderRecord[]> {
    if (before === undefined) return []
    const { log, clock } = this.#deps
    const breath = new Breath(clock)
    const covered = cutOf(log, before.proposal).seqs
    const border: BorderRecord[] = []
    for (const [of, end] of sorted(cut))
      for (let seq = (covered.get(of) ?? 0) + 1; seq <= end; seq++) {
        await breath.draw()
        if (log.knowledgeOf(of, seq)(before.proposal.log, before.proposal.seq)) break
        const { state, reason } = log.row(of, seq)!
        const verdict = state !== 'rejected' ? 'counts' : reason === NO_RIGHT ? 'rightless' : 'rejected'
        border.push({ ...this.#frozen(of, seq), verdict })
      }
    return border
  }
}

/** By log id, which is the same on every node. */
function sorted({ seqs }: Cut): Array<[log: string, seq: number]> {
  return [...seqs].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

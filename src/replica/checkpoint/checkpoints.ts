/**
 * Checkpoints, from the proposal to what may go because of one.
 *
 * 1. A member that may write proposes: the checkpoint is all that its record builds on.
 * 2. Every member, when that is old enough, works out what it comes to and vouches for that.
 * 3. When all vouch for the same it is in force, and what the one before it covers may go: by then nobody writes anything
 *    that builds on what is older than that one, except on the last records of its logs.
 */
import type { CatalogDelta } from '../../catalog/index.js'
import { GrapevineError } from '../../errors.js'
import type { KeyPair } from '../../identity/index.js'
import type { Logger } from '../../runtime.js'
import { prefixRange } from '../../store/index.js'
import {
  checkpointRow,
  decodeCborRaw,
  encodeCbor,
  encodeOffer,
  hexOf,
  manifestInSteps,
  readCheckpoint,
  type BodyRef,
  type CheckpointOp,
  type CheckpointRef,
  type Manifest,
  type Op,
  type SignedRecord
} from '../../wire/index.js'
import { breathing } from '../breath.js'
import type { Removals } from '../removals.js'
import { placeOf } from '../removed.js'
import type { Base } from './base.js'
import type { BaseFile, InForce, KeptCheckpoint } from './base-file.js'
import { collect } from './collect.js'
import { cutOf } from './cut.js'
import type { Ledger, Proposal } from './ledger.js'
import { CheckpointMaker, type MakerDeps } from './maker.js'
import { Pruner, type PruneDeps } from './prune.js'
import { thaw } from './thaw.js'

export interface CheckpointsDeps extends MakerDeps, PruneDeps {
  readonly base: Base
  readonly keys: KeyPair
  readonly removals: Removals
  readonly file: BaseFile
  readonly ledger: Ledger
  readonly logger: Logger
  write(ops: readonly Op[]): Promise<SignedRecord>
  /** Entries changed because of what was settled. */
  changed(delta: CatalogDelta): void
}

/** Set while a checkpoint is being taken over into an empty index. */
const THAWING = '~thawing'
/** Set while rows and segments are to go. */
const PRUNING = '~pruning'
/** Manifest of the floor that the rows go by. */
const FLOOR = '~floor'
/** What this node vouched for: the contents that hold its small bodies. */
const MADE_ROWS = 'C/m/'

export class Checkpoints {
  readonly #deps: CheckpointsDeps
  readonly #maker: CheckpointMaker
  /** What this node vouched for, until it is in force or another is. */
  readonly #made = new Map<string, Made>()
  #working = false
  #held = 0
  #prunes = 0

  constructor(deps: CheckpointsDeps) {
    this.#deps = deps
    this.#maker = new CheckpointMaker(deps)
  }

  get inForce(): InForce | undefined {
    return this.#deps.base.inForce
  }

  /** What the checkpoints in force come to. */
  get manifests(): { top: Manifest | undefined; floor: Manifest | undefined } {
    const { topManifest: top, floor } = this.#deps.base
    return { top, floor }
  }

  get proposals(): Proposal[] {
    return this.#deps.ledger.proposals
  }

  /** Members (hex keys) that have not vouched for a proposal. */
  awaited(proposal: string): string[] {
    return this.#deps.ledger.awaited(proposal)
  }

  /** Says what the checkpoint in force is, before the log is opened; `empty`: the index holds nothing yet. */
  async open(empty: boolean): Promise<void> {
    const { base, rows } = this.#deps
    const { inForce, floor } = base
    if (rows.get(THAWING) !== undefined)
      throw new GrapevineError('store-damaged', 'the index was being made from a checkpoint and was not finished', {
        next: 'it is made again'
      })
    if (inForce?.floor === undefined || floor === undefined || !empty) return
    rows.put(THAWING, new Uint8Array())
    await thaw(inForce.floor, floor, this.#deps)
    rows.put(FLOOR, Buffer.from(inForce.floor.manifest.hash))
    rows.delete(THAWING)
    await rows.flush()
  }

  /** What this node vouched for in an earlier life. */
  async load(): Promise<void> {
    const { store, contents } = this.#deps
    for await (const [key, bytes] of store.iterate(prefixRange(MADE_ROWS))) {
      const row = decodeCborRaw(bytes) as MadeRow
      const ref = readCheckpoint(row.ref, (what) => new TypeError(what))
      try {
        const encoded = await contents.get(ref.manifest)
        this.#made.set(key.slice(MADE_ROWS.length), await this.#withPieces({ ...ref, packs: row.packs, encoded }))
      } catch (error) {
        // then another one is made, which every member vouches for
        if (!isMissing(error)) throw error
      }
    }
  }

  /** After a crash between putting a checkpoint in force and settling what it covers. The log is open. */
  async goOn(): Promise<void> {
    const { base, log } = this.#deps
    if (base.floor === undefined || this.#settledFloor() === base.inForce!.floor!.manifest.hash) return
    const { log: of, seq, id } = base.floor.proposal
    if (log.row(of, seq)?.id !== id)
      throw new GrapevineError('store-damaged', 'a checkpoint took the place of records that the index lacks', {
        next: 'the index is made anew from it'
      })
    await this.#settle()
  }

  #settledFloor(): string | undefined {
    const row = this.#deps.rows.get(FLOOR)
    return row === undefined ? undefined : Buffer.from(row).toString()
  }

  /** Records of the catalog that no checkpoint in force covers. */
  get since(): number {
    const { log, base } = this.#deps
    const covered = new Map(base.topManifest?.logs.map((each) => [each.log, each.seq]))
    let count = 0
    for (const head of log.logs())
      if (head.space === 'catalog') count += Math.max(0, head.applied - (covered.get(head.log) ?? 0))
    return count
  }

  /** What is proposed and may still come into force: another would only be in its way. */
  get pending(): Proposal | undefined {
    const { ledger } = this.#deps
    return byDepth(ledger.proposals).find((each) => this.#follows(each) && !ledger.isDead(each))
  }

  /** Writes a proposal: everything applied here becomes a checkpoint, if all members come to the same. */
  propose(): Promise<SignedRecord> {
    const { top } = this.#deps.base
    const op: CheckpointOp = top === undefined ? { k: 'checkpoint' } : { k: 'checkpoint', before: refOf(top) }
    return this.#deps.write([op])
  }

  /** The proposal this node should vouch for now, of those written no later than `byMs` (ms since 1970). */
  due(byMs: number): Proposal | undefined {
    const { ledger, keys } = this.#deps
    const own = hexOf(keys.publicKey)
    return byDepth(ledger.proposals).find(
      (each) =>
        each.time / 1_000 <= byMs &&
        this.#follows(each) &&
        !ledger.hasVouched(each.id, own) &&
        ledger.mayVouch(each, own) &&
        !ledger.isDead(each)
    )
  }

  /** Whether it goes on from what is in force, and its author knew of everybody's word for that. */
  #follows(proposal: Proposal): boolean {
    const { top } = this.#deps.base
    return proposal.before?.manifest.hash === top?.manifest.hash && this.#deps.ledger.knowsAllWords(proposal)
  }

  /** Works out what a proposal comes to, and vouches for it. */
  async attest(proposal: Proposal): Promise<void> {
    const { manifest } = await this.#make(proposal)
    await this.#deps.write([{ k: 'attest', proposal: proposal.id, manifest }])
  }

  /** With the hashes of all that it consists of. */
  async #withPieces(kept: KeptCheckpoint): Promise<Made> {
    return { kept, pieces: piecesOf(kept, await breathing(manifestInSteps(kept.encoded), this.#deps.clock)) }
  }

  async #make(proposal: Proposal): Promise<KeptCheckpoint> {
    const made = await this.#maker.make({ log: proposal.log, seq: proposal.seq, id: proposal.id }, proposal.before)
    this.#made.set(proposal.id, await this.#withPieces(made))
    const row: MadeRow = { ref: checkpointRow(made), packs: made.packs.map(({ hash, size }) => ({ hash, size })) }
    this.#deps.rows.put(MADE_ROWS + proposal.id, encodeCbor(row))
    return made
  }

  /** Until what it returns is called everything stays where it is. */
  hold(): () => void {
    this.#held += 1
    let held = true
    return () => {
      if (held) this.#held -= 1
      held = false
    }
  }

  /** Puts a checkpoint in force that all members vouch for. True when one was. */
  async advance(): Promise<boolean> {
    if (this.#working || this.#held > 0) return false
    this.#working = true
    try {
      const sealed = await this.#sealed()
      if (sealed === undefined) return false
      await this.#putInForce(sealed)
      return true
    } finally {
      this.#working = false
    }
  }

  /** Of several the least deep: everybody vouched for that one first. */
  async #sealed(): Promise<KeptCheckpoint | undefined> {
    const { ledger } = this.#deps
    for (const proposal of byDepth(ledger.proposals)) {
      const manifest = this.#follows(proposal) ? ledger.sealed(proposal.id) : undefined
      if (manifest === undefined) continue
      // what it vouched for in a life whose index is gone is worked out once more
      const made = this.#made.get(proposal.id)?.kept ?? (await this.#make(proposal))
      return made.manifest.hash === manifest.hash ? made : undefined
    }
    return undefined
  }

  async #putInForce(top: KeptCheckpoint): Promise<void> {
    const { base, file, rows, logger, ledger } = this.#deps
    const before = base.inForce
    const inForce = await this.#offered({ top, floor: before?.top, proofs: this.#proofs(top) })
    await file.write(inForce)
    await base.set(inForce)
    ledger.decide(top.proposal.id)
    for (const id of this.#made.keys()) rows.delete(MADE_ROWS + id)
    this.#made.clear()
    logger.info('A checkpoint is in force.', { proposal: top.proposal.id, manifest: top.manifest.hash })
    if (inForce.floor === undefined) return
    await this.#settle()
  }

  /** With the content that others can take it over from. */
  async #offered(inForce: InForce): Promise<InForce> {
    const { top, floor, proofs } = inForce
    if (floor === undefined) return inForce
    const offer = encodeOffer({ manifest: top.manifest, packs: floor.packs, ownPacks: top.packs, proofs })
    return { ...inForce, offer: await this.#deps.contents.put(offer) }
  }

  /** The proposal and every member's word for it, as they were signed. */
  #proofs({ proposal }: CheckpointRef): Uint8Array[] {
    const { log, ledger } = this.#deps
    const words = [...ledger.asked(proposal.id).values()].filter((word) => word !== undefined)
    return [proposal, ...words].map((each) => log.read(each.log, each.seq).bytes)
  }

  /** What the floor covers is settled: the fold is brought in step with it, and its records may go. */
  async #settle(): Promise<void> {
    const { base, turns, rows, log, ledger, removals, changed } = this.#deps
    const floor = base.floor!
    const covered = new Map(floor.logs.map((each) => [each.log, each.seq]))
    const { covers } = cutOf(log, floor.proposal)
    await turns.take(async () => {
      const delta = await removals.settle(
        ({ log: of, seq }) => seq <= (covered.get(of) ?? 0),
        ({ removedBy }) => removedBy !== '' && !covers(placeOf(removedBy).log, placeOf(removedBy).seq)
      )
      for (const [of, seq] of covered) if ((log.get(of)?.floor ?? 0) < seq) log.raiseFloor(of, seq)
      ledger.settle(log.row(floor.proposal.log, floor.proposal.seq)!.depth)
      rows.put(FLOOR, Buffer.from(base.inForce!.floor!.manifest.hash))
      rows.put(PRUNING, new Uint8Array())
      await rows.flush()
      changed(delta)
    })
  }

  /** Lets go what is settled, if anything is. Takes its time. */
  async prune(): Promise<void> {
    const { rows, logger } = this.#deps
    if (rows.get(PRUNING) === undefined || this.#working || this.#held > 0) return
    const gone = await new Pruner(this.#deps).run()
    await this.#deps.turns.take(async () => {
      rows.delete(PRUNING)
      await rows.flush()
    })
    await this.#deps.store.shrink?.()
    this.#prunes += 1
    logger.info('What a checkpoint took the place of is gone.', { ...gone })
  }

  /** How often what is settled was let go: then contents may have lost the last that named them. */
  get prunes(): number {
    return this.#prunes
  }

  /**
   * Hands over of these contents those that nothing here can come to need any more, in this node's turns. False, and nothing
   * is looked at, while a checkpoint is put in force or taken over. Throws as `collect`.
   */
  async collect(candidates: Set<string>, letGo: (hash: string) => Promise<void>): Promise<boolean> {
    if (this.#working || this.#held > 0) return false
    const release = this.hold()
    try {
      // whoever begins to hold what is here meanwhile finds it so
      const unheld = async (hash: string): Promise<void> => (this.#held > 1 ? undefined : letGo(hash))
      await collect(candidates, unheld, () => this.#contents(), this.#deps)
      return true
    } finally {
      release()
    }
  }

  /** Of what is in force, what is offered, and what this node vouched for. */
  *#contents(): Generator<string> {
    const { inForce, topManifest, floor } = this.#deps.base
    if (inForce?.offer !== undefined) yield inForce.offer.hash
    if (inForce !== undefined) yield* piecesOf(inForce.top, topManifest!)
    if (inForce?.floor !== undefined) yield* piecesOf(inForce.floor, floor!)
    for (const { pieces } of this.#made.values()) yield* pieces
  }
}

function byDepth(proposals: readonly Proposal[]): Proposal[] {
  return proposals.toSorted((a, b) => a.depth - b.depth || (a.id < b.id ? -1 : 1))
}

interface MadeRow {
  readonly ref: unknown
  readonly packs: readonly BodyRef[]
}

function refOf({ proposal, manifest }: CheckpointRef): CheckpointRef {
  return { proposal: { log: proposal.log, seq: proposal.seq, id: proposal.id }, manifest }
}

/** What this node vouched for, and the hashes of all that it consists of. */
interface Made {
  readonly kept: KeptCheckpoint
  readonly pieces: readonly string[]
}

function piecesOf({ manifest, packs }: KeptCheckpoint, { chunks }: Manifest): string[] {
  return [manifest.hash, ...chunks.map(({ hash }) => hash), ...packs.map(({ hash }) => hash)]
}

/** Whether a node can have lost what it keeps of a checkpoint: it is fetched again, or the home restored. */
function isMissing(error: unknown): boolean {
  return error instanceof GrapevineError && (error.code === 'blob-missing' || error.code === 'blob-damaged')
}

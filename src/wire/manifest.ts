/**
 * What a checkpoint is made of. Every node that holds the same records writes the same manifest, so that its hash is what
 * they attest. SPEC.md, "Checkpoint".
 */
import { atOnce } from '../steps.js'
import type { BodyRef } from './body.js'
import { decodeMessageInSteps, encodeCbor, malformed } from './cbor.js'
import { bytesOf, Fields, type Fail } from './fields.js'
import {
  MAX_BODY_BYTES,
  MAX_CHECKPOINT_PACKS,
  MAX_CHECKPOINT_PROOFS,
  MAX_MANIFEST_BYTES,
  MAX_RECORD_BYTES,
  MAX_SEQ
} from './limits.js'
import type { Dep } from './record.js'

/** What judging later records needs of one that they may build on. */
export interface FrozenRecord extends Dep {
  /** As it ought to be, whatever the record says. */
  readonly depth: number
  /** Rows of log id (16) and seq (6), by log id: all that it knows of other logs. */
  readonly knowledge: Uint8Array
}

/** A log as far as the checkpoint goes: its newest record. */
export interface FrozenLog extends FrozenRecord {
  readonly author: Uint8Array
  /** 16 hex. */
  readonly epoch: string
}

/** How a record was judged that does not know the checkpoint before: nobody without what that replaced could tell. */
export interface BorderRecord extends FrozenRecord {
  /** `rightless`: rejected because its author had no right to write; that may look different when more is known. */
  readonly verdict: 'counts' | 'rejected' | 'rightless'
}

export interface ChunkRef extends BodyRef {
  /** Id of its first entry, 32 hex. */
  readonly first: string
}

/** A checkpoint: the record that proposed it, and what it comes to. */
export interface CheckpointRef {
  readonly proposal: Dep
  readonly manifest: BodyRef
}

export interface Manifest {
  /** 32 hex. */
  readonly cluster: string
  readonly proposal: Dep
  /** The checkpoint before; undefined of the first one. */
  readonly before: CheckpointRef | undefined
  readonly entries: number
  /** By log id. */
  readonly logs: readonly FrozenLog[]
  /** By log id, then seq. */
  readonly border: readonly BorderRecord[]
  readonly chunks: readonly ChunkRef[]
}

const VERSION = 1
const VERDICTS: ReadonlyArray<BorderRecord['verdict']> = ['counts', 'rejected', 'rightless']
/** More than any manifest within its bytes can hold. */
const MAX_ROWS = MAX_MANIFEST_BYTES / 32

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { before, proposal } = manifest
  const map: Record<string, unknown> = {
    v: VERSION,
    cluster: bytesOf(manifest.cluster),
    p: placeRow(proposal),
    n: manifest.entries,
    l: manifest.logs.map((each) => [...frozenRow(each), each.author, bytesOf(each.epoch)]),
    o: manifest.border.map((each) => [...frozenRow(each), VERDICTS.indexOf(each.verdict)]),
    c: manifest.chunks.map(({ first, hash, size }) => [bytesOf(first), bytesOf(hash), size])
  }
  if (before !== undefined) map.b = checkpointRow(before)
  return encodeCbor(map)
}

/** Rows read in one step: far less than a millisecond. */
const ROWS_A_STEP = 64

/** Throws `message-malformed`. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  return atOnce(manifestInSteps(bytes))
}

/** Many at once would hold everything up: between two steps others may run. Throws `message-malformed`. */
export function* manifestInSteps(bytes: Uint8Array): Generator<void, Manifest> {
  const map = yield* decodeMessageInSteps(bytes, ROWS_A_STEP)
  const fields = new Fields(map, malformed)
  if (map.v !== VERSION) throw malformed(`is a checkpoint of version ${String(map.v)}; this node knows ${VERSION}`)
  return {
    cluster: fields.hex('cluster', 16),
    proposal: readPlace(rowOf(map.p, 3)),
    before: map.b === undefined ? undefined : readCheckpoint(map.b, malformed),
    entries: fields.int('n', 0, MAX_SEQ),
    logs: yield* inSteps(fields.list('l', MAX_ROWS), readLog),
    border: yield* inSteps(fields.list('o', MAX_ROWS), readBorder),
    chunks: yield* inSteps(fields.list('c', MAX_ROWS), readChunkRef)
  }
}

function* inSteps<T>(values: readonly unknown[], read: (value: unknown) => T): Generator<void, T[]> {
  const all: T[] = []
  for (const value of values) {
    all.push(read(value))
    if (all.length % ROWS_A_STEP === 0) yield
  }
  return all
}

function readLog(value: unknown): FrozenLog {
  const row = rowOf(value, 7)
  const more = fieldsOf(row)
  return { ...readFrozen(row), author: more.bytes('5', 32), epoch: more.hex('6', 8) }
}

function readBorder(value: unknown): BorderRecord {
  const row = rowOf(value, 6)
  return { ...readFrozen(row), verdict: VERDICTS[fieldsOf(row).int('5', 0, VERDICTS.length - 1)]! }
}

function readChunkRef(value: unknown): ChunkRef {
  const row = fieldsOf(rowOf(value, 3))
  return { first: row.hex('0', 16), hash: row.hex('1', 32), size: row.int('2', 1, MAX_SEQ) }
}

function placeRow({ log, seq, id }: Dep): unknown[] {
  return [bytesOf(log), seq, bytesOf(id)]
}

function frozenRow(record: FrozenRecord): unknown[] {
  return [...placeRow(record), record.depth, record.knowledge]
}

function rowOf(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw malformed(`has a row that does not hold ${length} values`)
  return value as readonly unknown[]
}

function fieldsOf(row: readonly unknown[]): Fields {
  return new Fields(Object.fromEntries(row.entries()), malformed)
}

function readPlace(row: readonly unknown[]): Dep {
  const fields = fieldsOf(row)
  return { log: fields.hex('0', 16), seq: fields.int('1', 1, MAX_SEQ), id: fields.hex('2', 32) }
}

function readFrozen(row: readonly unknown[]): FrozenRecord {
  const fields = fieldsOf(row)
  const knowledge = fields.bytes('4', 0, MAX_MANIFEST_BYTES)
  if (knowledge.length % 22 !== 0) throw malformed('holds a cut row of what a record knows')
  return { ...readPlace(row), depth: fields.int('3', 1, MAX_SEQ), knowledge }
}

/** A checkpoint as it is named elsewhere. */
export function checkpointRow({ proposal, manifest }: CheckpointRef): unknown[] {
  return [...placeRow(proposal), bytesOf(manifest.hash), manifest.size]
}

export function readCheckpoint(value: unknown, fail: Fail): CheckpointRef {
  if (!Array.isArray(value) || value.length !== 5) throw fail('names a checkpoint by something else than five values')
  const fields = new Fields(Object.fromEntries(value.entries()), fail)
  return {
    proposal: { log: fields.hex('0', 16), seq: fields.int('1', 1, MAX_SEQ), id: fields.hex('2', 32) },
    manifest: { hash: fields.hex('3', 32), size: fields.int('4', 1, MAX_MANIFEST_BYTES) }
  }
}

/** What a node hands over in place of older records: a checkpoint and who vouches for it, kept as a content. */
export interface Offer {
  readonly manifest: BodyRef
  /** The small bodies that entries of the checkpoint before it name, and those of its own; each is known by its hash. */
  readonly packs: readonly BodyRef[]
  readonly ownPacks: readonly BodyRef[]
  /** Records, whole: the proposal, then each member's word for it. */
  readonly proofs: readonly Uint8Array[]
}

export function encodeOffer({ manifest, packs, ownPacks, proofs }: Offer): Uint8Array {
  return encodeCbor({
    v: VERSION,
    manifest: packRef(manifest),
    packs: packs.map(packRef),
    own: ownPacks.map(packRef),
    proofs
  })
}

/** Throws `message-malformed`. */
export function decodeOffer(bytes: Uint8Array): Offer {
  return atOnce(offerInSteps(bytes))
}

/** As `manifestInSteps`. */
export function* offerInSteps(bytes: Uint8Array): Generator<void, Offer> {
  const map = yield* decodeMessageInSteps(bytes, ROWS_A_STEP)
  const fields = new Fields(map, malformed)
  if (map.v !== VERSION) throw malformed(`offers a checkpoint of version ${String(map.v)}`)
  const packs = (key: string): Generator<void, BodyRef[]> =>
    inSteps(fields.list(key, MAX_CHECKPOINT_PACKS), (row) => readRef(row, MAX_BODY_BYTES))
  const proofs = fields.list('proofs', MAX_CHECKPOINT_PROOFS)
  if (!proofs.every((record) => record instanceof Uint8Array && record.length <= MAX_RECORD_BYTES))
    throw malformed('offers a checkpoint with a record over its size')
  return {
    manifest: readRef(map.manifest, MAX_MANIFEST_BYTES),
    packs: yield* packs('packs'),
    ownPacks: yield* packs('own'),
    proofs: proofs as readonly Uint8Array[]
  }
}

export function packRef({ hash, size }: BodyRef): unknown[] {
  return [bytesOf(hash), size]
}

export function readRef(value: unknown, most: number): BodyRef {
  const fields = fieldsOf(rowOf(value, 2))
  return { hash: fields.hex('0', 32), size: fields.int('1', 1, most) }
}

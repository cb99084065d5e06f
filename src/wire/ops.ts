/**
 * What a record can say. Unknown kinds are kept and passed on: they are bytes this version does not act on, so that old
 * and new versions live together. Kinds and fields are only ever appended. SPEC.md, "Ops".
 */
import { isMap } from './cbor.js'
import { bytesOf, Fields } from './fields.js'
import type { BodyRef } from './body.js'
import { MAX_INLINE_BODY_BYTES, MAX_MANIFEST_BYTES, MAX_UPDATE_BYTES } from './limits.js'
import { checkpointRow, readCheckpoint, type CheckpointRef } from './manifest.js'
import { decodeMemberOp, describeMemberOp, encodeMemberOp, isMemberKind, type MemberOp } from './member-ops.js'
import { refuseRecord } from './refusal.js'

/** Catalog: a Yjs update of one entry. `entry` 32 hex. */
export interface EditOp {
  readonly k: 'edit'
  readonly entry: string
  readonly update: Uint8Array
}

/** Catalog: the bytes of a small body, named by their hash wherever an entry refers to them. */
export interface BodyOp {
  readonly k: 'body'
  readonly bytes: Uint8Array
}

/** Catalog: proposes that what this record builds on, and itself, becomes a checkpoint. */
export interface CheckpointOp {
  readonly k: 'checkpoint'
  /** The checkpoint that is in force so far; absent: there is none. */
  readonly before?: CheckpointRef
}

/** Catalog, by any member: all that a proposal builds on is applied here, and this is what it comes to. */
export interface AttestOp {
  readonly k: 'attest'
  /** Id of the record that proposes, 64 hex. */
  readonly proposal: string
  readonly manifest: BodyRef
}

/** A kind of a later version: kept as it came. */
export interface UnknownOp {
  readonly k: 'unknown'
  readonly raw: Readonly<Record<string, unknown>>
}

export type Op = EditOp | BodyOp | CheckpointOp | AttestOp | MemberOp | UnknownOp

export function encodeOp(op: Op): Record<string, unknown> {
  switch (op.k) {
    case 'edit':
      return { e: bytesOf(op.entry), k: 'edit', u: op.update }
    case 'body':
      return { b: op.bytes, k: 'body' }
    case 'checkpoint':
      return { k: 'checkpoint', ...(op.before === undefined ? {} : { b: checkpointRow(op.before) }) }
    case 'attest':
      return { k: 'attest', p: bytesOf(op.proposal), h: bytesOf(op.manifest.hash), z: op.manifest.size }
    case 'unknown':
      return { ...op.raw }
    default:
      return encodeMemberOp(op)
  }
}

export function decodeOp(value: unknown): Op {
  if (!isMap(value) || typeof value.k !== 'string') throw refuseRecord('has an op that is not a map with a kind')
  const fields = new Fields(value, refuseRecord)
  if (value.k === 'edit')
    return { k: 'edit', entry: fields.hex('e', 16), update: fields.bytes('u', 1, MAX_UPDATE_BYTES) }
  if (value.k === 'body') return { k: 'body', bytes: fields.bytes('b', 0, MAX_INLINE_BODY_BYTES) }
  if (value.k === 'checkpoint')
    return { k: 'checkpoint', ...(value.b === undefined ? {} : { before: readCheckpoint(value.b, refuseRecord) }) }
  if (value.k === 'attest')
    return {
      k: 'attest',
      proposal: fields.hex('p', 32),
      manifest: { hash: fields.hex('h', 32), size: fields.int('z', 1, MAX_MANIFEST_BYTES) }
    }
  return isMemberKind(value.k) ? decodeMemberOp(value.k, value) : { k: 'unknown', raw: value }
}

/** A short name of an op for listings. */
export function describeOp(op: Op): string {
  switch (op.k) {
    case 'edit':
      return `edit ${op.entry.slice(0, 8)} (${op.update.length} B)`
    case 'body':
      return `body (${op.bytes.length} B)`
    case 'checkpoint':
      return 'checkpoint'
    case 'attest':
      return `attest ${op.manifest.hash.slice(0, 8)} for ${op.proposal.slice(0, 8)}`
    case 'unknown':
      return `unknown ${String(op.raw.k)}`
    default:
      return describeMemberOp(op)
  }
}

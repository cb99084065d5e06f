/**
 * What a record can say. Unknown kinds are kept and passed on: they are bytes this version does not act on, so that old
 * and new versions live together. Kinds and fields are only ever appended. SPEC.md, "Ops".
 */
import { isMap } from './cbor.js'
import { bytesOf, Fields } from './fields.js'
import { MAX_INLINE_BODY_BYTES, MAX_UPDATE_BYTES } from './limits.js'
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

/** A kind of a later version: kept as it came. */
export interface UnknownOp {
  readonly k: 'unknown'
  readonly raw: Readonly<Record<string, unknown>>
}

export type Op = EditOp | BodyOp | MemberOp | UnknownOp

export function encodeOp(op: Op): Record<string, unknown> {
  switch (op.k) {
    case 'edit':
      return { k: 'edit', e: bytesOf(op.entry), u: op.update }
    case 'body':
      return { k: 'body', b: op.bytes }
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
  return isMemberKind(value.k) ? decodeMemberOp(value.k, value) : { k: 'unknown', raw: value }
}

/** A short name of an op for listings. */
export function describeOp(op: Op): string {
  switch (op.k) {
    case 'edit':
      return `edit ${op.entry.slice(0, 8)} (${op.update.length} B)`
    case 'body':
      return `body (${op.bytes.length} B)`
    case 'unknown':
      return `unknown ${String(op.raw.k)}`
    default:
      return describeMemberOp(op)
  }
}

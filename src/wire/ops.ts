/**
 * What a record can say. Unknown kinds are kept and passed on: they are bytes this version does not act on, so that old
 * and new versions live together. Kinds and fields are only ever appended. SPEC.md, "Ops".
 */
import { isMap } from './cbor.js'
import { bytesOf, Fields, hexOf } from './fields.js'
import {
  MAX_INLINE_BODY_BYTES,
  MAX_INVITE_USES,
  MAX_REVOCATION_CUTS,
  MAX_SCOPE_BYTES,
  MAX_SCOPES,
  MAX_SEQ,
  MAX_TIME,
  MAX_UPDATE_BYTES
} from './limits.js'
import { pathProblem } from './names.js'
import { refuseRecord } from './refusal.js'

export const ROLES = ['admin', 'author', 'public', 'relay'] as const
export type Role = (typeof ROLES)[number]

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

/** Members: the first record of a cluster. `root` signs the founder's key. */
export interface FoundOp {
  readonly k: 'found'
  readonly root: Uint8Array
  readonly signature: Uint8Array
  readonly name: string
  readonly nodeName: string
}

/** Members: an invitation was issued. Only the hash of its secret is published. */
export interface InviteOp {
  readonly k: 'invite'
  /** 32 hex. */
  readonly invite: string
  readonly secretHash: Uint8Array
  readonly role: Role
  /** Milliseconds since 1970 at the issuer. */
  readonly expires: number
  readonly uses: number
  /** See AdmitOp. */
  readonly scope?: readonly string[]
}

/** Members: an invitation is taken back, whatever uses it has left. */
export interface UninviteOp {
  readonly k: 'uninvite'
  /** 32 hex. */
  readonly invite: string
}

/** Members: a key was admitted with a role; names the invitation it used up, if any. */
export interface AdmitOp {
  readonly k: 'admit'
  readonly key: Uint8Array
  readonly role: Role
  readonly name: string
  readonly invite?: string
  /** Paths of the catalog it may write to, and below; absent: everywhere its role may. */
  readonly scope?: readonly string[]
}

/** How much of one log still counts. `log` 32 hex. */
export interface Cut {
  readonly log: string
  readonly seq: number
  /** Id of the record at `seq`, 64 hex: which branch is meant. */
  readonly id: string
}

/** Members: a key belongs to the cluster no more. What it wrote beyond the cuts, or to other logs, counts nowhere. */
export interface RevokeOp {
  readonly k: 'revoke'
  readonly key: Uint8Array
  readonly cuts: readonly Cut[]
}

/** A kind of a later version: kept as it came. */
export interface UnknownOp {
  readonly k: 'unknown'
  readonly raw: Readonly<Record<string, unknown>>
}

export type Op = EditOp | BodyOp | FoundOp | InviteOp | UninviteOp | AdmitOp | RevokeOp | UnknownOp

const MAX_LABEL_BYTES = 128

export function encodeOp(op: Op): Record<string, unknown> {
  switch (op.k) {
    case 'edit':
      return { k: 'edit', e: bytesOf(op.entry), u: op.update }
    case 'body':
      return { k: 'body', b: op.bytes }
    case 'found':
      return { k: 'found', root: op.root, sig: op.signature, name: op.name, node: op.nodeName }
    case 'invite':
      return {
        k: 'invite',
        i: bytesOf(op.invite),
        h: op.secretHash,
        r: op.role,
        x: op.expires,
        n: op.uses,
        ...encodeScope(op.scope)
      }
    case 'uninvite':
      return { k: 'uninvite', i: bytesOf(op.invite) }
    case 'admit': {
      const map: Record<string, unknown> = { k: 'admit', key: op.key, r: op.role, name: op.name }
      if (op.invite !== undefined) map.i = bytesOf(op.invite)
      return { ...map, ...encodeScope(op.scope) }
    }
    case 'revoke':
      return { k: 'revoke', key: op.key, c: op.cuts.map((cut) => [bytesOf(cut.log), cut.seq, bytesOf(cut.id)]) }
    case 'unknown':
      return { ...op.raw }
  }
}

export function decodeOp(value: unknown): Op {
  if (!isMap(value) || typeof value.k !== 'string') throw refuseRecord('has an op that is not a map with a kind')
  const fields = new Fields(value, refuseRecord)
  switch (value.k) {
    case 'edit':
      return { k: 'edit', entry: fields.hex('e', 16), update: fields.bytes('u', 1, MAX_UPDATE_BYTES) }
    case 'body':
      return { k: 'body', bytes: fields.bytes('b', 0, MAX_INLINE_BODY_BYTES) }
    case 'found':
      return {
        k: 'found',
        root: fields.bytes('root', 32),
        signature: fields.bytes('sig', 64),
        name: fields.text('name', MAX_LABEL_BYTES),
        nodeName: fields.text('node', MAX_LABEL_BYTES)
      }
    case 'invite':
      return {
        k: 'invite',
        invite: fields.hex('i', 16),
        secretHash: fields.bytes('h', 32),
        role: fields.oneOf('r', ROLES),
        expires: fields.int('x', 0, MAX_TIME),
        uses: fields.int('n', 1, MAX_INVITE_USES),
        ...readScope(value, fields)
      }
    case 'uninvite':
      return { k: 'uninvite', invite: fields.hex('i', 16) }
    case 'admit': {
      const invite = fields.optionalBytes('i', 16)
      const op = {
        k: 'admit' as const,
        key: fields.bytes('key', 32),
        role: fields.oneOf('r', ROLES),
        name: fields.text('name', MAX_LABEL_BYTES),
        ...readScope(value, fields)
      }
      return invite === undefined ? op : { ...op, invite: hexOf(invite) }
    }
    case 'revoke':
      return { k: 'revoke', key: fields.bytes('key', 32), cuts: fields.list('c', MAX_REVOCATION_CUTS).map(readCut) }
    default:
      return { k: 'unknown', raw: value }
  }
}

function encodeScope(scope: readonly string[] | undefined): { s?: readonly string[] } {
  return scope === undefined ? {} : { s: scope }
}

function readScope(map: Readonly<Record<string, unknown>>, fields: Fields): { scope?: string[] } {
  if (map.s === undefined) return {}
  const scope = fields.list('s', MAX_SCOPES)
  if (scope.length === 0) throw refuseRecord('has a scope without a path')
  return { scope: scope.map(readScopePath) }
}

function readScopePath(path: unknown): string {
  const problem =
    typeof path !== 'string' || Buffer.byteLength(path) > MAX_SCOPE_BYTES
      ? `is not text of up to ${MAX_SCOPE_BYTES} bytes`
      : pathProblem(path)
  if (problem !== undefined) throw refuseRecord(`has a scope whose path ${problem}`)
  return path as string
}

function readCut(value: unknown): Cut {
  if (!Array.isArray(value) || value.length !== 3) throw refuseRecord('has a cut that is not [log, seq, id]')
  const fields = new Fields({ log: value[0], seq: value[1], id: value[2] }, refuseRecord)
  return { log: fields.hex('log', 16), seq: fields.int('seq', 1, MAX_SEQ), id: fields.hex('id', 32) }
}

/** A short name of an op for listings. */
export function describeOp(op: Op): string {
  switch (op.k) {
    case 'edit':
      return `edit ${op.entry.slice(0, 8)} (${op.update.length} B)`
    case 'body':
      return `body (${op.bytes.length} B)`
    case 'admit':
      return `admit ${op.name} as ${op.role}${describeScope(op.scope)}`
    case 'invite':
      return `invite ${op.role} x${op.uses}${describeScope(op.scope)}`
    case 'uninvite':
      return `uninvite ${op.invite.slice(0, 8)}`
    case 'revoke':
      return `revoke ${hexOf(op.key).slice(0, 8)}`
    case 'found':
      return `found ${op.name}`
    case 'unknown':
      return `unknown ${String(op.raw.k)}`
  }
}

function describeScope(scope: readonly string[] | undefined): string {
  return scope === undefined ? '' : ` for ${scope.join(', ')}`
}

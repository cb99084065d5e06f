/** What records of the members space can say. Kinds and fields are only ever appended. SPEC.md, "Ops". */
import { bytesOf, Fields, hexOf, type Fail } from './fields.js'
import {
  MAX_INVITE_USES,
  MAX_REVOCATION_CUTS,
  MAX_ROUND,
  MAX_SCOPE_BYTES,
  MAX_SCOPES,
  MAX_SEQ,
  MAX_SECRET_BOXES,
  MAX_RENEWED_KEYS,
  MAX_SERIAL,
  MAX_TIME
} from './limits.js'
import { pathProblem } from './names.js'
import { refuseRecord } from './refusal.js'

export const ROLES = ['admin', 'author', 'public', 'relay'] as const
export type Role = (typeof ROLES)[number]

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
  /** The round in which its certificate begins; absent: the first. */
  readonly round?: number
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

/** A record, by where it stands. `log` 32 hex. */
export interface RecordPlace {
  readonly log: string
  readonly seq: number
}

/** What the cluster's root says of a key: it is an admin, whatever became of it before. */
export interface Appointment {
  readonly key: Uint8Array
  readonly name: string
  /** The root counts them up from 1: the later outranks the earlier. */
  readonly serial: number
  /** Removals of this key that the root knew of: it counts in spite of them. */
  readonly overrides: readonly RecordPlace[]
  readonly signature: Uint8Array
}

/** Members: an appointment is made known, by whichever member. */
export interface AppointOp extends Appointment {
  readonly k: 'appoint'
}

/** Members: an admin says that a round of certificates has begun, and renews those of these keys. */
export interface RenewOp {
  readonly k: 'renew'
  readonly round: number
  readonly keys: readonly Uint8Array[]
}

/** Members: the author goes on under another key, which signs for itself that it does. */
export interface RekeyOp {
  readonly k: 'rekey'
  readonly key: Uint8Array
  readonly signature: Uint8Array
}

/** The secret for one member: nobody else can open it. */
export interface SecretBox {
  readonly key: Uint8Array
  readonly box: Uint8Array
}

/** Members: another cluster secret, for those named. */
export interface SecretOp {
  readonly k: 'secret'
  /** How many secrets came before it. */
  readonly generation: number
  /** 32 hex: of its hash. */
  readonly id: string
  readonly boxes: readonly SecretBox[]
}

/** Members: these secrets open no door any more. */
export interface RetireOp {
  readonly k: 'retire'
  /** 32 hex each. */
  readonly ids: readonly string[]
}

export type MemberOp =
  FoundOp | InviteOp | UninviteOp | AdmitOp | RevokeOp | AppointOp | RenewOp | RekeyOp | SecretOp | RetireOp

const MAX_LABEL_BYTES = 128
/** Secrets one op retires. */
const MAX_RETIRED = 64
/** Removals one appointment overrides. */
const MAX_OVERRIDES = 64
/** A one-time public key of 32 bytes, the secret, and 16 bytes that prove it whole. */
export const SECRET_BOX_BYTES = 80

const MEMBER_KINDS: ReadonlySet<string> = new Set([
  'found',
  'invite',
  'uninvite',
  'admit',
  'revoke',
  'appoint',
  'renew',
  'rekey',
  'secret',
  'retire'
] satisfies Array<MemberOp['k']>)

export function isMemberKind(kind: string): kind is MemberOp['k'] {
  return MEMBER_KINDS.has(kind)
}

export function encodeMemberOp(op: MemberOp): Record<string, unknown> {
  switch (op.k) {
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
    case 'admit':
      return {
        k: 'admit',
        key: op.key,
        r: op.role,
        name: op.name,
        ...(op.invite === undefined ? {} : { i: bytesOf(op.invite) }),
        ...encodeScope(op.scope),
        ...(op.round === undefined ? {} : { n: op.round })
      }
    case 'revoke':
      return { k: 'revoke', key: op.key, c: op.cuts.map((cut) => [bytesOf(cut.log), cut.seq, bytesOf(cut.id)]) }
    case 'appoint':
      return { k: 'appoint', ...encodeAppointment(op), sig: op.signature }
    case 'renew':
      return { k: 'renew', n: op.round, l: op.keys }
    case 'rekey':
      return { k: 'rekey', key: op.key, sig: op.signature }
    case 'secret':
      return { k: 'secret', n: op.generation, i: bytesOf(op.id), b: op.boxes.map(({ key, box }) => [key, box]) }
    case 'retire':
      return { k: 'retire', l: op.ids.map(bytesOf) }
  }
}

export function decodeMemberOp(kind: MemberOp['k'], value: Readonly<Record<string, unknown>>): MemberOp {
  const fields = new Fields(value, refuseRecord)
  switch (kind) {
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
      return {
        k: 'admit' as const,
        key: fields.bytes('key', 32),
        role: fields.oneOf('r', ROLES),
        name: fields.text('name', MAX_LABEL_BYTES),
        ...readScope(value, fields),
        ...(invite === undefined ? {} : { invite: hexOf(invite) }),
        ...(value.n === undefined ? {} : { round: fields.int('n', 0, MAX_ROUND) })
      }
    }
    case 'revoke':
      return { k: 'revoke', key: fields.bytes('key', 32), cuts: fields.list('c', MAX_REVOCATION_CUTS).map(readCut) }
    case 'appoint':
      return { k: 'appoint', ...readAppointment(fields), signature: fields.bytes('sig', 64) }
    case 'renew':
      return {
        k: 'renew',
        round: fields.int('n', 1, MAX_ROUND),
        keys: fields.list('l', MAX_RENEWED_KEYS).map((key) => item(key).bytes('item', 32))
      }
    case 'rekey':
      return { k: 'rekey', key: fields.bytes('key', 32), signature: fields.bytes('sig', 64) }
    case 'secret':
      return {
        k: 'secret',
        generation: fields.int('n', 1, MAX_SERIAL),
        id: fields.hex('i', 16),
        boxes: fields.list('b', MAX_SECRET_BOXES).map(readBox)
      }
    case 'retire':
      return { k: 'retire', ids: fields.list('l', MAX_RETIRED).map((id) => item(id).hex('item', 16)) }
  }
}

/** What the root signs, without the signature. */
export function encodeAppointment(appointment: Omit<Appointment, 'signature'>): Record<string, unknown> {
  const { key, name, serial, overrides } = appointment
  return { key, name, n: serial, w: overrides.map(({ log, seq }) => [bytesOf(log), seq]) }
}

export function readAppointment(fields: Fields, fail: Fail = refuseRecord): Omit<Appointment, 'signature'> {
  return {
    key: fields.bytes('key', 32),
    name: fields.text('name', MAX_LABEL_BYTES),
    serial: fields.int('n', 1, MAX_SERIAL),
    overrides: fields.list('w', MAX_OVERRIDES).map((place) => readPlace(place, fail))
  }
}

function item(value: unknown): Fields {
  return new Fields({ item: value }, refuseRecord)
}

function readPlace(value: unknown, fail: Fail): RecordPlace {
  if (!Array.isArray(value) || value.length !== 2) throw fail('has a place that is not [log, seq]')
  const fields = new Fields({ log: value[0], seq: value[1] }, fail)
  return { log: fields.hex('log', 16), seq: fields.int('seq', 1, MAX_SEQ) }
}

function readBox(value: unknown): SecretBox {
  if (!Array.isArray(value) || value.length !== 2) throw refuseRecord('has a secret that is not [key, box]')
  const fields = new Fields({ key: value[0], box: value[1] }, refuseRecord)
  return { key: fields.bytes('key', 32), box: fields.bytes('box', SECRET_BOX_BYTES) }
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

export function describeMemberOp(op: MemberOp): string {
  switch (op.k) {
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
    case 'appoint':
      return `appoint ${op.name}`
    case 'renew':
      return `renew ${op.keys.length} for round ${op.round}`
    case 'rekey':
      return `rekey to ${hexOf(op.key).slice(0, 8)}`
    case 'secret':
      return `secret ${op.generation} for ${op.boxes.length}`
    case 'retire':
      return `retire ${op.ids.length}`
  }
}

function describeScope(scope: readonly string[] | undefined): string {
  return scope === undefined ? '' : ` for ${scope.join(', ')}`
}

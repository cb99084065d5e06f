/**
 * What a node that may not write proposes to one that may: one change of one entry. SPEC.md, "Sync lane". The receiver
 * decides; nothing a proposal says is taken for granted.
 */
import type { BodyRef } from './body.js'
import { decodeMessage, encodeCbor, malformed } from './cbor.js'
import { bytesOf, Fields, hexOf } from './fields.js'
import { MAX_BODY_BYTES, MAX_INLINE_BODY_BYTES, MAX_PATH_BYTES } from './limits.js'

/** Values one proposal may say it has seen; an entry in step has as many as it has fields and conflicts. */
export const MAX_PROPOSED_SEEN = 1_024
/** Longest reason of an answer, bytes. */
export const MAX_PROPOSAL_REASON_BYTES = 1_024

export interface Proposal {
  readonly path: string
  readonly change: 'write' | 'make' | 'remove'
  /** The entry that is changed, 32 hex; absent for what the catalog does not have. */
  readonly entry?: string
  /** What the proposer had before its eyes, as `client:clock`: nothing else is replaced. */
  readonly seen: readonly string[]
  /** Of a `write`: the content; its bytes too where they are few, otherwise they are to be had from the proposer. */
  readonly body?: BodyRef
  readonly bytes?: Uint8Array
  readonly exec?: boolean
}

export interface ProposalAnswer {
  /** taken: it is in a record. fetching: its bytes are on their way; ask again. refused: not by this node. */
  readonly outcome: 'taken' | 'fetching' | 'refused'
  readonly reason: string
}

const OUTCOMES = ['taken', 'fetching', 'refused'] as const
const SEEN = /^\d{1,16}:\d{1,16}$/

export function encodeProposal({ path, change, entry, seen, body, bytes, exec }: Proposal): Uint8Array {
  const map: Record<string, unknown> = { t: 'propose', path, change, seen: [...seen] }
  if (entry !== undefined) map.entry = bytesOf(entry)
  if (body !== undefined) [map.hash, map.size] = [bytesOf(body.hash), body.size]
  if (bytes !== undefined) map.bytes = bytes
  if (exec !== undefined) map.exec = exec
  return encodeCbor(map)
}

/** Undefined when the message is another one. Throws `message-malformed`. */
export function decodeProposal(frame: Uint8Array): Proposal | undefined {
  const map = decodeMessage(frame)
  if (map.t !== 'propose') return undefined
  const fields = new Fields(map, malformed)
  const change = fields.oneOf('change', ['write', 'make', 'remove'] as const)
  const seen = fields.list('seen', MAX_PROPOSED_SEEN)
  if (!seen.every((key): key is string => typeof key === 'string' && SEEN.test(key)))
    throw malformed('names a value that is not client:clock')
  const entry = fields.optionalBytes('entry', 16)
  return {
    path: fields.text('path', MAX_PATH_BYTES),
    change,
    seen,
    ...(entry === undefined ? {} : { entry: hexOf(entry) }),
    ...(change === 'write' ? contentOf(map, fields) : {})
  }
}

function contentOf(map: Readonly<Record<string, unknown>>, fields: Fields): Pick<Proposal, 'body' | 'bytes' | 'exec'> {
  return {
    body: { hash: fields.hex('hash', 32), size: fields.int('size', 0, MAX_BODY_BYTES) },
    exec: map.exec === true,
    ...(map.bytes === undefined ? {} : { bytes: fields.bytes('bytes', 0, MAX_INLINE_BODY_BYTES) })
  }
}

export function encodeProposalAnswer(answer: ProposalAnswer): Uint8Array {
  return encodeCbor({ t: 'proposal-is', ...answer })
}

/** Throws `message-malformed`. */
export function decodeProposalAnswer(frame: Uint8Array): ProposalAnswer {
  const map = decodeMessage(frame)
  if (map.t !== 'proposal-is') throw malformed(`answers ${String(map.t)} where proposal-is was expected`)
  const fields = new Fields(map, malformed)
  return { outcome: fields.oneOf('outcome', OUTCOMES), reason: fields.text('reason', MAX_PROPOSAL_REASON_BYTES) }
}

import { GrapevineError } from '../errors.js'
import type { BodyRef } from '../wire/body.js'

/** Which part of a blob was wrong; only a wrong body means that its bytes must come from elsewhere. */
export type DamagedPart = 'body' | 'tree'

export function blobMissing(ref: { hash: string; size?: number }, why = 'is not on this node yet'): GrapevineError {
  return new GrapevineError('blob-missing', `the blob ${ref.hash} ${why}`, {
    next: 'wait until a node that holds it is connected; `grapevine status` shows what is being fetched',
    facts: { hash: ref.hash, size: ref.size }
  })
}

export function blobDamaged(ref: BodyRef, part: DamagedPart, facts: Record<string, unknown> = {}): GrapevineError {
  const what = part === 'tree' ? 'the hash tree' : 'the stored bytes'
  return new GrapevineError('blob-damaged', `${what} of blob ${ref.hash} no longer match their hash`, {
    next: 'the daemon fetches the damaged parts again from its peers; check the disk',
    facts: { hash: ref.hash, size: ref.size, part, ...facts }
  })
}

export function blobTooLarge(limit: number): GrapevineError {
  return new GrapevineError('too-large', `a body is larger than ${limit} bytes`, {
    next: 'leave it out with an ignore pattern, or split it',
    facts: { limit }
  })
}

/** Something used after its end, on the way down of the daemon. */
export function blobStopped(): GrapevineError {
  return new GrapevineError('stopped', 'the blob store is closed', { next: 'start the node again' })
}

/** A request for a part that a body of that size does not have. */
export function noSuchPart(ref: BodyRef, facts: Record<string, unknown>): GrapevineError {
  return new GrapevineError('message-malformed', `a body of ${ref.size} bytes has no such part`, {
    next: 'check that all nodes run compatible versions',
    facts: { hash: ref.hash, size: ref.size, ...facts }
  })
}

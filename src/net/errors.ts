/** The errors of the network part in one place, each with its next step. */
import { GrapevineError, reasonOf } from '../errors.js'
import type { NodeId } from '../runtime.js'

/** The reason in anything thrown. The stack sometimes rejects with the event that ended its waiting. */
export function whyOf(error: unknown): string {
  if (error instanceof Event)
    return 'error' in error && error.error instanceof Error ? error.error.message : 'the connection was closed'
  if (error instanceof AggregateError) return error.errors.map(whyOf).join('; ')
  return reasonOf(error)
}

export function unreachable(node: NodeId, why: string, cause?: unknown): GrapevineError {
  return new GrapevineError('peer-unreachable', `node ${node} ${why}`, {
    next: 'it is dialled again by itself; see `grapevine peers`',
    facts: { node },
    cause
  })
}

/** @param refusal the code the peer sent. */
export function refused(node: NodeId, refusal: string): GrapevineError {
  return new GrapevineError('peer-refused', `node ${node} refused: ${refusal}`, {
    next: 'see the log of that node for the cause',
    facts: { node, refusal }
  })
}

export function tooLarge(what: string, bytes: number, limit: number): GrapevineError {
  return new GrapevineError('too-large', `${what} has ${bytes} bytes; ${limit} are allowed`, {
    next: 'send it in smaller pieces',
    facts: { bytes, limit }
  })
}

export function stopped(): GrapevineError {
  return new GrapevineError('stopped', 'the network is stopped', { next: 'start the node' })
}

/** A peer that broke the protocol of a lane: what ends its link. */
export function brokenFrame(error: unknown): GrapevineError {
  if (error instanceof GrapevineError) return error
  const code = error instanceof Error && error.name === 'InvalidDataLengthError' ? 'too-large' : 'message-malformed'
  return new GrapevineError(code, `a peer sent a frame that cannot be read: ${reasonOf(error)}`, {
    next: 'check that all nodes run compatible versions',
    cause: error
  })
}

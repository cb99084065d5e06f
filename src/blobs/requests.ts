/** The requests of the blob lane as questions with typed outcomes: nothing here throws, and nothing is decided. */
import { GrapevineError, reasonOf } from '../errors.js'
import type { NodeId, Transport } from '../runtime.js'
import type { BodyRef } from '../wire/body.js'
import { type BlobRequest, type BlobAnswer, decodeBlobAnswer, encodeBlobRequest } from '../wire/blob-messages.js'
import type { Piece } from './plan.js'

/** An answer must have come after this long, ms: four chunks at 40 KB/s. More are asked for at once only of who is fast. */
export const REQUEST_TIMEOUT_MS = 30_000

/** `none`: the peer did not answer, or refused. `wrong`: what it answered cannot be right whatever the content. */
export type Outcome<T> =
  | { readonly got: 'answer'; readonly value: T }
  | { readonly got: 'absent' }
  | { readonly got: 'wrong'; readonly reason: string }
  | { readonly got: 'none'; readonly reason: string }

type Requester = Pick<Transport, 'request'>

/** Asks for the bytes of a piece. Whether they are right is not known yet: only their hash tells. */
export async function requestPiece(
  transport: Requester,
  node: NodeId,
  ref: BodyRef,
  piece: Piece,
  signal: AbortSignal
): Promise<Outcome<Uint8Array>> {
  const request: BlobRequest =
    piece.kind === 'chunk'
      ? { t: 'chunk', ...ref, index: piece.index, ...(piece.count > 1 ? { count: piece.count } : {}) }
      : { t: 'node', ...ref, level: piece.level, index: piece.index }
  return await ask(transport, node, request, signal, (answer) => {
    if (answer.t === 'absent') return { got: 'absent' }
    if (answer.t === 'bytes') return { got: 'answer', value: answer.bytes }
    return { got: 'wrong', reason: `answered a ${request.t} with ${answer.t}` }
  })
}

/** Asks which blobs a peer holds; the sizes are in the order of the hashes. */
export async function requestHave(
  transport: Requester,
  node: NodeId,
  hashes: readonly string[],
  signal: AbortSignal
): Promise<Outcome<ReadonlyArray<number | null>>> {
  return await ask(transport, node, { t: 'have', hashes }, signal, (answer) => {
    if (answer.t === 'sizes' && answer.sizes.length === hashes.length) return { got: 'answer', value: answer.sizes }
    return { got: 'wrong', reason: 'answered a have with something else' }
  })
}

async function ask<T>(
  transport: Requester,
  node: NodeId,
  request: BlobRequest,
  signal: AbortSignal,
  read: (answer: BlobAnswer) => Outcome<T>
): Promise<Outcome<T>> {
  try {
    const options = { timeoutMs: REQUEST_TIMEOUT_MS, signal }
    return read(decodeBlobAnswer(await transport.request(node, 'blob', encodeBlobRequest(request), options)))
  } catch (error) {
    const malformed = error instanceof GrapevineError && error.code === 'message-malformed'
    return { got: malformed ? 'wrong' : 'none', reason: reasonOf(error) }
  }
}

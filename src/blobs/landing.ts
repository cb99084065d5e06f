/** Writing of what a peer answered, and what of it was right. */
import type { PartialBlob } from './partial.js'
import type { Chunks, Piece } from './plan.js'

/** What of a piece that was asked for is here now, with the chunks that were found on disk with it, and what is not. */
interface Written {
  readonly here?: { piece: Piece; adopted: readonly number[] }
  readonly missing?: Piece
  readonly isRight: boolean
}

export async function write(partial: PartialBlob, piece: Piece, bytes: Uint8Array): Promise<Written> {
  if (piece.kind === 'chunk') return await writeChunks(partial, piece, bytes)
  const adopted = await partial.putNode(piece, bytes)
  return adopted === undefined ? { missing: piece, isRight: false } : { here: { piece, adopted }, isRight: true }
}

/** An answer may have fewer chunks than were asked for, but no part of one, and nothing behind them. */
async function writeChunks(partial: PartialBlob, piece: Chunks, bytes: Uint8Array): Promise<Written> {
  const right = bytes.length > piece.bytes ? 0 : await partial.putChunks(piece.index, bytes)
  const cut = (from: number, to: number): Chunks | undefined =>
    from === to
      ? undefined
      : {
          kind: 'chunk',
          index: piece.index + from,
          count: to - from,
          bytes: partial.shape.chunksSpan(piece.index + from, to - from).length
        }
  const [here, missing] = [cut(0, right), cut(right, piece.count)]
  return {
    ...(here === undefined ? {} : { here: { piece: here, adopted: [] } }),
    ...(missing === undefined ? {} : { missing }),
    isRight: right > 0 && here?.bytes === bytes.length
  }
}

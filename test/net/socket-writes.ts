import { Socket } from 'node:net'

/** Where every write of a socket passes, alone or gathered. */
interface Writing {
  _writeGeneric(gathered: boolean, data: Uint8Array | { chunk: Uint8Array }[], ...rest: unknown[]): unknown
}

/** Tells how many bytes each write to any socket of this process has. Returns what ends it. */
export function watchWrites(wrote: (bytes: number) => void): () => void {
  const socket = Socket.prototype as unknown as Writing
  const original = socket._writeGeneric
  socket._writeGeneric = function (this: Writing, gathered, data, ...rest) {
    const pieces = Array.isArray(data) ? data.map(({ chunk }) => chunk) : [data]
    wrote(pieces.reduce((sum, piece) => sum + piece.length, 0))
    return original.call(this, gathered, data, ...rest)
  }
  return () => void (socket._writeGeneric = original)
}

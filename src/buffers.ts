/**
 * Gives the memory of large buffers back when their end is known, instead of leaving it to the collector. V8 counts such
 * memory with its own: each 20 MiB of it make it look through all objects of the process, which costs more than what the
 * bytes are for. What comes back at once is also still in the processor's cache when it is used next.
 */
import { MessageChannel } from 'node:worker_threads'

/** Smaller buffers are not worth the while, bytes. */
export const LARGE_BYTES = 4 * 1024

interface Room {
  /** Bytes that readers have been promised and have not read. */
  lent: number
  /** Free it when nothing is lent. */
  isOver: boolean
}

/** What `roomFor` made and nobody gave back. */
const rooms = new WeakMap<ArrayBufferLike, Room>()

/** Nobody is at the other end: what is handed over is dropped. */
const nowhere = new MessageChannel().port1
nowhere.close()

/** Memory for so many bytes that may be given back. When large it is not cleared: all of it is to be filled. */
export function roomFor(bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes < LARGE_BYTES) return new Uint8Array(bytes)
  const { buffer } = Buffer.allocUnsafeSlow(bytes)
  rooms.set(buffer, { lent: 0, isOver: false })
  return new Uint8Array(buffer)
}

/** Frees memory of `roomFor`, whichever part of it the view shows: at once, or when all is read of what was lent of it. */
export function giveBack({ buffer }: Uint8Array): void {
  const room = rooms.get(buffer)
  if (room === undefined) return
  room.isOver = true
  freeIfOver(buffer, room)
}

/** Each byte of the view will be read once more, and told by `wasRead`. Of whom that cannot be said the collector frees it. */
export function lend({ buffer, byteLength }: Uint8Array): void {
  const room = rooms.get(buffer)
  if (room !== undefined) room.lent += byteLength
}

export function wasRead({ buffer, byteLength }: Uint8Array): void {
  const room = rooms.get(buffer)
  if (room === undefined || room.lent === 0) return
  room.lent -= byteLength
  freeIfOver(buffer, room)
}

/**
 * Frees what the view looks at, whoever made it; afterwards all views of the same memory are empty. One of only a part of it
 * is left alone, for others may have other parts.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (byteLength >= LARGE_BYTES && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) free(buffer)
}

function freeIfOver(buffer: ArrayBufferLike, { lent, isOver }: Room): void {
  if (!isOver || lent !== 0 || !(buffer instanceof ArrayBuffer)) return
  rooms.delete(buffer)
  free(buffer)
}

function free(buffer: ArrayBuffer): void {
  nowhere.postMessage(null, [buffer])
}

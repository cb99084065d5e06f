/** Reading files that others may be writing: what is handed on is one whole content or an error, never a mixture. */
import { constants, type BigIntStats } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { BLOB_CHUNK_BYTES, BodyHasher, type BodyRef } from '../../wire/index.js'
import { sameStat } from './stat-cache.js'

/** Tries of a file that changes while it is hashed. */
export const MAX_HASH_ATTEMPTS = 3
/** After so many bytes a long file is asked whether it changed meanwhile, to give up early. */
const LOOK_AGAIN_BYTES = 64 * 1024 * 1024

// O_NONBLOCK: a FIFO put in the place of a file must not hang the scan
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

export interface Hashed {
  readonly stat: BigIntStats
  readonly body: BodyRef
}

/**
 * Hashes the file at `path` (a path no symlink can redirect). 'changed' when it did not come to rest, 'other' when it is
 * not a file. Errors of the file system are thrown as they are.
 */
export async function hashFile(path: string, signal?: AbortSignal): Promise<Hashed | 'changed' | 'other'> {
  for (let attempt = 0; attempt < MAX_HASH_ATTEMPTS; attempt++) {
    signal?.throwIfAborted()
    const handle = await open(path, READ_FLAGS)
    try {
      const before = await handle.stat({ bigint: true })
      if (!before.isFile()) return 'other'
      const body = await hashOnce(handle, before, signal)
      const after = await handle.stat({ bigint: true })
      if (body !== null && sameStat(before, after) && BigInt(body.size) === after.size) return { stat: after, body }
    } finally {
      await handle.close()
    }
  }
  return 'changed'
}

/** Streams a file in pieces of a chunk; returns what was read. Throws what the file system throws. */
export async function* streamFile(path: string, signal?: AbortSignal): AsyncGenerator<Buffer, BodyRef | 'other'> {
  const handle = await open(path, READ_FLAGS)
  try {
    if (!(await handle.stat()).isFile()) return 'other'
    const hasher = new BodyHasher()
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(BLOB_CHUNK_BYTES), 0, BLOB_CHUNK_BYTES, null)
      if (bytesRead === 0) return hasher.finish()
      const piece = buffer.subarray(0, bytesRead)
      hasher.update(piece)
      yield piece
    }
  } finally {
    await handle.close()
  }
}

async function hashOnce(handle: FileHandle, before: BigIntStats, signal?: AbortSignal): Promise<BodyRef | null> {
  const hasher = new BodyHasher()
  const size = Number(before.size)
  const buffer = Buffer.allocUnsafe(Math.min(BLOB_CHUNK_BYTES, Math.max(1, size)))
  let lookAgainAt = LOOK_AGAIN_BYTES
  for (let done = 0; done < size;) {
    signal?.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, done)
    if (bytesRead === 0) return null
    hasher.update(buffer.subarray(0, bytesRead))
    done += bytesRead
    if (done < lookAgainAt) continue
    lookAgainAt += LOOK_AGAIN_BYTES
    if (!sameStat(before, await handle.stat({ bigint: true }))) return null
  }
  return hasher.finish()
}

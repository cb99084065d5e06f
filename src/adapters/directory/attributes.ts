/** Mode, owner and time of a file that takes a place in the target. */
import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { ownerToGive } from './change.js'
import type { Dir } from './root.js'

const NEW_FILE_MODE = 0o644
const NS_PER_MS = 1_000_000n

/**
 * Gives the file what `before` had (null or a directory: what a new file in `dir` gets). The exec bit is as told. True
 * when something had to be changed; not durable yet.
 */
export async function dress(handle: FileHandle, before: BigIntStats | null, dir: Dir, exec: boolean): Promise<boolean> {
  const replaced = before?.isFile() ? before : null
  const made = await handle.stat({ bigint: true })
  const owner = ownerToGive(made, replaced ?? (await dir.stat()))
  // some file systems have no owners to give
  if (owner !== null) await handle.chown(owner.uid, owner.gid).catch(() => {})
  const mode = modeFor(replaced, exec)
  // a change of the owner takes special bits away, so the mode comes after it
  const otherMode = (Number(made.mode) & 0o7777) !== mode
  if (otherMode || owner !== null) await handle.chmod(mode)
  const moved = await moveTimeForward(handle, made, replaced)
  return owner !== null || otherMode || moved
}

/** What is replaced keeps its permissions; the exec bits follow the read bits. Independent of the umask. */
function modeFor(replaced: BigIntStats | null, exec: boolean): number {
  const mode = replaced === null ? NEW_FILE_MODE : Number(replaced.mode) & 0o777
  if (replaced !== null && ((mode & 0o100) !== 0) === exec) return mode
  const plain = mode & 0o666
  // the owner must be able to run it even where it may not read it, or the bit would not come back from a scan
  return exec ? plain | ((plain & 0o444) >> 2) | 0o100 : plain
}

/** Servers notice a new content by a newer mtime, so it must never stand still or go back. */
async function moveTimeForward(handle: FileHandle, made: BigIntStats, replaced: BigIntStats | null): Promise<boolean> {
  if (replaced === null || made.mtimeNs > replaced.mtimeNs) return false
  await handle.utimes(Number(made.atimeNs) / 1e9, Number(replaced.mtimeNs + NS_PER_MS) / 1e9)
  return true
}

/**
 * Writes one file so that nobody ever sees half of it: temporary file in the same directory, verified and fsynced, then
 * put in place in one step, after a last look that nobody changed what is replaced.
 */
import { constants, type BigIntStats } from 'node:fs'
import { link, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { GrapevineError, isErrno } from '../../errors.js'
import { BodyHasher, type BodyRef } from '../../wire/index.js'
import type { ApplyItem, ApplyResult, BodySource, TargetEntry } from '../contract.js'
import { showName } from '../names.js'
import { assertInPlace, Differs, done, inParent, ownerToGive, removeEmpty, type ChangeDeps } from './change.js'
import { holds, statOf, unchanged } from './current.js'
import { tempName } from './leftovers.js'
import type { Dir } from './root.js'
import { inodeOf, isRacy, rowOf } from './stat-cache.js'

type WriteItem = ApplyItem & { do: 'write' }

const TEMP_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
const NEW_FILE_MODE = 0o644
const NS_PER_MS = 1_000_000n

export function writeItem(
  deps: ChangeDeps,
  item: WriteItem,
  bodies: BodySource,
  signal?: AbortSignal
): Promise<ApplyResult> {
  return inParent(deps.root, item.path, async (dir, name) => {
    const before = await statOf(dir, name)
    const wanted = { kind: 'file', body: item.body, exec: item.exec } as const
    // also the answer to a set that is applied again after a crash
    if (await holds(deps.cache, dir, name, item.path, before, wanted)) return done(item, entryOf(item, before!))
    if (!(await holds(deps.cache, dir, name, item.path, before, item.expect))) {
      throw new Differs(item.path, before === null ? 'it is gone' : 'it was changed on this machine')
    }
    const temp = tempName()
    try {
      await fillTemp(dir, temp, before, item, bodies, signal)
      await assertInPlace(dir, item.path)
      if (!unchanged(before, await statOf(dir, name)))
        throw new Differs(item.path, 'it was changed while the new content was prepared')
      deps.writing.add(item.path)
      await putInPlace(deps, dir, temp, name, item, before)
      return done(item, await remember(deps, dir, name, item))
    } finally {
      deps.writing.delete(item.path)
      // it is only still there after a failure
      await unlink(dir.at(temp)).catch(() => {})
    }
  })
}

async function fillTemp(
  dir: Dir,
  temp: string,
  before: BigIntStats | null,
  item: WriteItem,
  bodies: BodySource,
  signal?: AbortSignal
): Promise<void> {
  const replaced = before?.isFile() ? before : null
  const handle = await open(dir.at(temp), TEMP_FLAGS, 0o600)
  try {
    await copyVerified(handle, item.path, item.body, bodies, signal)
    const made = await handle.stat({ bigint: true })
    const owner = ownerToGive(made, replaced ?? (await dir.stat()))
    // some file systems have no owners to give
    if (owner !== null) await handle.chown(owner.uid, owner.gid).catch(() => {})
    await handle.chmod(modeFor(replaced, item.exec))
    await moveTimeForward(handle, replaced)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function copyVerified(
  handle: FileHandle,
  path: string,
  body: BodyRef,
  bodies: BodySource,
  signal?: AbortSignal
): Promise<void> {
  const hasher = new BodyHasher()
  let size = 0
  for await (const piece of bodies(body)) {
    signal?.throwIfAborted()
    size += piece.length
    if (size > body.size) throw damaged(path, body)
    hasher.update(piece)
    await writeAll(handle, piece)
  }
  if (size !== body.size || hasher.finish().hash !== body.hash) throw damaged(path, body)
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at)
    at += bytesWritten
  }
}

/** What is replaced keeps its permissions; the exec bits follow the read bits. Independent of the umask. */
export function modeFor(replaced: BigIntStats | null, exec: boolean): number {
  const mode = replaced === null ? NEW_FILE_MODE : Number(replaced.mode) & 0o777
  if (replaced !== null && ((mode & 0o100) !== 0) === exec) return mode
  const plain = mode & 0o666
  // the owner must be able to run it even where it may not read it, or the bit would not come back from a scan
  return exec ? plain | ((plain & 0o444) >> 2) | 0o100 : plain
}

/** Servers notice a new content by a newer mtime, so it must never stand still or go back. */
async function moveTimeForward(handle: FileHandle, replaced: BigIntStats | null): Promise<void> {
  if (replaced === null) return
  const { mtimeNs, atimeNs } = await handle.stat({ bigint: true })
  if (mtimeNs > replaced.mtimeNs) return
  await handle.utimes(Number(atimeNs) / 1e9, Number(replaced.mtimeNs + NS_PER_MS) / 1e9)
}

async function putInPlace(
  deps: ChangeDeps,
  dir: Dir,
  temp: string,
  name: string,
  item: WriteItem,
  before: BigIntStats | null
): Promise<void> {
  if (before?.isFile()) return rename(dir.at(temp), dir.at(name))
  if (before?.isDirectory()) await removeEmpty(deps.root, dir, name, item.path)
  try {
    // unlike a rename, a link never replaces what somebody made there in the last moment
    await link(dir.at(temp), dir.at(name))
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw new Differs(item.path, 'something was made there meanwhile')
    if (!isErrno(error, 'EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'EACCES')) throw error
    await rename(dir.at(temp), dir.at(name))
    return
  }
  // the second name of the same file goes before its stat is remembered
  await unlink(dir.at(temp))
}

async function remember(deps: ChangeDeps, dir: Dir, name: string, item: WriteItem): Promise<TargetEntry> {
  const takenMs = deps.clock.now()
  const stat = await statOf(dir, name)
  if (stat === null || stat.size !== BigInt(item.body.size))
    throw new Differs(item.path, 'it was changed right after it was written')
  deps.cache.set(item.path, rowOf(stat, item.body.hash, isRacy(stat, takenMs)))
  return entryOf(item, stat)
}

function entryOf(item: WriteItem, stat: BigIntStats): TargetEntry {
  return { path: item.path, kind: 'file', body: item.body, exec: item.exec, inode: inodeOf(stat) }
}

function damaged(path: string, body: BodyRef): GrapevineError {
  return new GrapevineError(
    'blob-damaged',
    `the bytes for ${showName(path)} do not match their hash and were not written`,
    {
      next: 'nothing to do: they are fetched again from another node',
      facts: { path: showName(path), hash: body.hash, size: body.size }
    }
  )
}

/**
 * Writes one file so that nobody ever sees half of it: staged as a temporary file, verified and fsynced, and later put
 * in place in one step, after a last look that nobody changed what is replaced.
 */
import { constants, type BigIntStats } from 'node:fs'
import { link, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { GrapevineError, isErrno } from '../../errors.js'
import { BodyHasher, type BodyRef } from '../../wire/index.js'
import type { ApplyItem, ApplyResult, BodySource, TargetEntry } from '../contract.js'
import { showName } from '../names.js'
import { dress } from './attributes.js'
import { assertInPlace, Differs, done, inDirectory, inParent, removeEmpty, type ChangeDeps } from './change.js'
import { holds, statOf, unchanged } from './current.js'
import type { Staged } from './journal.js'
import { tempName } from './leftovers.js'
import { splitPath, type Dir } from './root.js'
import { inodeOf, isRacy, rowOf } from './stat-cache.js'

export type WriteItem = ApplyItem & { do: 'write' }

export interface StagedWrite extends Staged {
  /** What lay in the place when the content was staged for it; undefined when that was not settled yet. */
  readonly before?: BigIntStats | null
}

const TEMP_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
const DRESS_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)

/**
 * Writes the content into `where.dir`, durably. `where.alone`: nothing else in the set touches the place, which is then
 * compared now, and settled when there is nothing to write. Throws Differs.
 */
export function stageWrite(
  deps: ChangeDeps,
  item: WriteItem,
  where: { readonly dir: string; readonly alone: boolean },
  bodies: BodySource,
  signal?: AbortSignal
): Promise<StagedWrite | ApplyResult> {
  return inDirectory(deps.root, where.dir, item.path, async (dir) => {
    const [, name] = splitPath(item.path)
    const before = where.alone ? await statOf(dir, name) : undefined
    if (before !== undefined && (await isThere(deps, dir, name, item, before)))
      return done(item, entryOf(item, before!))
    const temp = tempName()
    try {
      await fillTemp(dir, temp, before ?? null, item, bodies, signal)
      await assertInPlace(dir, item.path)
      if (before === undefined) return { dir: where.dir, temp }
      if (!unchanged(before, await statOf(dir, name))) throw changedMeanwhile(item)
      return { dir: where.dir, temp, before }
    } catch (error) {
      await unlink(dir.at(temp)).catch(() => {})
      throw error
    }
  })
}

/** Puts staged content in place. Throws Differs; the staged file is gone afterwards in any case. */
export async function placeWrite(deps: ChangeDeps, item: WriteItem, staged: StagedWrite): Promise<ApplyResult> {
  try {
    return await inParent(deps.root, item.path, (dir, name) => {
      if (splitPath(item.path)[0] === staged.dir) return placeFrom(deps, dir, dir, name, item, staged)
      return inDirectory(deps.root, staged.dir, item.path, (from) => placeFrom(deps, from, dir, name, item, staged))
    })
  } catch (error) {
    await discard(deps, staged)
    throw error
  }
}

async function placeFrom(
  deps: ChangeDeps,
  from: Dir,
  dir: Dir,
  name: string,
  item: WriteItem,
  staged: StagedWrite
): Promise<ApplyResult> {
  const temp = from.at(staged.temp)
  let { before } = staged
  if (before === undefined) {
    before = await statOf(dir, name)
    if (await isThere(deps, dir, name, item, before)) {
      await unlink(temp).catch(() => {})
      return done(item, entryOf(item, before!))
    }
    await dressAnew(temp, before, dir, item.exec)
  }
  await assertInPlace(dir, item.path)
  if (!unchanged(before, await statOf(dir, name))) throw changedMeanwhile(item)
  deps.writing.add(item.path)
  try {
    await putInPlace(deps, temp, dir, name, item, before)
    return done(item, await remember(deps, dir, name, item))
  } finally {
    deps.writing.delete(item.path)
  }
}

/** Removes staged content that is not wanted any more. */
export async function discard(deps: ChangeDeps, staged: Staged): Promise<void> {
  await deps.strays.remove(deps.root, staged)
}

/** Whether the wanted content is there already, as after a crash. Throws Differs when what is there is not expected. */
async function isThere(
  deps: ChangeDeps,
  dir: Dir,
  name: string,
  item: WriteItem,
  before: BigIntStats | null
): Promise<boolean> {
  const wanted = { kind: 'file', body: item.body, exec: item.exec } as const
  if (await holds(deps.cache, dir, name, item.path, before, wanted)) return true
  if (await holds(deps.cache, dir, name, item.path, before, item.expect)) return false
  throw new Differs(item.path, before === null ? 'it is gone' : 'it was changed on this machine')
}

async function fillTemp(
  dir: Dir,
  temp: string,
  before: BigIntStats | null,
  item: WriteItem,
  bodies: BodySource,
  signal?: AbortSignal
): Promise<void> {
  const handle = await open(dir.at(temp), TEMP_FLAGS, 0o600)
  try {
    await copyVerified(handle, item.path, item.body, bodies, signal)
    await dress(handle, before, dir, item.exec)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The place turned out to be another than the content was staged for: mode, owner and time follow what is there now. */
async function dressAnew(temp: string, before: BigIntStats | null, dir: Dir, exec: boolean): Promise<void> {
  const handle = await open(temp, DRESS_FLAGS)
  try {
    if (await dress(handle, before, dir, exec)) await handle.sync()
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

async function putInPlace(
  deps: ChangeDeps,
  temp: string,
  dir: Dir,
  name: string,
  item: WriteItem,
  before: BigIntStats | null
): Promise<void> {
  if (before?.isFile()) return rename(temp, dir.at(name))
  if (before?.isDirectory()) await removeEmpty(deps.root, dir, name, item.path)
  try {
    // unlike a rename, a link never replaces what somebody made there in the last moment
    await link(temp, dir.at(name))
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw new Differs(item.path, 'something was made there meanwhile')
    if (!isErrno(error, 'EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'EACCES')) throw error
    await rename(temp, dir.at(name))
    return
  }
  // the second name of the same file goes before its stat is remembered
  await unlink(temp)
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

function changedMeanwhile(item: WriteItem): Differs {
  return new Differs(item.path, 'it was changed while the new content was prepared')
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

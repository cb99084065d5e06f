/** Brings something of the target to a safe place, keeping its bytes and never replacing what was saved earlier. */
import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncDirectory } from '../../durable.js'
import { diskError, isErrno } from '../../errors.js'
import { checkPath, showName } from '../names.js'
import { assertInPlace, Differs, inParent, type ChangeDeps } from './change.js'
import { statOf } from './current.js'
import { changing } from './faults.js'
import type { Dir } from './root.js'

/** Moves it out. Returns where it lies now. A path where nothing is throws `file-changed`. */
export function setAside(deps: ChangeDeps, path: string, saveTo: string): Promise<string> {
  return outOf(deps, path, async (dir, name) => {
    if ((await statOf(dir, name)) === null) throw changing(path, 'is gone already', true)
    const place = await freePlace(saveTo, path)
    await assertInPlace(dir, path)
    await moveTo(dir.at(name), place)
    await syncDirectory(dirname(place))
    await dir.sync()
    deps.cache.delete(path)
    return place
  })
}

/** Copies a file and leaves it where it is. Returns where the copy lies; where no file is, throws `file-changed`. */
export function keepCopy(deps: ChangeDeps, path: string, saveTo: string): Promise<string> {
  return outOf(deps, path, async (dir, name) => {
    if ((await statOf(dir, name))?.isFile() !== true) throw changing(path, 'is no file any more', true)
    const place = await freePlace(saveTo, path)
    await assertInPlace(dir, path)
    await copyDurably(dir.at(name), place)
    await syncDirectory(dirname(place))
    return place
  })
}

async function outOf(
  deps: ChangeDeps,
  path: string,
  take: (dir: Dir, name: string) => Promise<string>
): Promise<string> {
  const refusal = checkPath(path)
  if (refusal !== null) throw refusal
  await deps.root.check()
  try {
    return await inParent(deps.root, path, take)
  } catch (error) {
    if (error instanceof Differs) throw changing(path, 'moved while it was set aside', true)
    if (isErrno(error, 'ENOENT')) throw changing(path, 'is gone already', true)
    throw diskError(error, 'target-write-failed', `${showName(path)} could not be set aside`, { path: showName(path) })
  }
}

/** A place below `saveTo` where nothing is, with its directory made: `path`, `path.1`, `path.2` and so on. */
async function freePlace(saveTo: string, path: string): Promise<string> {
  const wanted = await withDirectory(saveTo, path)
  for (let suffix = 0; ; suffix++) {
    const place = suffix === 0 ? wanted : `${wanted}.${suffix}`
    if (!(await exists(place))) return place
  }
}

/** Where a directory is needed an earlier saved file may lie; then a fresh subdirectory takes the whole path. */
async function withDirectory(saveTo: string, path: string): Promise<string> {
  for (let turn = 0; ; turn++) {
    const wanted = join(turn === 0 ? saveTo : join(saveTo, `again.${turn}`), ...path.split('/'))
    try {
      await mkdir(dirname(wanted), { recursive: true, mode: 0o700 })
      return wanted
    } catch (error) {
      if (!isErrno(error, 'EEXIST', 'ENOTDIR')) throw error
    }
  }
}

async function moveTo(from: string, place: string): Promise<void> {
  try {
    await rename(from, place)
  } catch (error) {
    if (!isErrno(error, 'EXDEV')) throw error
    await copyDurably(from, place)
    // only now, when every byte of the copy is on the other disk
    await rm(from, { recursive: true })
  }
}

/** Copies a file or a whole directory; links stay links. Nothing is followed. */
async function copyDurably(from: string, to: string): Promise<void> {
  const stat = await lstat(from)
  if (stat.isSymbolicLink()) return symlink(await readlink(from), to)
  if (!stat.isFile() && !stat.isDirectory())
    throw new Error(`${showName(basename(from))} is neither a file nor a directory`)
  if (stat.isFile()) {
    await copyFile(from, to, constants.COPYFILE_EXCL)
    return syncFile(to)
  }
  await mkdir(to, { mode: 0o700 })
  for (const name of await readdir(from)) await copyDurably(join(from, name), join(to, name))
  await syncDirectory(to)
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, process.platform === 'win32' ? 'r+' : 'r')
  await handle.sync().finally(() => handle.close())
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

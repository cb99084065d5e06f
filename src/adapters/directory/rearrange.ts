/** Makes directories, removes and moves. Each compares before it changes anything, and is done already when it is. */
import { constants, type BigIntStats } from 'node:fs'
import { mkdir, open, rename, unlink } from 'node:fs/promises'
import { GrapevineError, isErrno } from '../../errors.js'
import type { ApplyItem, ApplyResult, TargetEntry } from '../contract.js'
import { showName } from '../names.js'
import {
  assertInPlace,
  Differs,
  dirEntry,
  done,
  inParent,
  ownerToGive,
  removeEmpty,
  type ChangeDeps
} from './change.js'
import { holds, statOf, unchanged } from './current.js'
import { splitPath, type Dir } from './root.js'
import { inodeOf, isRacy, rowOf } from './stat-cache.js'

const NEW_DIR_MODE = 0o755

export function mkdirItem(deps: ChangeDeps, item: ApplyItem & { do: 'mkdir' }): Promise<ApplyResult> {
  return inParent(deps.root, item.path, async (dir, name) => {
    const before = await statOf(dir, name)
    if (before?.isDirectory()) return done(item, dirEntry(item.path, before))
    if (!(await holds(deps.cache, dir, name, item.path, before, item.expect))) {
      throw new Differs(item.path, before === null ? 'the directory is gone' : 'there is something else')
    }
    await assertInPlace(dir, item.path)
    if (before !== null) await unlinkKnown(dir, name, item.path, before)
    await makeDirectory(dir, name, item.path)
    deps.cache.delete(item.path)
    return done(item, dirEntry(item.path, (await statOf(dir, name))!))
  })
}

export async function removeItem(deps: ChangeDeps, item: ApplyItem & { do: 'remove' }): Promise<ApplyResult> {
  const [parent] = splitPath(item.path)
  const above = await deps.root.openDir(parent)
  // gone together with its parent; behind a symlink there is nothing of ours either
  if (above === null) return done(item, null)
  await above.close()
  return inParent(deps.root, item.path, async (dir, name) => {
    const before = await statOf(dir, name)
    if (before === null) return done(item, null)
    if (!(await holds(deps.cache, dir, name, item.path, before, item.expect))) {
      throw new Differs(item.path, 'it was changed on this machine')
    }
    await assertInPlace(dir, item.path)
    if (before.isDirectory()) await removeEmpty(deps.root, dir, name, item.path)
    else await unlinkKnown(dir, name, item.path, before)
    deps.cache.delete(item.path)
    return done(item, null)
  })
}

export async function moveItem(deps: ChangeDeps, item: ApplyItem & { do: 'move' }): Promise<ApplyResult> {
  if (item.path === item.from || item.path.startsWith(`${item.from}/`)) throw intoItself(item)
  const already = await alreadyMoved(deps, item)
  if (already !== null) return already
  return inParent(deps.root, item.from, (fromDir, fromName) =>
    inParent(deps.root, item.path, async (toDir, toName) => {
      const before = await statOf(fromDir, fromName)
      if (!(await holds(deps.cache, fromDir, fromName, item.from, before, item.expect))) {
        throw new Differs(item.from, 'it was changed or removed on this machine')
      }
      if ((await statOf(toDir, toName)) !== null)
        throw new Differs(item.path, 'there is something in the place it should move to')
      await assertInPlace(fromDir, item.from)
      await assertInPlace(toDir, item.path)
      if (!unchanged(before, await statOf(fromDir, fromName))) throw new Differs(item.from, 'it was changed meanwhile')
      await rename(fromDir.at(fromName), toDir.at(toName))
      return done(item, rememberMoved(deps, item, (await statOf(toDir, toName))!))
    })
  )
}

/** A set applied again after a crash finds its moves done. */
async function alreadyMoved(deps: ChangeDeps, item: ApplyItem & { do: 'move' }): Promise<ApplyResult | null> {
  const gone = await inParent(deps.root, item.from, async (dir, name) => (await statOf(dir, name)) === null).catch(
    missingIsGone
  )
  if (!gone) return null
  return inParent(deps.root, item.path, async (dir, name) => {
    const stat = await statOf(dir, name)
    if (stat === null || !(await holds(deps.cache, dir, name, item.path, stat, item.expect))) return null
    return done(item, rememberMoved(deps, item, stat))
  })
}

function rememberMoved(deps: ChangeDeps, item: ApplyItem & { do: 'move' }, stat: BigIntStats): TargetEntry {
  deps.cache.delete(item.from)
  if (item.expect.kind === 'dir') return dirEntry(item.path, stat)
  deps.cache.set(item.path, rowOf(stat, item.expect.body.hash, isRacy(stat, deps.clock.now())))
  return { ...item.expect, path: item.path, inode: inodeOf(stat) }
}

async function makeDirectory(dir: Dir, name: string, path: string): Promise<void> {
  try {
    await mkdir(dir.at(name), NEW_DIR_MODE)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw new Differs(path, 'something was made there meanwhile')
    throw error
  }
  if (process.platform === 'win32') return
  // by handle, so that the mode and the owner go to the directory just made and to nothing put in its place
  const handle = await open(dir.at(name), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const owner = ownerToGive(await handle.stat({ bigint: true }), await dir.stat())
    if (owner !== null) await handle.chown(owner.uid, owner.gid).catch(() => {})
    await handle.chmod(NEW_DIR_MODE)
  } finally {
    await handle.close()
  }
}

async function unlinkKnown(dir: Dir, name: string, path: string, before: BigIntStats): Promise<void> {
  if (!unchanged(before, await statOf(dir, name))) throw new Differs(path, 'it was changed meanwhile')
  await unlink(dir.at(name))
}

function missingIsGone(error: unknown): boolean {
  if (error instanceof Differs) return true
  throw error
}

function intoItself(item: ApplyItem & { do: 'move' }): GrapevineError {
  return new GrapevineError(
    'move-into-itself',
    `${showName(item.from)} cannot be moved to ${showName(item.path)}, which is itself or lies in it`,
    {
      next: 'choose another place',
      facts: { from: showName(item.from), path: showName(item.path) }
    }
  )
}

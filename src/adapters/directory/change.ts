/** What every change of the target shares: where it happens, what it leaves behind, and who owns the result. */
import type { BigIntStats } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import type { GrapevineError } from '../../errors.js'
import { isErrno } from '../../errors.js'
import type { Clock } from '../../runtime.js'
import type { ApplyItem, ApplyResult, TargetEntry } from '../contract.js'
import { showName } from '../names.js'
import { differs } from './faults.js'
import { joinPath, splitPath, type Dir, type Root } from './root.js'
import type { Rules } from './rules.js'
import { decodeName } from './scan.js'
import { directoryInodeOf, type StatCache } from './stat-cache.js'
import type { Strays } from './strays.js'

export interface ChangeDeps {
  readonly root: Root
  readonly rules: Rules
  readonly cache: StatCache
  readonly clock: Clock
  /** Paths being put in place just now, whose new stat is not remembered yet. */
  readonly writing: Set<string>
  /** Whether two files next to each other in a set may be put in place in any order; absent: any two may. */
  readonly together?: (a: string, b: string) => boolean
  readonly strays: Strays
}

/** Thrown inside a change when the target is not as expected; becomes the outcome 'differs'. */
export class Differs extends Error {
  readonly fault: GrapevineError

  constructor(path: string, what: string) {
    super(what)
    this.fault = differs(path, what)
  }
}

export function done(item: ApplyItem, entry: TargetEntry | null): ApplyResult {
  return { item, outcome: 'done', entry }
}

/** Runs `work` in the opened directory that holds `path`; a parent that is not there is a difference. */
export async function inParent<T>(root: Root, path: string, work: (dir: Dir, name: string) => Promise<T>): Promise<T> {
  const [parent, name] = splitPath(path)
  return inDirectory(root, parent, path, (dir) => work(dir, name))
}

/** Runs `work` in the opened directory `parent`, for the sake of `path`. */
export async function inDirectory<T>(
  root: Root,
  parent: string,
  path: string,
  work: (dir: Dir) => Promise<T>
): Promise<T> {
  const dir = await root.openDir(parent)
  if (dir === null) throw new Differs(path, 'its directory is missing or was replaced by something else')
  try {
    return await work(dir)
  } finally {
    await dir.close()
  }
}

export function dirEntry(path: string, stat: BigIntStats): TargetEntry {
  return { path, kind: 'dir', inode: directoryInodeOf(stat) }
}

/** The last look before the step that cannot be taken back. */
export async function assertInPlace(dir: Dir, path: string): Promise<void> {
  if (!(await dir.inPlace())) throw new Differs(path, 'its directory was moved or replaced meanwhile')
}

/** Removes an empty directory; what is left in it, ignored files too, is never taken along. */
export async function removeEmpty(root: Root, dir: Dir, name: string, path: string): Promise<void> {
  try {
    await rmdir(dir.at(name))
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error
    throw new Differs(path, `the directory still holds ${await inventory(root, path)}`)
  }
}

/**
 * A daemon that runs as root beside a server with a user of its own must not leave files that server cannot write: what
 * is new gets the owner of its directory, what is replaced keeps its own.
 */
export function ownerToGive(made: BigIntStats, model: BigIntStats): { uid: number; gid: number } | null {
  if (made.uid === model.uid && made.gid === model.gid) return null
  if (process.geteuid?.() !== 0) return null
  return { uid: Number(model.uid), gid: Number(model.gid) }
}

const SHOWN_LEFTOVERS = 3

async function inventory(root: Root, path: string): Promise<string> {
  const dir = await root.openDir(path)
  if (dir === null) return 'something'
  try {
    const names = (await dir.names()).map((bytes) => showName(joinPath(path, decodeName(bytes) ?? showName(bytes))))
    const shown = names.slice(0, SHOWN_LEFTOVERS).join(', ')
    return names.length > SHOWN_LEFTOVERS ? `${shown} and ${names.length - SHOWN_LEFTOVERS} more` : shown
  } finally {
    await dir.close()
  }
}

/** What lies at one path right now, and whether it is what the catalog believes to be there. */
import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { isErrno } from '../../errors.js'
import type { TargetEntry } from '../contract.js'
import { hashFile } from './content.js'
import type { Dir } from './root.js'
import { isExec, rowMatches, sameStat, type StatCache } from './stat-cache.js'

/** The stat of the entry, or null when there is none. */
export async function statOf(dir: Dir, name: string): Promise<BigIntStats | null> {
  try {
    return await lstat(dir.at(name), { bigint: true })
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

/** True when nothing happened between two looks at the same path. */
export function unchanged(before: BigIntStats | null, now: BigIntStats | null): boolean {
  if (before === null || now === null) return before === now
  // a directory's times change with its entries, which is not a change of what it is
  if (before.isDirectory() && now.isDirectory()) return before.ino === now.ino && before.dev === now.dev
  return sameStat(before, now) && before.mode === now.mode
}

/** What is needed of an entry to compare: its path plays no part. */
export type Wanted = { kind: 'dir' } | Pick<TargetEntry & { kind: 'file' }, 'kind' | 'body' | 'exec'> | null

/**
 * Whether the target holds `wanted` under `path`. A file is hashed only when its remembered stat differs.
 * `path` is where the cache knows it.
 */
export async function holds(
  cache: StatCache,
  dir: Dir,
  name: string,
  path: string,
  stat: BigIntStats | null,
  wanted: Wanted
): Promise<boolean> {
  if (wanted === null || stat === null) return wanted === null && stat === null
  if (wanted.kind === 'dir') return stat.isDirectory()
  if (!stat.isFile() || stat.size !== BigInt(wanted.body.size)) return false
  if (process.platform !== 'win32' && isExec(stat) !== wanted.exec) return false
  const row = cache.get(path)
  if (row !== undefined && rowMatches(row, stat)) return row.hash === wanted.body.hash
  const hashed = await hashFile(dir.at(name)).catch((error: unknown) => {
    // gone or swapped since the stat: then it is not what was expected
    if (isErrno(error, 'ENOENT', 'ELOOP')) return 'changed' as const
    throw error
  })
  return typeof hashed === 'object' && hashed.body.hash === wanted.body.hash && sameStat(hashed.stat, stat)
}

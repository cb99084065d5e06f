/**
 * Remembers what a file hashed to, so that a file whose stat did not change is not read again. Rows prove themselves:
 * one whose stat differs from the file's is worth nothing, so a lost or stale cache costs time and never truth.
 */
import type { BigIntStats } from 'node:fs'

export interface StatRow {
  readonly size: number
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly ino: bigint
  readonly dev: bigint
  /** Type and permission bits. */
  readonly mode: number
  /** Content id, 64 hex characters. */
  readonly hash: string
  /**
   * We wrote this file ourselves and took its stat within the same tick of the file system's clock: a change right
   * behind ours could have left the same stat. Hints trust the row, the next full scan hashes the file once more.
   */
  readonly recheck: boolean
}

/** Keys are paths relative to the shared directory. All calls are synchronous and must be quick. */
export interface StatCache {
  get(path: string): StatRow | undefined
  set(path: string, row: StatRow): void
  delete(path: string): void
  /** Called after a full scan: rows of other paths may go. */
  retain?(isThere: (path: string) => boolean): void
}

export class MemoryStatCache implements StatCache {
  readonly #rows = new Map<string, StatRow>()

  get(path: string): StatRow | undefined {
    return this.#rows.get(path)
  }

  set(path: string, row: StatRow): void {
    this.#rows.set(path, row)
  }

  delete(path: string): void {
    this.#rows.delete(path)
  }

  retain(isThere: (path: string) => boolean): void {
    for (const path of this.#rows.keys()) if (!isThere(path)) this.#rows.delete(path)
  }
}

/** Ticks of common file systems are 1 to 10 ms (the kernel's timer), ns. */
const TICK_NS = 20_000_000n
/** FAT, HFS+ and old NFS keep whole seconds or two, ns. */
const COARSE_TICK_NS = 2_000_000_000n
const SECOND_NS = 1_000_000_000n

/** True when a later change could have left exactly this stat, because it was taken at `takenMs` within the same tick. */
export function isRacy(stat: BigIntStats, takenMs: number): boolean {
  const newest = stat.mtimeNs > stat.ctimeNs ? stat.mtimeNs : stat.ctimeNs
  const wholeSeconds = stat.mtimeNs % SECOND_NS === 0n && stat.ctimeNs % SECOND_NS === 0n
  return newest > BigInt(Math.floor(takenMs)) * 1_000_000n - (wholeSeconds ? COARSE_TICK_NS : TICK_NS)
}

export function rowOf(stat: BigIntStats, hash: string, recheck: boolean): StatRow {
  const { mtimeNs, ctimeNs, ino, dev } = stat
  return { size: Number(stat.size), mtimeNs, ctimeNs, ino, dev, mode: Number(stat.mode), hash, recheck }
}

export function rowMatches(row: StatRow, stat: BigIntStats): boolean {
  return (
    BigInt(row.size) === stat.size &&
    row.mtimeNs === stat.mtimeNs &&
    row.ctimeNs === stat.ctimeNs &&
    row.ino === stat.ino &&
    row.dev === stat.dev
  )
}

export function sameStat(a: BigIntStats, b: BigIntStats): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.ino === b.ino && a.dev === b.dev
}

export function isExec(stat: BigIntStats): boolean {
  // Windows has no such bit; there every file reads as not executable
  return process.platform !== 'win32' && (stat.mode & 0o100n) !== 0n
}

export function inodeOf(stat: BigIntStats): string {
  return `${stat.dev}:${stat.ino}`
}

/**
 * What a directory keeps when it is renamed. A new one may get the inode of one that was just removed, and has no content to
 * tell them apart, so its time of birth counts where the file system keeps one.
 */
export function directoryInodeOf(stat: BigIntStats): string {
  return stat.birthtimeNs > 0n ? `${inodeOf(stat)}:${stat.birthtimeNs}` : inodeOf(stat)
}

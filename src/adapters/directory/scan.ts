/**
 * The scan: what is in the directory now. It walks level by level, so that parents come before children, and reads only
 * files whose stat is not the one remembered. What cannot be shared becomes a problem, and never ends the scan.
 */
import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { isErrno, type GrapevineError } from '../../errors.js'
import type { Clock } from '../../runtime.js'
import type { BodyRef, ScanResult, TargetEntry, TargetProblem } from '../contract.js'
import { checkName, checkPath, nameRefused, showName } from '../names.js'
import { hashFile } from './content.js'
import { changing, notShared, unreadable } from './faults.js'
import { mapLimit } from './pool.js'
import { outermost } from '../paths.js'
import { joinPath, splitPath, type Dir, type Root } from './root.js'
import type { Rules } from './rules.js'
import { directoryInodeOf, inodeOf, isExec, isRacy, rowMatches, rowOf, type StatCache } from './stat-cache.js'

/** Directories walked at once, and entries looked at in each: enough to keep a disk busy, few enough to bound memory. */
const PARALLEL_DIRS = 4
const PARALLEL_ENTRIES = 8
const GONE = ['ENOENT', 'ENOTDIR']

export interface ScanDeps {
  readonly root: Root
  readonly rules: Rules
  readonly cache: StatCache
  readonly clock: Clock
  /** Told of a file that is empty and so young that its content may be on the way; it must be looked at again. */
  held(path: string): void
}

export interface ScanOptions {
  readonly paths?: readonly string[]
  readonly signal?: AbortSignal
  readonly progress?: (done: number) => void
}

/** One walk. Make a new one for each. */
export class Scan {
  readonly #deps: ScanDeps
  readonly #emptySettleMs: number
  readonly #options: ScanOptions
  readonly #entries = new Map<string, TargetEntry>()
  readonly #problems: TargetProblem[] = []

  constructor(deps: ScanDeps, emptySettleMs: number, options: ScanOptions) {
    this.#deps = deps
    this.#emptySettleMs = emptySettleMs
    this.#options = options
  }

  async run(): Promise<ScanResult> {
    await this.#deps.root.check()
    const tops = this.#options.paths === undefined ? [''] : outermost(this.#options.paths)
    const below = await mapLimit(tops, PARALLEL_DIRS, (path) => this.#top(path))
    for (let level = below.flat(); level.length > 0;) {
      level = (await mapLimit(level, PARALLEL_DIRS, (path) => this.#directory(path))).flat()
    }
    // when the root went away under the walk, everything not seen would pass for deleted
    await this.#deps.root.check()
    if (this.#isFull) this.#deps.cache.retain?.((path) => this.#entries.has(path) || this.#isBelowProblem(path))
    return { entries: this.#entries, problems: this.#problems }
  }

  get #isFull(): boolean {
    return this.#options.paths === undefined || this.#options.paths.includes('')
  }

  /** Looks at one path asked for; returns it when it is a directory to walk. */
  async #top(path: string): Promise<string[]> {
    if (path === '') return ['']
    if (checkPath(path) !== null) return this.#problem(showName(path), checkPath(path)!)
    const [parent, name] = splitPath(path)
    if (parent !== '' && this.#deps.rules.ignores(parent, 'dir')) return []
    try {
      const dir = await this.#deps.root.openDir(parent)
      if (dir === null) return await this.#unreached(parent)
      try {
        return await this.#entry(dir, parent, name)
      } finally {
        await dir.close()
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      return this.#problem(path, fileSystemFault(path, error))
    }
  }

  /** A parent that is no directory: nothing there is fine, but what lies behind a symlink must not pass for deleted. */
  async #unreached(path: string): Promise<string[]> {
    const [parent, name] = splitPath(path)
    const dir = await this.#deps.root.openDir(parent)
    if (dir === null) return parent === '' ? [] : this.#unreached(parent)
    try {
      const stat = await lstat(dir.at(name), { bigint: true })
      return stat.isFile() || stat.isDirectory() ? [] : this.#problem(path, notShared(path, kindOf(stat)))
    } catch (error) {
      if (isErrno(error, ...GONE)) return []
      throw error
    } finally {
      await dir.close()
    }
  }

  async #directory(path: string): Promise<string[]> {
    try {
      const dir = await this.#deps.root.openDir(path)
      if (dir === null) {
        // swapped or removed since its parent was read
        this.#entries.delete(path)
        return []
      }
      try {
        const names = await dir.names()
        const below = await mapLimit(names, PARALLEL_ENTRIES, (name) => this.#named(dir, path, name))
        this.#options.progress?.(this.#entries.size)
        return below.flat()
      } finally {
        await dir.close()
      }
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      // without its list nothing below it may be taken for deleted, hence a problem and not an empty directory
      this.#entries.delete(path)
      return this.#problem(path, fileSystemFault(path, error))
    }
  }

  async #named(dir: Dir, parent: string, bytes: Buffer): Promise<string[]> {
    const name = decodeName(bytes)
    const refusal = name === null ? null : (checkName(name) ?? checkPath(joinPath(parent, name)))
    if (name !== null && refusal === null) return this.#entry(dir, parent, name)
    const shown = joinPath(parent, showName(bytes))
    return this.#problem(shown, refusal ?? nameRefused(bytes, 'is not valid UTF-8'))
  }

  /** Takes one entry over; returns it when it is a directory to walk. */
  async #entry(dir: Dir, parent: string, name: string): Promise<string[]> {
    this.#options.signal?.throwIfAborted()
    const path = joinPath(parent, name)
    try {
      const stat = await lstat(dir.at(name), { bigint: true })
      if (this.#deps.rules.ignores(path, stat.isDirectory() ? 'dir' : 'file')) return []
      if (stat.isFile()) return await this.#file(dir.at(name), path, stat)
      if (!stat.isDirectory()) return this.#problem(path, notShared(path, kindOf(stat)))
      this.#entries.set(path, { path, kind: 'dir', inode: directoryInodeOf(stat) })
      return [path]
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (!isErrno(error, ...GONE)) return this.#problem(path, fileSystemFault(path, error))
      this.#deps.cache.delete(path)
      return []
    }
  }

  async #file(at: string, path: string, stat: BigIntStats): Promise<never[]> {
    const row = this.#deps.cache.get(path)
    // an empty file needs no second hash: its size says it all
    if (row !== undefined && rowMatches(row, stat) && !(row.recheck && this.#isFull && row.size > 0)) {
      return this.#take(path, stat, { hash: row.hash, size: row.size })
    }
    if (stat.size === 0n && this.#isYoung(stat)) {
      this.#deps.held(path)
      return this.#problem(path, changing(path, 'is empty so far; its content may be on the way', true))
    }
    const takenMs = this.#deps.clock.now()
    const hashed = await hashFile(at, this.#options.signal)
    if (hashed === 'changed') return this.#problem(path, changing(path, 'changed while it was read', false))
    if (hashed === 'other') return this.#problem(path, notShared(path, 'not a file any more'))
    if (!isRacy(hashed.stat, takenMs)) this.#deps.cache.set(path, rowOf(hashed.stat, hashed.body.hash, false))
    return this.#take(path, hashed.stat, hashed.body)
  }

  #take(path: string, stat: BigIntStats, body: BodyRef): never[] {
    this.#entries.set(path, { path, kind: 'file', body, exec: isExec(stat), inode: inodeOf(stat) })
    return []
  }

  #isYoung(stat: BigIntStats): boolean {
    const ageMs = this.#deps.clock.now() - Number(stat.ctimeNs / 1_000_000n)
    // a ctime in the future means that a clock was set: then age says nothing, and holding would last
    return ageMs >= 0 && ageMs < this.#emptySettleMs
  }

  #problem(path: string, error: GrapevineError): never[] {
    this.#problems.push({ path, error })
    return []
  }

  #isBelowProblem(path: string): boolean {
    return this.#problems.some((problem) => path === problem.path || path.startsWith(`${problem.path}/`))
  }
}

/** The name as text, or null when the bytes are not UTF-8. */
export function decodeName(bytes: Uint8Array): string | null {
  try {
    return STRICT_UTF8.decode(bytes)
  } catch {
    return null
  }
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function fileSystemFault(path: string, error: unknown): GrapevineError {
  return isErrno(error, 'ELOOP') ? notShared(path, 'a symbolic link') : unreadable(path, error)
}

function kindOf(stat: BigIntStats): string {
  if (stat.isSymbolicLink()) return 'a symbolic link'
  if (stat.isFIFO()) return 'a named pipe'
  if (stat.isSocket()) return 'a socket'
  return 'a device'
}

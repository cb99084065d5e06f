/**
 * One watch for each directory, by the operating system. A watch is set before its directory is read, so that whatever
 * the reading misses is noticed. Watches only say where to look: the scan is the truth.
 */
import { watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { isErrno, reasonOf } from '../../errors.js'
import type { Logger } from '../../runtime.js'
import { checkName } from '../names.js'
import { mapLimit } from './pool.js'
import { joinPath, type Root } from './root.js'
import type { Rules } from './rules.js'
import { decodeName } from './scan.js'

const PARALLEL_DIRS = 8

export interface WatchesDeps {
  readonly root: Root
  readonly rules: Rules
  readonly logger: Logger
  /** Something happened at a path; '' when it cannot be said where. */
  noticed(path: string): void
}

export class Watches {
  readonly #deps: WatchesDeps
  readonly #watches = new Map<string, FSWatcher>()
  #exhausted = false
  #stopped = false

  constructor(deps: WatchesDeps) {
    this.#deps = deps
  }

  /** False when the system refused watches: then changes in some directories are only found by scans. */
  get complete(): boolean {
    return !this.#exhausted
  }

  get size(): number {
    return this.#watches.size
  }

  /** Watches the directory and all below it, afresh: the name may belong to another directory by now. */
  async add(path: string): Promise<void> {
    this.drop(path)
    if (path === '') this.#exhausted = false
    for (let level = [path]; level.length > 0 && !this.#stopped;) {
      level = (await mapLimit(level, PARALLEL_DIRS, (below) => this.#addOne(below))).flat()
    }
  }

  /** Ends the watches of the directory and of all below it. */
  drop(path: string): void {
    // a plain file has no watch: most calls end here
    if (path !== '' && !this.#watches.has(path)) return
    for (const [watched, watcher] of this.#watches) {
      if (path !== '' && watched !== path && !watched.startsWith(`${path}/`)) continue
      watcher.close()
      this.#watches.delete(watched)
    }
  }

  stop(): void {
    this.#stopped = true
    this.drop('')
  }

  /** Watches one directory; returns the directories in it. */
  async #addOne(path: string): Promise<string[]> {
    try {
      const dir = await this.#deps.root.openDir(path)
      if (dir === null) return []
      try {
        if (!this.#stopped) this.#watch(path)
        const below: string[] = []
        for (const { name: bytes, kind } of await dir.kinds()) {
          const name = kind === 'dir' ? decodeName(bytes) : null
          if (name === null || checkName(name) !== null) continue
          if (!this.#deps.rules.ignores(joinPath(path, name), 'dir')) below.push(joinPath(path, name))
        }
        return below
      } finally {
        await dir.close()
      }
    } catch (error) {
      // the scan reports what cannot be read
      this.#deps.logger.debug('a directory could not be watched', { path, reason: reasonOf(error) })
      return []
    }
  }

  #watch(path: string): void {
    if (this.#exhausted || this.#watches.has(path)) return
    try {
      const watcher = watch(join(this.#deps.root.place, path), { encoding: 'buffer' }, (_event, name) =>
        this.#noticed(path, name)
      )
      watcher.on('error', (error) => this.#broken(path, watcher, error))
      this.#watches.set(path, watcher)
    } catch (error) {
      if (!isErrno(error, 'ENOSPC', 'EMFILE', 'ENFILE')) throw error
      this.#exhausted = true
      this.#deps.logger.warn(
        'the system has no more directory watches to give; changes are found by the periodic scan only',
        {
          watched: this.#watches.size,
          next: 'raise fs.inotify.max_user_watches and fs.inotify.max_user_instances, then restart'
        }
      )
    }
  }

  #noticed(path: string, bytes: Buffer | null): void {
    const name = bytes === null ? null : decodeName(bytes)
    // a name that cannot be one of ours is for the scan of its directory to report
    if (name === null || checkName(name) !== null) return this.#deps.noticed(path)
    const child = joinPath(path, name)
    if (!this.#deps.rules.ignores(child, 'file')) this.#deps.noticed(child)
  }

  #broken(path: string, watcher: FSWatcher, error: Error): void {
    this.#deps.logger.debug('a directory watch broke', { path, reason: reasonOf(error) })
    watcher.close()
    if (this.#watches.get(path) === watcher) this.#watches.delete(path)
    this.#deps.noticed('')
  }
}

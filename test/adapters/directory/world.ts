/** A real directory with an adapter on it, and a real clock. */
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createDirectoryAdapter,
  MemoryStatCache,
  type DirectoryAdapter,
  type DirectoryOptions,
  type WatchHint
} from '../../../src/adapters/index.js'
import { systemClock } from '../../../src/runtime-node.js'
import type { Facts, Logger } from '../../../src/runtime.js'
import type { AdapterUnderTest } from '../../contract/adapter.js'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly facts: Facts
}

export interface World extends AdapterUnderTest {
  readonly adapter: DirectoryAdapter
  readonly root: string
  readonly cache: CountingCache
  readonly hints: WatchHint[]
  readonly log: LogLine[]
  /** The absolute path of something in the target. */
  at(path: string): string
  /** Another adapter on the same directory, as after a restart. */
  again(options?: Partial<DirectoryOptions>): DirectoryAdapter
}

/** Counts how often a row was written, which happens only when a file was hashed or written. */
export class CountingCache extends MemoryStatCache {
  readonly written: string[] = []

  override set(...args: Parameters<MemoryStatCache['set']>): void {
    this.written.push(args[0])
    super.set(...args)
  }
}

export async function makeWorld(options: Partial<DirectoryOptions> = {}): Promise<World> {
  const base = await mkdtemp(join(tmpdir(), 'grapevine-test-'))
  const root = options.root ?? join(base, 'target')
  const outside = join(base, 'outside')
  await mkdir(root, { recursive: true })
  await mkdir(outside)
  const cache = new CountingCache()
  const log: LogLine[] = []
  const line =
    (level: string) =>
    (message: string, facts: Facts = {}) =>
      void log.push({ level, message, facts })
  const logger: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  const adapters: DirectoryAdapter[] = []
  const again = (more: Partial<DirectoryOptions> = {}) => {
    const adapter = createDirectoryAdapter(
      { clock: systemClock, logger, cache },
      { root, emptySettleMs: 60, ...options, ...more }
    )
    adapters.push(adapter)
    return adapter
  }
  const hints: WatchHint[] = []
  const adapter = again()
  adapter.onHint((hint) => hints.push(hint))
  const at = (path: string) => join(root, path)
  return {
    adapter,
    root,
    outside,
    cache,
    hints,
    log,
    at,
    again,
    async put(path, bytes, { exec = false } = {}) {
      await writeFile(at(path), bytes)
      await chmod(at(path), exec ? 0o755 : 0o644)
    },
    makeDir: (path) => mkdir(at(path)),
    remove: (path) => rm(at(path), { recursive: true }),
    rename: (from, to) => rename(at(from), at(to)),
    async bytesAt(path) {
      const stat = await lstat(at(path)).catch(() => null)
      if (!stat?.isFile()) return null
      return { bytes: await readFile(at(path)), exec: (stat.mode & 0o100) !== 0 }
    },
    async dispose() {
      for (const each of adapters) await each.stop()
      await rm(base, { recursive: true, force: true })
    }
  }
}

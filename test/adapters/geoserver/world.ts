/** A real data directory with an adapter on it, a home beside it, and a real clock. */
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  GeoServerAdapter,
  MemoryStatCache,
  MemoryTextMemory,
  MemoryTravelMemory,
  type GeoServerDeps,
  type GeoServerOptions,
  type WatchHint
} from '../../../src/adapters/index.js'
import { systemClock } from '../../../src/runtime-node.js'
import { silentLogger } from '../../../src/runtime.js'
import type { AdapterUnderTest } from '../../contract/adapter.js'

export interface World extends AdapterUnderTest {
  readonly adapter: GeoServerAdapter
  readonly root: string
  readonly hints: WatchHint[]
  /** Paths in the order in which they were put in place or hashed. */
  readonly written: string[]
  readonly environment: Record<string, string>
  readonly secretsFile: string
  readonly journalDir: string
  memory: MemoryTravelMemory
  /** Files in the order in which they were read for what they say. */
  readonly looked: string[]
  facts: MemoryTextMemory
  at(path: string): string
  /** The text of a file. */
  text(path: string): Promise<string>
  /** Writes a file and what it lies in, as another program would. */
  make(path: string, text: string): Promise<void>
  /** Another adapter on the same directory, as after a restart. */
  again(options?: Partial<GeoServerOptions>): GeoServerAdapter
}

export async function makeWorld(
  options: Partial<GeoServerOptions> = {},
  deps: Pick<GeoServerDeps, 'telling'> = {}
): Promise<World> {
  const base = await mkdtemp(join(tmpdir(), 'grapevine-geoserver-'))
  const [root, outside, home] = ['target', 'outside', 'home'].map((name) => join(base, name)) as [
    string,
    string,
    string
  ]
  for (const directory of [root, outside, home]) await mkdir(directory)
  const secretsFile = join(home, 'secrets.json')
  const journalDir = join(home, 'journal')
  const written: string[] = []
  const cache = new (class extends MemoryStatCache {
    override set(...args: Parameters<MemoryStatCache['set']>): void {
      written.push(args[0])
      super.set(...args)
    }
  })()
  const looked: string[] = []
  const facts = new (class extends MemoryTextMemory {
    override set(path: string, text: string): void {
      looked.push(path)
      super.set(path, text)
    }
  })()
  const environment: Record<string, string> = {}
  const adapters: GeoServerAdapter[] = []
  const at = (path: string): string => join(root, path)
  const world = {
    root,
    outside,
    written,
    hints: [] as WatchHint[],
    environment,
    secretsFile,
    journalDir,
    memory: new MemoryTravelMemory(),
    looked,
    facts,
    at,
    again: (more: Partial<GeoServerOptions> = {}): GeoServerAdapter => {
      const adapter = new GeoServerAdapter(
        {
          clock: systemClock,
          logger: silentLogger,
          cache,
          memory: world.memory,
          facts: world.facts,
          environment,
          ...deps
        },
        { root, emptySettleMs: 60, secretsFile, journalDir, ...options, ...more }
      )
      adapters.push(adapter)
      return adapter
    },
    text: (path: string) => readFile(at(path), 'utf8'),
    make: async (path: string, text: string) => {
      await mkdir(dirname(at(path)), { recursive: true })
      await writeFile(at(path), text)
    },
    put: async (path: string, bytes: Uint8Array | string, { exec = false } = {}) => {
      await writeFile(at(path), bytes)
      await chmod(at(path), exec ? 0o755 : 0o644)
    },
    makeDir: async (path: string) => void (await mkdir(at(path))),
    remove: (path: string) => rm(at(path), { recursive: true }),
    rename: (from: string, to: string) => rename(at(from), at(to)),
    bytesAt: async (path: string) => {
      const stat = await lstat(at(path)).catch(() => null)
      if (!stat?.isFile()) return null
      return { bytes: await readFile(at(path)), exec: (stat.mode & 0o100) !== 0 }
    },
    dispose: async () => {
      for (const each of adapters) await each.stop()
      await rm(base, { recursive: true, force: true })
    }
  }
  const adapter = world.again()
  adapter.onHint((hint) => world.hints.push(hint))
  return Object.assign(world, { adapter })
}

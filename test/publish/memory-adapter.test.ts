/** The adapter in memory keeps the contract: what passes with it is not owed to its kindness. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adapterContract } from '../contract/adapter.js'
import { MemoryAdapter } from './memory-adapter.js'

adapterContract('in memory', async () => {
  const adapter = new MemoryAdapter()
  const outside = await mkdtemp(join(tmpdir(), 'grapevine-outside-'))
  return {
    adapter,
    outside,
    put: async (path, bytes, options) => adapter.put(path, bytes, options),
    makeDir: async (path) => adapter.makeDir(path),
    remove: async (path) => adapter.remove(path),
    rename: async (from, to) => adapter.rename(from, to),
    bytesAt: async (path) => adapter.bytesAt(path),
    dispose: async () => {
      await adapter.stop()
      await rm(outside, { recursive: true, force: true })
    }
  }
})

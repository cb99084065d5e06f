import { rm } from 'node:fs/promises'
import { GrapevineError, diskError } from '../errors.js'
import { removeError } from './level-errors.js'
import { destroyDatabase, type LevelStoreOptions } from './database.js'
import { LevelStore } from './level.js'
import { storeState } from './open-state.js'
import { probeStore } from './probe.js'

export interface OpenedStore {
  readonly store: LevelStore
  /** `new` and `dropped` start empty: the caller rebuilds everything derived. `kept` holds what it held. */
  readonly found: 'new' | 'kept' | 'dropped'
  /** Why a store that was there had to be dropped. */
  readonly reason?: 'power-lost' | 'damaged'
}

export interface OpenStoreOptions extends LevelStoreOptions {
  /**
   * Every write of this store is made with `durable`, so a power cut takes nothing that was acknowledged: it is then
   * looked over like after a killed process, and kept.
   */
  readonly everyWriteDurable?: boolean
}

/**
 * Opens the index in the way that nothing in it can stop the daemon: what may have lost writes or does not read back
 * is dropped, and a child process is the first to open what was not closed properly. Throws `home-locked`,
 * `store-newer`, `disk-full`, `store-failed`; never `store-damaged`.
 */
export async function openStore(path: string, options: OpenStoreOptions = {}): Promise<OpenedStore> {
  const state = await storeState(path).catch((error: unknown) => {
    throw diskError(error, 'store-failed', 'The index cannot be opened', { path })
  })
  if (state === 'missing') return { store: await LevelStore.open(path, options), found: 'new' }
  const lossy = state === 'power-lost' && options.everyWriteDurable !== true
  if (lossy || state === 'damaged') return dropAndOpen(path, options, state)
  if (state !== 'clean' && (await probeStore(path)) === 'damaged') return dropAndOpen(path, options, 'damaged')
  try {
    return { store: await LevelStore.open(path, options), found: 'kept' }
  } catch (error) {
    if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
    return dropAndOpen(path, options, 'damaged')
  }
}

async function dropAndOpen(
  path: string,
  options: LevelStoreOptions,
  reason: 'power-lost' | 'damaged'
): Promise<OpenedStore> {
  await destroyStore(path)
  return { store: await LevelStore.open(path, options), found: 'dropped', reason }
}

/**
 * Removes the index with all of its files. Throws `home-locked` when a process has it open: LevelDB's own removal takes
 * its lock first, and reads nothing that could be damaged.
 */
export async function destroyStore(path: string): Promise<void> {
  try {
    await destroyDatabase(path)
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    throw removeError(error, path)
  }
}

/** Key-value storage for everything derived. Keys are text, values bytes. Nothing here is the truth: see log/. */
export interface Store {
  /** The value, or undefined. Synchronous on purpose: the fold reads many small rows. Throws `store-damaged`/`store-failed`. */
  get(key: string): Uint8Array | undefined
  /** The values of many keys, in their order, read off the main thread. Rejects with `store-damaged`/`store-failed`. */
  getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>>
  /** Writes all or nothing; null deletes. Later batches are never durable before earlier ones (see `durable`). */
  write(batch: ReadonlyMap<string, Uint8Array | null>, options?: { durable?: boolean }): Promise<void>
  /** Rows in key order within [gte, lt). */
  iterate(range: { gte: string; lt: string; reverse?: boolean; limit?: number }): AsyncIterable<[string, Uint8Array]>
  /** Gives back the room of rows that were deleted or replaced. Takes its time; absent where nothing is to be had by it. */
  shrink?(): Promise<void>
  close(): Promise<void>
}

/**
 * The range of all keys that start with `prefix`. Keys are ordered by their UTF-8 bytes, so the end is the highest
 * character there is: U+FFFF would leave out keys that go on with an emoji.
 */
export function prefixRange(prefix: string): { gte: string; lt: string } {
  return { gte: prefix, lt: prefix + '\u{10ffff}' }
}

export { Overlay, type HeldRow } from './overlay.js'
export { MemoryStore } from './memory.js'
export { LevelStore } from './level.js'
export type { LevelStoreOptions } from './level.js'
export { openStore, destroyStore } from './open-store.js'
export type { OpenedStore, OpenStoreOptions } from './open-store.js'
export { probeStore } from './probe.js'
export { storeState } from './open-state.js'
export type { OpenState, StoreState } from './open-state.js'

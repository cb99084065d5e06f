/** Key-value storage for everything derived. Keys are text, values bytes. Nothing here is the truth: see log/. */
export interface Store {
  /** The value, or undefined. Synchronous on purpose: the fold reads many small rows. Throws `store-damaged`/`store-failed`. */
  get(key: string): Uint8Array | undefined
  /** Writes all or nothing; null deletes. Later batches are never durable before earlier ones (see `durable`). */
  write(batch: ReadonlyMap<string, Uint8Array | null>, options?: { durable?: boolean }): Promise<void>
  /** Rows in key order within [gte, lt). */
  iterate(range: { gte: string; lt: string; reverse?: boolean; limit?: number }): AsyncIterable<[string, Uint8Array]>
  close(): Promise<void>
}

/** The range of all keys that start with `prefix`. */
export function prefixRange(prefix: string): { gte: string; lt: string } {
  return { gte: prefix, lt: prefix + '\uffff' }
}

export { Overlay } from './overlay.js'
export { MemoryStore } from './memory.js'
export { LevelStore } from './level.js'
export type { LevelStoreOptions } from './level.js'

import { Level } from 'level'
import { statSync } from 'node:fs'
import { readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { GrapevineError } from '../errors.js'
import { MAX_KEY_BYTES } from './keys.js'
import { readError } from './level-errors.js'

export type Database = Level<string, Uint8Array>

/** On Node `Level` is classic-level's class; its types name only what browsers have too. */
const OnNode = Level as unknown as { destroy(path: string): Promise<void> }

/** Removes a database with LevelDB's own means: it takes the lock first and reads nothing that could be damaged. */
export function destroyDatabase(path: string): Promise<void> {
  return OnNode.destroy(path)
}

/** Writes every table anew without what was deleted or replaced; runs in a thread of its own. */
export async function shrinkDatabase(database: Database): Promise<void> {
  const onNode = database as unknown as { compactRange(start: string, end: string): Promise<void> }
  await onNode.compactRange('', '\u{10ffff}')
}

/** Bytes LevelDB holds in memory: its cache of blocks, and what is in no table yet. */
export function memoryOf(database: Database): number {
  const onNode = database as unknown as { getProperty(name: string): string }
  return Number(onNode.getProperty('leveldb.approximate-memory-usage'))
}

/** How many files a database has, and their bytes. One that a compaction removes meanwhile counts as empty. */
export async function filesOf(path: string): Promise<{ files: number; bytes: number }> {
  const sizes = (await readdir(path)).map((name) => statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0)
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

export interface LevelStoreOptions {
  /** LevelDB's cache of uncompressed blocks, bytes. Default 16 MiB: the rows of a few ten thousand live entries. */
  readonly cacheBytes?: number
  /**
   * Bytes LevelDB gathers in memory before it makes a table of them (up to two such buffers exist). Default 8 MiB: fewer
   * compactions in a burst than its own 4 MiB, still a short recovery.
   */
  readonly writeBufferBytes?: number
}

/**
 * Tables (2 MiB each) open at once. LevelDB maps what it opens into memory and keeps all of it, which with a million entries
 * is 1 GiB of a process that needs a tenth; opening one again costs little. It takes ten files for other things, and does
 * not go below this.
 */
export const MAX_OPEN_TABLES = 64
const OTHER_OPEN_FILES = 10

export const DEFAULT_CACHE_BYTES = 16 * 1024 * 1024
export const DEFAULT_WRITE_BUFFER_BYTES = 8 * 1024 * 1024

/** Opens LevelDB; `create` makes the database when there is none. Throws `home-locked`, `store-damaged`, ... */
export async function openDatabase(path: string, options: LevelStoreOptions, create: boolean): Promise<Database> {
  const database: Database = new Level<string, Uint8Array>(path, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    createIfMissing: create,
    cacheSize: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
    writeBufferSize: options.writeBufferBytes ?? DEFAULT_WRITE_BUFFER_BYTES,
    maxOpenFiles: MAX_OPEN_TABLES + OTHER_OPEN_FILES
  })
  try {
    await database.open()
    reserveKeyBuffer(database)
  } catch (error) {
    await database.close().catch(() => undefined)
    throw readError(error, 'The index cannot be opened', { path })
  }
  return database
}

/**
 * classic-level 3.0.0 writes the key of a synchronous read into a buffer sized by the first key, and grows it only when
 * a key fills it exactly; a longer key that ends in a multi-byte character is cut short instead, and another key is
 * read without an error. Reading one key of the greatest length first makes the buffer large enough for all.
 */
function reserveKeyBuffer(database: Database): void {
  database.getSync('k'.repeat(MAX_KEY_BYTES))
}

/**
 * Refuses when the file system has too little space for LevelDB to open and to go on writing: recovering writes the
 * whole log out as tables before it takes anything new.
 */
export async function assertSpace(path: string, options: LevelStoreOptions): Promise<void> {
  const neededBytes = (options.writeBufferBytes ?? DEFAULT_WRITE_BUFFER_BYTES) * 2
  const { bavail, bsize } = await statfs(path)
  const freeBytes = bavail * bsize
  if (freeBytes >= neededBytes) return
  throw new GrapevineError('disk-full', 'The index needs more space than there is', {
    next: 'free space on that file system; the daemon goes on by itself',
    facts: { path, freeBytes, neededBytes }
  })
}

import { GrapevineError, diskError } from '../errors.js'
import {
  assertSpace,
  filesOf,
  memoryOf,
  openDatabase,
  shrinkDatabase,
  type Database,
  type LevelStoreOptions
} from './database.js'
import type { Store } from './index.js'
import { RESERVED_PREFIX, assertWritableKey, isReservedKey } from './keys.js'
import { damagedError, levelError, readError } from './level-errors.js'
import { migrate } from './migrations/index.js'
import { markClosed, markOpen, storeState, type OpenState } from './open-state.js'
import { decodeRow, encodeRow } from './rows.js'
import { WriteQueue, type Operation } from './write-queue.js'

export type { LevelStoreOptions } from './database.js'

/** Rows fetched from LevelDB at once while iterating, and their bytes: bounds memory whatever the range. */
const ITERATE_ROWS = 1_000
const ITERATE_BYTES = 256 * 1024

/** The row a durable batch without changes writes, so that the sync it stands for takes place. */
const BARRIER_KEY = `${RESERVED_PREFIX}barrier`

/**
 * A store on LevelDB. LevelDB promises less than it seems to, so: every value carries a checksum, writes are kept in
 * call order, a failed write stops all later ones until `reopen()`, and a marker tells how the last use ended.
 */
export class LevelStore implements Store {
  /** How the use before this one ended. After `power-lost` the caller drops and rebuilds the index. */
  readonly openState: OpenState
  readonly #path: string
  readonly #options: LevelStoreOptions
  readonly #writes: WriteQueue
  #database: Database
  #reopening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  private constructor(path: string, options: LevelStoreOptions, database: Database, openState: OpenState) {
    this.openState = openState
    this.#path = path
    this.#options = options
    this.#database = database
    this.#writes = new WriteQueue({ write: (operations, sync) => this.#writeBatch(operations, sync) })
  }

  /**
   * Opens the store in directory `path`, creating it when missing. Throws `home-locked`, `store-damaged`,
   * `store-newer`, `disk-full` or `store-failed`. See `openStore` for the way that survives a damaged one.
   */
  static async open(path: string, options: LevelStoreOptions = {}): Promise<LevelStore> {
    const openState = await takeOver(path)
    const database = await openDatabase(path, options, true)
    try {
      await migrate(database)
    } catch (error) {
      await database.close()
      throw readError(error, 'The index cannot be read')
    }
    return new LevelStore(path, options, database, openState)
  }

  get(key: string): Uint8Array | undefined {
    let row: Uint8Array | undefined
    try {
      row = this.#database.getSync(key)
    } catch (error) {
      throw this.#readError(error, { key })
    }
    return row === undefined ? undefined : decodeRow(key, row)
  }

  async getMany(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    let rows: Array<Uint8Array | undefined>
    try {
      rows = await this.#database.getMany([...keys])
    } catch (error) {
      throw this.#readError(error, { keys: keys.length })
    }
    return rows.map((row, at) => (row === undefined ? undefined : decodeRow(keys[at]!, row)))
  }

  async write(batch: ReadonlyMap<string, Uint8Array | null>, options: { durable?: boolean } = {}): Promise<void> {
    if (this.#closing !== undefined) throw closedError()
    const durable = options.durable === true
    const operations: Operation[] = []
    for (const [key, value] of batch) {
      assertWritableKey(key)
      operations.push(value === null ? { type: 'del', key } : { type: 'put', key, value: encodeRow(key, value) })
    }
    if (operations.length === 0) {
      if (!durable) return
      operations.push({ type: 'put', key: BARRIER_KEY, value: encodeRow(BARRIER_KEY, new Uint8Array()) })
    }
    await this.#writes.push(operations, durable)
  }

  async *iterate(range: {
    gte: string
    lt: string
    reverse?: boolean
    limit?: number
  }): AsyncGenerator<[string, Uint8Array]> {
    const { gte, lt, reverse = false } = range
    let left = range.limit ?? Number.POSITIVE_INFINITY
    if (left <= 0) return
    const failed = (error: unknown) => this.#readError(error, { gte, lt })
    let iterator
    try {
      iterator = this.#database.iterator({ gte, lt, reverse, highWaterMarkBytes: ITERATE_BYTES })
    } catch (error) {
      throw failed(error)
    }
    try {
      for (;;) {
        const rows = await iterator.nextv(ITERATE_ROWS).catch((error: unknown) => Promise.reject(failed(error)))
        if (rows.length === 0) return
        for (const [key, row] of rows) {
          if (isReservedKey(key)) continue
          yield [key, decodeRow(key, row)]
          if (--left <= 0) return
        }
      }
    } finally {
      await iterator.close()
    }
  }

  /** Files of the database, and what it holds in memory (caches and what is not in a table yet). Bytes. */
  async stats(): Promise<{ files: number; bytes: number; memoryBytes: number }> {
    return { ...(await filesOf(this.#path)), memoryBytes: memoryOf(this.#database) }
  }

  async shrink(): Promise<void> {
    if (this.#closing !== undefined) return
    try {
      await shrinkDatabase(this.#database)
    } catch (error) {
      throw levelError(error, 'The index could not be made smaller')
    }
  }

  /** Why writes are refused at present, if they are. */
  get failure(): GrapevineError | undefined {
    return this.#writes.failure
  }

  /**
   * Makes writing possible again after a failed write: closes the database and opens it anew, as LevelDB demands. Does
   * nothing while writes work. Refuses with `disk-full` and leaves reads working while there is too little space.
   */
  reopen(): Promise<void> {
    this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined))
    return this.#reopening
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** A database that could not be opened again is closed because of that failure, not because we stop. */
  #readError(error: unknown, facts: Readonly<Record<string, unknown>>): GrapevineError {
    const problem = readError(error, 'The index cannot be read', facts)
    return problem.code === 'stopped' ? (this.#writes.failure ?? problem) : problem
  }

  async #writeBatch(operations: Operation[], sync: boolean): Promise<void> {
    try {
      // a chained batch costs a third of an array of operations
      const batch = this.#database.batch()
      for (const operation of operations) {
        if (operation.type === 'del') batch.del(operation.key)
        else batch.put(operation.key, operation.value)
      }
      await batch.write({ sync })
    } catch (error) {
      throw levelError(error, 'Writing the index failed', { operations: operations.length })
    }
  }

  async #reopen(): Promise<void> {
    if (this.#closing !== undefined) throw closedError()
    if (this.#writes.failure === undefined) return
    try {
      await assertSpace(this.#path, this.#options)
      await this.#database.close()
    } catch (error) {
      throw diskError(error, 'store-failed', 'The index cannot be reopened', { path: this.#path })
    }
    this.#database = await openDatabase(this.#path, this.#options, false)
    this.#writes.resume()
  }

  async #close(): Promise<void> {
    await this.#reopening?.catch(() => {})
    await this.#writes.idle()
    // After a failed write the marker stays: the next start looks the database over before it trusts it.
    const clean = this.#writes.failure === undefined
    try {
      await this.#database.close()
      if (clean) await markClosed(this.#path)
    } catch (error) {
      throw levelError(error, 'The index cannot be closed', { path: this.#path })
    }
  }
}

/** Reads how the last use ended and marks the directory as in use, before LevelDB touches it. */
async function takeOver(path: string): Promise<OpenState> {
  try {
    const found = await storeState(path)
    if (found === 'damaged') {
      throw damagedError('The files of the index are not those it was closed with', { path })
    }
    await markOpen(path, found)
    return found === 'missing' ? 'clean' : found
  } catch (error) {
    throw diskError(error, 'store-failed', 'The index cannot be opened', { path })
  }
}

function closedError(): GrapevineError {
  return new GrapevineError('stopped', 'The index is closed', { next: 'start the daemon again' })
}

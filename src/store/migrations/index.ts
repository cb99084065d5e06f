import { GrapevineError } from '../../errors.js'
import type { Database } from '../database.js'
import { RESERVED_PREFIX } from '../keys.js'
import { damagedError } from '../level-errors.js'
import { decodeRow, encodeRow } from '../rows.js'
import { checksummedRows } from './0001-checksummed-rows.js'

/** One step of the stored format. `run` may be repeated after a crash and must then come to the same result. */
export interface Migration {
  /** The version that the database has once this has run. */
  readonly version: number
  run(database: Database): Promise<void>
}

/** In order, without gaps. README.md of store/ says how to add one. */
export const MIGRATIONS: readonly Migration[] = [checksummedRows]

const VERSION_KEY = `${RESERVED_PREFIX}version`

/** Brings a database to the newest version, one durable step at a time. An empty one starts at version 0. */
export async function migrate(database: Database, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const newest = migrations.at(-1)!.version
  const found = await readVersion(database)
  if (found > newest) {
    throw new GrapevineError('store-newer', `The index has format ${found}, this grapevine knows up to ${newest}`, {
      next: 'run the newer grapevine again, or delete the index: it is rebuilt from the log',
      facts: { found, newest }
    })
  }
  for (const migration of migrations) {
    if (migration.version <= found) continue
    await migration.run(database)
    await writeVersion(database, migration.version)
  }
}

async function readVersion(database: Database): Promise<number> {
  const row = await database.get(VERSION_KEY)
  if (row !== undefined) {
    const text = Buffer.from(decodeRow(VERSION_KEY, row)).toString()
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  } else if ((await database.keys({ limit: 1 }).all()).length === 0) {
    return 0
  }
  throw damagedError('The index does not say which format it has', { key: VERSION_KEY })
}

async function writeVersion(database: Database, version: number): Promise<void> {
  await database.put(VERSION_KEY, encodeRow(VERSION_KEY, Buffer.from(String(version))), { sync: true })
}

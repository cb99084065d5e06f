import { Level } from 'level'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { openDatabase, type Database } from '../../src/store/database.js'
import { LevelStore } from '../../src/store/index.js'
import { MIGRATIONS, migrate, type Migration } from '../../src/store/migrations/index.js'
import { encodeRow } from '../../src/store/rows.js'
import { temporaryDirectory } from './temporary.js'

describe('the version of the stored format', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let path: string
  let database: Database
  beforeEach(async () => {
    directory = await temporaryDirectory()
    path = join(directory.path, 'index')
    database = await openDatabase(path, {}, true)
  })
  afterEach(async () => {
    await database.close()
    await directory.remove()
  })

  test('versions are numbered from 1 without gaps', () => {
    assert.deepEqual(
      MIGRATIONS.map((migration) => migration.version),
      MIGRATIONS.map((_, at) => at + 1)
    )
  })

  test('every step above the version found runs once, in order', async () => {
    const ran: number[] = []
    const step = (version: number): Migration => ({ version, run: async () => void ran.push(version) })
    await migrate(database, [step(1), step(2)])
    await migrate(database, [step(1), step(2), step(3)])
    await migrate(database, [step(1), step(2), step(3)])
    assert.deepEqual(ran, [1, 2, 3])
  })

  test('a step that fails runs again at the next opening', async () => {
    let fails = true
    let ran = 0
    const step: Migration = {
      version: 1,
      run: async () => {
        ran += 1
        if (fails) throw new Error('cut off')
      }
    }
    await assert.rejects(migrate(database, [step]), /cut off/)
    fails = false
    await migrate(database, [step])
    assert.equal(ran, 2)
  })

  test('a version newer than this program is refused by name, and the index stays as it is', async () => {
    await database.put('!store/version', encodeRow('!store/version', Buffer.from('2')))
    await database.close()
    await assert.rejects(LevelStore.open(path), { code: 'store-newer', facts: { found: 2, newest: 1 } })
    database = await openDatabase(path, {}, false)
    assert.ok(await database.get('!store/version'))
  })

  test('rows without a version, or a version that is no number, are damage', async () => {
    await database.put('a', encodeRow('a', Buffer.from('x')))
    await assert.rejects(migrate(database), { code: 'store-damaged' })
    await database.put('!store/version', encodeRow('!store/version', Buffer.from('one')))
    await assert.rejects(migrate(database), { code: 'store-damaged' })
    await database.put('!store/version', Buffer.from('no checksum'))
    await assert.rejects(migrate(database), { code: 'store-damaged' })
  })

  test('a database of some other program is refused', async () => {
    await database.close()
    const foreign = new Level(join(directory.path, 'foreign'))
    await foreign.put('theirs', 'value')
    await foreign.close()
    await assert.rejects(LevelStore.open(join(directory.path, 'foreign')), { code: 'store-damaged' })
  })
})

/** The segment log when reading or closing its files fails. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { diskFailure, SimDisk } from '../sim/disk.js'
import type { Disk, DiskFile } from '../../src/runtime.js'
import { contents, openLog, payload, textOf } from './segments-world.js'

describe('a log whose files cannot be read for a moment', () => {
  test('says so to whoever reads, and reads again afterwards', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    const [at] = await log.append([payload('one')])
    disk.failNext('read')
    assert.throws(() => log.read(at!), { code: 'store-failed' })
    assert.equal(textOf(log.read(at!)), 'one')
  })

  test('opens when only the head of a segment does not read at first', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    await log.append([payload('one')])
    await log.close()
    disk.failNext('read')
    assert.deepEqual(await contents(await openLog(disk)), ['one'])
  })
})

test('a log that is closed while it is being reopened in vain closes', async () => {
  const disk = new SimDisk()
  const log = await openLog(disk)
  disk.failNext('sync')
  await assert.rejects(log.append([payload('one')]))
  disk.failNext('open')
  const reopened = assert.rejects(log.reopen(), { code: 'store-failed' })
  await log.close()
  await reopened
})

test('a file that fails to close keeps no other from being closed', async () => {
  const closes: string[] = []
  const disk = new SimDisk()
  const stubborn: Disk = {
    list: () => disk.list(),
    remove: (name) => disk.remove(name),
    open: async (name) => {
      const file = await disk.open(name)
      const close = (): Promise<void> => {
        closes.push(name)
        return Promise.reject(diskFailure('EIO', 'input/output error'))
      }
      return new Proxy<DiskFile>(file, {
        get: (of, key) => {
          if (key === 'close') return close
          const value: unknown = Reflect.get(of, key, of)
          return typeof value === 'function' ? (value.bind(of) as unknown) : value
        }
      })
    }
  }
  const log = await openLog(stubborn, { maxSegmentBytes: 40 })
  for (const text of ['one, which is long', 'two, which is long']) await log.append([payload(text)])
  await log.close()
  assert.ok(closes.length >= 2)
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { NodeDisk } from '../../src/runtime-node.js'
import { SimDisk, diskFailure } from '../sim/disk.js'
import { temporaryDirectory } from '../store/temporary.js'
import { FIRST, contents, openLog, payload, seeded, textOf } from './segments-world.js'

const NO_SPACE = diskFailure('ENOSPC', 'no space left on device')

describe('a failed sync', () => {
  test('refuses that append and all later ones, while reads go on', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    const [at] = await log.append([payload('one')])
    disk.failNext('sync')
    const refused = [log.append([payload('two')]), log.append([payload('three')])]
    for (const append of refused) await assert.rejects(append, { code: 'store-failed' })
    await assert.rejects(log.append([payload('four')]), { code: 'store-failed' })
    assert.equal(log.failure?.code, 'store-failed')
    assert.equal(textOf(log.read(at!)), 'one')
    assert.deepEqual(await contents(log), ['one'])
  })

  test('leaves nothing of the refused append, neither after a restart nor after reopening', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    await log.append([payload('one')])
    disk.failNext('sync')
    await assert.rejects(log.append([payload('two')]))
    disk.kill()
    assert.deepEqual(await contents(await openLog(disk)), ['one'])
  })

  test('is over after reopening, and what is appended then survives a power cut', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    const [at] = await log.append([payload('one')])
    disk.failNext('sync')
    // The cut after the failed sync fails as well, so that reopening has to do it.
    disk.failNext('truncate')
    await assert.rejects(log.append([payload('two')]))
    await log.reopen()
    assert.equal(log.failure, undefined)
    await log.append([payload('three')])
    assert.equal(textOf(log.read(at!)), 'one')
    assert.deepEqual(await contents(log), ['one', 'three'])
    disk.crash(seeded(1))
    assert.deepEqual(await contents(await openLog(disk)), ['one', 'three'])
  })

  test('takes nothing with it that was durable and has rotted since: that stays as damage, and the log goes on behind it', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    const places = await log.append([payload('one'), payload('two')])
    const { segment, offset } = places[1]!
    disk.damage(FIRST, offset + 13, Uint8Array.of(0))
    disk.failNext('sync')
    await assert.rejects(log.append([payload('three')]))
    await log.reopen()
    await log.append([payload('four')])
    const again = await openLog(disk)
    const found = []
    for await (const scanned of again.scan())
      found.push('at' in scanned ? textOf(scanned.bytes) : scanned.damaged.offset)
    assert.equal(segment, 1)
    assert.deepEqual(found, ['one', offset, 'four'])
  })

  test('stays when reopening fails too, and can be ended later', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    const [at] = await log.append([payload('one')])
    disk.failNext('sync')
    await assert.rejects(log.append([payload('two')]))
    disk.failNext('open')
    await assert.rejects(log.reopen(), { code: 'store-failed' })
    assert.equal(textOf(log.read(at!)), 'one')
    disk.failNext('sync')
    await assert.rejects(log.reopen(), { code: 'store-failed' })
    await assert.rejects(log.append([payload('two')]), { code: 'store-failed' })
    await Promise.all([log.reopen(), log.reopen()])
    await log.append([payload('three')])
    assert.deepEqual(await contents(log), ['one', 'three'])
  })

  test('that says the disk is full is told as such', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    disk.failNext('sync', NO_SPACE)
    await assert.rejects(log.append([payload('one')]), { code: 'disk-full' })
    await assert.rejects(log.append([payload('two')]), { code: 'disk-full' })
    await log.reopen()
    await log.append([payload('three')])
    assert.deepEqual(await contents(log), ['three'])
  })
})

describe('a failed write', () => {
  test('on a full disk acknowledges nothing and leaves nothing; appends succeed once there is space', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    await log.append([payload('one')])
    const { end } = log
    disk.capacityBytes = end.offset + 30
    await assert.rejects(log.append([payload('two'), payload('x'.repeat(100))]), { code: 'disk-full' })
    assert.equal(log.failure, undefined)
    assert.equal(disk.contentOf(FIRST).length, end.offset)
    await log.append([payload('small')])
    disk.capacityBytes = Number.POSITIVE_INFINITY
    await log.append([payload('three')])
    assert.deepEqual(await contents(log), ['one', 'small', 'three'])
  })

  test('whose rest cannot be cut off stops the log until it is reopened', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    await log.append([payload('one')])
    disk.failNext('append', NO_SPACE)
    disk.failNext('truncate')
    await assert.rejects(log.append([payload('two')]), { code: 'disk-full' })
    await assert.rejects(log.append([payload('three')]), { code: 'disk-full' })
    assert.deepEqual(await contents(log), ['one'])
    await log.reopen()
    await log.append([payload('four')])
    assert.deepEqual(await contents(log), ['one', 'four'])
  })

  test('for any other reason stops the log until it is reopened', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk)
    disk.failNext('append')
    await assert.rejects(log.append([payload('one')]), { code: 'store-failed' })
    await assert.rejects(log.append([payload('two')]), { code: 'store-failed' })
    await log.reopen()
    await log.append([payload('three')])
    assert.deepEqual(await contents(log), ['three'])
  })

  test('while a segment is begun leaves the log usable', async () => {
    const disk = new SimDisk()
    const log = await openLog(disk, { maxSegmentBytes: 40 })
    await log.append([payload('one')])
    disk.failNext('open', NO_SPACE)
    await assert.rejects(log.append([payload('two, which is long')]), { code: 'disk-full' })
    disk.failNext('append', NO_SPACE)
    await assert.rejects(log.append([payload('two, which is long')]), { code: 'disk-full' })
    await log.append([payload('three, which is long')])
    assert.deepEqual(await contents(log), ['one', 'three, which is long'])
    await log.close()
    assert.deepEqual(await contents(await openLog(disk)), ['one', 'three, which is long'])
  })

  test('of the very first bytes leaves a log that can be opened', async () => {
    const disk = new SimDisk()
    disk.failNext('open', NO_SPACE)
    await assert.rejects(openLog(disk), { code: 'disk-full' })
    const log = await openLog(disk)
    await log.append([payload('one')])
    assert.deepEqual(await contents(log), ['one'])
  })
})

test('a real full disk refuses appends without a trace, and takes them again once there is space', async (t) => {
  const directory = await temporaryDirectory()
  let mounted = false
  t.after(async () => {
    if (mounted) execFileSync('umount', ['-l', directory.path])
    await directory.remove()
  })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'grapevine-test', directory.path], { stdio: 'ignore' })
    mounted = true
  } catch {
    return t.skip('mounting a small file system is not allowed here')
  }
  const log = await openLog(new NodeDisk(join(directory.path, 'log')))
  await writeFile(join(directory.path, 'ballast'), randomBytes(900 * 1024))
  await log.append([payload('one')])
  await assert.rejects(log.append([randomBytes(300 * 1024)]), { code: 'disk-full' })
  assert.equal(log.failure, undefined)
  await log.append([payload('two')])
  await rm(join(directory.path, 'ballast'))
  const [at] = await log.append([randomBytes(300 * 1024)])
  assert.equal(log.read(at!).length, 300 * 1024)
  assert.equal((await contents(log)).length, 3)
  await log.close()
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../log/segments-world.js'
import { SimDisk } from './disk.js'

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value)

test('bytes appended but not synced may be lost whole, in part, or be zeros or garbage; synced ones never', async () => {
  const left = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) {
    const disk = new SimDisk()
    const file = await disk.open('a')
    await file.append(bytes(10))
    await file.sync()
    await file.append(bytes(10, 2))
    disk.crash(seeded(seed))
    const content = disk.contentOf('a')
    assert.deepEqual(content.slice(0, 10), bytes(10))
    assert.equal(disk.durableBytesOf('a'), content.length)
    const rest = new Set(content.slice(10))
    rest.delete(2)
    if (rest.size > 0) left.add(rest.size === 1 && rest.has(0) ? 'zeros' : 'garbage')
    else left.add(content.length === 10 ? 'none' : content.length === 20 ? 'all' : 'part')
  }
  assert.deepEqual([...left].sort(), ['all', 'garbage', 'none', 'part', 'zeros'])
})

test('the same seed leaves the same bytes', async () => {
  const run = async (): Promise<Uint8Array> => {
    const disk = new SimDisk()
    await (await disk.open('a')).append(bytes(1_000))
    disk.crash(seeded(7))
    return disk.contentOf('a')
  }
  assert.deepEqual(await run(), await run())
})

test('a killed process loses no bytes', async () => {
  const disk = new SimDisk()
  await (await disk.open('a')).append(bytes(10))
  disk.kill()
  assert.deepEqual(disk.contentOf('a'), bytes(10))
})

test('after a crash the process that was there can do nothing any more', async () => {
  const disk = new SimDisk()
  const mounted = disk.mount()
  const file = await mounted.open('a')
  disk.kill()
  await assert.rejects(file.append(bytes(1)), { code: 'EBADF' })
  await assert.rejects(file.sync(), { code: 'EBADF' })
  await assert.rejects(file.truncate(0), { code: 'EBADF' })
  assert.throws(() => file.read(0, 1), { code: 'EBADF' })
  await assert.rejects(mounted.open('b'), { code: 'EBADF' })
  await assert.rejects(mounted.list(), { code: 'EBADF' })
  await assert.rejects(mounted.remove('a'), { code: 'EBADF' })
  assert.deepEqual(await disk.mount().list(), ['a'])
})

test('a file whose creation was not awaited may be gone after a power cut', async () => {
  const left = new Set<number>()
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new SimDisk()
    disk.open('a').catch(() => {})
    disk.crash(seeded(seed))
    left.add((await disk.list()).length)
  }
  assert.deepEqual([...left].sort(), [0, 1])
})

test('bytes a failed sync dropped do not come back by a later one that succeeds', async () => {
  const disk = new SimDisk()
  const file = await disk.open('a')
  await file.append(bytes(4))
  disk.failNext('sync')
  await assert.rejects(file.sync(), { code: 'EIO' })
  await file.append(bytes(4))
  await file.sync()
  assert.deepEqual(file.read(0, 8), bytes(8))
  disk.crash(seeded(1))
  assert.deepEqual([...disk.contentOf('a')], [0, 0, 0, 0, 1, 1, 1, 1])
})

test('an append that fails leaves a part of itself, and one beyond the capacity what fits', async () => {
  const disk = new SimDisk()
  const file = await disk.open('a')
  disk.failNext('append')
  await assert.rejects(file.append(bytes(10)), { code: 'EIO' })
  assert.equal(file.size, 5)
  disk.capacityBytes = 8
  await assert.rejects(file.append(bytes(10)), { code: 'ENOSPC' })
  assert.equal(file.size, 8)
  await file.truncate(2)
  await file.append(bytes(6))
  assert.equal(file.size, 8)
})

import assert from 'node:assert/strict'
import type { BigIntStats } from 'node:fs'
import { lstat, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, test } from 'node:test'
import {
  directoryInodeOf,
  isRacy,
  MemoryStatCache,
  rowMatches,
  rowOf
} from '../../../src/adapters/directory/stat-cache.js'
import { makeWorld, type World } from './world.js'

const MS = 1_000_000n

describe('a remembered stat', () => {
  let world: World
  let stat: BigIntStats

  beforeEach(async () => {
    world = await makeWorld()
    await writeFile(world.at('a'), 'content')
    stat = await lstat(world.at('a'), { bigint: true })
  })
  afterEach(() => world.dispose())

  const changed = (change: Partial<BigIntStats>): BigIntStats =>
    Object.assign(Object.create(Object.getPrototypeOf(stat)), stat, change)

  test('stands for the file only while every part of it is the same', () => {
    const row = rowOf(stat, 'hash', false)
    assert.ok(rowMatches(row, stat))
    for (const part of ['size', 'mtimeNs', 'ctimeNs', 'ino', 'dev'] as const) {
      assert.ok(!rowMatches(row, changed({ [part]: stat[part] + 1n })), part)
    }
  })

  test('tells a directory from one that had its inode before, where the file system knows when it was made', () => {
    const born = (birthtimeNs: bigint): string => directoryInodeOf(changed({ birthtimeNs }))
    assert.equal(born(7n), born(7n))
    assert.notEqual(born(7n), born(8n))
    assert.equal(born(0n), `${stat.dev}:${stat.ino}`)
  })

  test('is not trusted when it was taken within the tick of the last change', () => {
    const at = (mtimeNs: bigint, ctimeNs: bigint, takenMs: number) => isRacy(changed({ mtimeNs, ctimeNs }), takenMs)
    const base = 1_700_000_000_001n * MS
    assert.ok(at(base, base, 1_700_000_000_001))
    assert.ok(at(base + 1n, base, 1_700_000_000_021))
    assert.ok(!at(base, base, 1_700_000_000_021))
    // a program may set the mtime back, but never the ctime
    assert.ok(at(base - 10_000n * MS, base + 1n, 1_700_000_000_021))
    // a clock that was set back
    assert.ok(at(base, base, 1_600_000_000_000))
  })

  test('is not trusted for two seconds where times are kept in whole seconds', () => {
    const second = 1_700_000_000_000n * MS
    const at = (takenMs: number) => isRacy(changed({ mtimeNs: second, ctimeNs: second }), takenMs)
    assert.ok(at(1_700_000_001_999))
    assert.ok(!at(1_700_000_002_000))
  })

  test('may be forgotten for all paths that are gone', () => {
    const cache = new MemoryStatCache()
    for (const path of ['a', 'b']) cache.set(path, rowOf(stat, 'hash', false))
    cache.retain((path) => path === 'b')
    assert.deepEqual([cache.get('a'), cache.get('b')?.hash], [undefined, 'hash'])
  })
})

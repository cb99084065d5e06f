import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { LevelStore } from '../../src/store/index.js'
import { bytes } from '../contract/store.js'
import { mountSmall } from '../small-fs.js'
import { temporaryDirectory } from './temporary.js'

test('on a full disk writes are refused as disk-full, reads go on, and writing resumes once there is space', async (t) => {
  const directory = await temporaryDirectory()
  const root = directory.path
  const small = mountSmall(root, '6m')
  t.after(async () => {
    small?.unmount()
    await directory.remove()
  })
  if (small === undefined) return t.skip('mounting a small file system is not allowed here')
  const options = { writeBufferBytes: 256 * 1024 }
  const store = await LevelStore.open(join(root, 'index'), options)
  await writeFile(join(root, 'ballast'), randomBytes(4 * 1024 * 1024))
  await store.write(new Map([['first', bytes(1)]]))

  let written = 0
  let refusal: unknown
  while (refusal === undefined) {
    try {
      await store.write(new Map([[`fill/${written}`, randomBytes(32 * 1024)]]), { durable: true })
      written += 1
    } catch (error) {
      refusal = error
    }
  }
  assert.ok(refusal instanceof GrapevineError && refusal.code === 'disk-full', String(refusal))
  assert.ok(written > 0)
  await assert.rejects(store.write(new Map([['later', bytes(1)]])), { code: 'disk-full' })
  assert.equal(store.failure?.code, 'disk-full')
  assert.deepEqual(store.get('first'), bytes(1))
  await assert.rejects(store.reopen(), { code: 'disk-full' })
  assert.deepEqual(store.get('first'), bytes(1))

  await rm(join(root, 'ballast'))
  await store.reopen()
  assert.equal(store.failure, undefined)
  await store.write(new Map([['later', bytes(2)]]))
  assert.deepEqual(store.get('later'), bytes(2))
  for (let at = 0; at < written; at++) assert.ok(store.get(`fill/${at}`), `row ${at} was acknowledged`)
  assert.equal(store.get(`fill/${written}`), undefined)
  await store.close()
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { AddressFile } from '../../src/node/address-file.js'
import type { Facts } from '../../src/runtime.js'

const rows = (count: number): { node: string; address: string; lastOk: number }[] =>
  Array.from({ length: count }, (_, at) => ({ node: `node${at}`, address: `/ip4/127.0.0.1/tcp/${at}`, lastOk: at }))

describe('the file of the address book', () => {
  let place: string
  let file: string
  let warned: (readonly [string, Facts | undefined])[]

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'gv-addresses-'))
    file = join(place, 'addresses.json')
    warned = []
  })
  afterEach(() => rmSync(place, { recursive: true, force: true }))

  const book = (): Promise<AddressFile> => {
    const quiet = (): void => undefined
    const logger = {
      debug: quiet,
      info: quiet,
      error: quiet,
      warn: (text: string, facts?: Facts) => void warned.push([text, facts])
    }
    return new AddressFile(file, logger).open()
  }

  it('gives back what was saved last, once closed, when saves follow each other at once', async () => {
    const first = await book()
    for (let count = 1; count <= 50; count++) first.save(rows(count))
    await first.saved()
    assert.deepEqual((await book()).load(), rows(50))
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(warned, [])
  })

  it('is empty when there is none', async () => {
    assert.deepEqual((await book()).load(), [])
    assert.deepEqual(warned, [])
  })

  it('counts as empty when it cannot be understood, and is written anew', async () => {
    writeFileSync(file, '[{"node', { mode: 0o600 })
    const damaged = await book()
    assert.deepEqual(damaged.load(), [])
    assert.equal(warned.length, 1)
    damaged.save(rows(1))
    await damaged.saved()
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), rows(1))
  })

  it('leaves out rows that are none', async () => {
    writeFileSync(file, JSON.stringify([null, 7, { node: 'a' }, ...rows(1), { node: 'a', address: 1, lastOk: 1 }]), {
      mode: 0o600
    })
    assert.deepEqual((await book()).load(), rows(1))
  })

  it('says so when it cannot be saved, and fails nobody', async () => {
    const gone = await book()
    rmSync(place, { recursive: true })
    gone.save(rows(1))
    await gone.saved()
    assert.equal(warned.length, 1)
  })
})

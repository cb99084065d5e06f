/** Logs that a member makes up: thousands of them, of authors nobody admitted. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { bodyRefOf, logIdOf } from '../../src/wire/index.js'
import { until } from '../e2e/until.js'
import { edit, Forger, newEntry, place as placeOf, watch } from './forger.js'
import { attacks, LONG_MS, sized } from './world.js'

const attack = attacks()
const FILE = 'forged.txt'
const COUNT = sized(10_000, 100_000)

attack('records of authors that nobody admitted are not stored, and cost nobody anything', async (world) => {
  const [{ client }] = world.honest
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const held = (await client.inspect('vector')) as unknown[]
  const { hash, size } = bodyRefOf(Buffer.from('of the attacker'))
  const good = await forger.seal({
    ops: (at) => [
      { k: 'body', bytes: Buffer.from('of the attacker') },
      edit(at, newEntry(), [placeOf(FILE), ['body', [Buffer.from(hash, 'hex'), size]]])
    ]
  })
  const place = Buffer.from(good.bytes).indexOf(forger.attacker.keys.publicKey)
  const forged = Array.from({ length: COUNT }, (_, index) => {
    const bytes = Uint8Array.from(good.bytes)
    const author = randomBytes(32)
    bytes.set(author, place)
    // as often as not the answer is of another log than was asked for
    const log = logIdOf('catalog', index % 2 === 0 ? author : randomBytes(32), good.body.epoch)
    forger.shelve(log, [bytes])
    return log
  })
  for (let from = 0; from < forged.length; from += 2_000) {
    const vector = forged.slice(from, from + 2_000).map((log) => ({ log, seq: 1, head: '0'.repeat(16) }))
    for (const lane of forger.lanes) lane.tell({ t: 'vector', full: false, vector })
  }
  await until('they ask', () => forged.filter((log) => forger.asked(log) > 0).length >= sized(400, 4_000), LONG_MS)
  await unscathed()
  const now = (await client.inspect('vector')) as unknown[]
  assert.ok(now.length <= held.length + 3)
  assert.ok(world.honest.every(({ dir }) => !existsSync(join(dir, FILE))))
})

/** How much of small bodies is fetched with a checkpoint of a peer, for whom nobody vouches: what its entries name, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkWriter, PackWriter } from '../../src/catalog/index.js'
import { emptyEntry } from '../../src/catalog/entry.js'
import { GrapevineError } from '../../src/errors.js'
import { fetchPacks } from '../../src/replica/checkpoint/check-packs.js'
import { bodyRefOf, bytesOf, type BodyRef, type ChunkRef, type Manifest } from '../../src/wire/index.js'
import { HandClock } from './lab.js'
import { MemoryContents } from '../sim/contents.js'

const LOG = 'ab'.repeat(16)
/** Bytes that tell how long a body is, in a pack: of these one each, and five are allowed for. */
const SPARE = 4

interface Rig {
  /** Fetches packs of these sizes; resolves with what was fetched. */
  take(...packs: BodyRef[]): Promise<string[]>
  pack(...bodies: Uint8Array[]): Promise<BodyRef>
}

/** A checkpoint whose pieces name one of these bodies each. */
async function checkpointOf(bodies: readonly Uint8Array[]): Promise<Rig> {
  const contents = new MemoryContents()
  const chunks: ChunkRef[] = []
  for (const [at, body] of bodies.entries()) {
    const { hash, size } = bodyRefOf(body)
    const writer = new ChunkWriter()
    const id = `${at}`.padStart(32, '0')
    const clients = [{ client: 7, log: LOG, clock: 1 }]
    const tuple = {
      client: 7,
      clock: 0,
      log: LOG,
      seq: 1,
      time: 1,
      field: 'body',
      value: [bytesOf(hash), size] as const
    }
    writer.add(id, { ...emptyEntry(), clients, tuples: [tuple] })
    chunks.push({ first: id, ...(await contents.put(writer.take())) })
  }
  return {
    take: async (...packs) => {
      const fetched: string[] = []
      await fetchPacks({ chunks } as Partial<Manifest> as Manifest, packs, {
        contents,
        clock: new HandClock(),
        fetch: async (refs) => void fetched.push(...refs.map(({ hash }) => hash)),
        refused: (what) => new GrapevineError('record-refused', what, { next: 'nothing' })
      })
      return fetched
    },
    pack: async (...some) => {
      const writer = new PackWriter(({ hash }) => some.find((body) => bodyRefOf(body).hash === hash))
      for (const body of some) writer.add(bodyRefOf(body))
      return contents.put(writer.take())
    }
  }
}

const [one, other] = [new Uint8Array(100).fill(1), new Uint8Array(100).fill(2)]

test('small bodies that entries name are fetched, a pack of each piece', async () => {
  const { take, pack } = await checkpointOf([one, other])
  const packs = [await pack(one), await pack(other)]
  assert.deepEqual(
    await take(...packs),
    packs.map(({ hash }) => hash)
  )
})

test('a pack larger than what one piece names, or all of them larger than what all name, are not even fetched', async () => {
  const { take, pack } = await checkpointOf([one, other])
  const refused = { code: 'record-refused', message: /more small bodies/ }
  await assert.rejects(take(await pack(one, other)), refused)
  const whole = await pack(one)
  const largest = { ...whole, size: whole.size + SPARE }
  assert.equal((await take(largest, largest)).length, 2)
  await assert.rejects(take({ ...largest, size: largest.size + 1 }), refused)
  await assert.rejects(take(largest, largest, { ...whole, size: 1 }), refused)
})

/** Attacks by contents that are too large for a record: wrong, endless, announced and never sent. Nobody waits but for them. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { encodeBlobAnswer, type BlobRequest } from '../../src/wire/blob-messages.js'
import { bodyRefOf, bytesOf, MAX_BODY_BYTES, MAX_FRAME_BYTES, type SignedRecord } from '../../src/wire/index.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'
import { anywhere, edit, Forger, newEntry, place, watch, type Forged } from './forger.js'
import { attacks, sized, type World } from './world.js'

const attack = attacks()

const KIB = 1024

/** Where the attacker's files are, so that the honest can take them away at once. */
const FOLDER = 'claimed'

/** A folder of the attacker's that is everywhere. */
async function folder(forger: Forger): Promise<string> {
  const id = newEntry()
  await forger.give(await forger.seal({ ops: (at) => [edit(at, id, [place(FOLDER)])] }))
  return id
}

/** What waits for ever is ended by whoever removes the files. */
async function cleared({ honest: [a] }: World): Promise<void> {
  await a.client.remove(FOLDER)
}

/** A file whose content is said to have this hash and size; its bytes are in no record. */
const claimed =
  (parent: string, name: string, hash: string, size: number): Forged['ops'] =>
  (at) => [edit(at, newEntry(), [place(name, parent), ['body', [bytesOf(hash), size]]])]

const someHash = (): string => randomBytes(32).toString('hex')

/** Says to have everything in these sizes; what it gives of it is another matter. */
function holding(sizes: ReadonlyMap<string, number>, give: (request: BlobRequest) => Uint8Array | undefined) {
  return (request: BlobRequest): Uint8Array | undefined =>
    request.t === 'have'
      ? encodeBlobAnswer({ t: 'sizes', sizes: request.hashes.map((hash) => sizes.get(hash) ?? null) })
      : give(request)
}

/** A content of an honest node that does not fit into a record reaches the others. */
async function blobsFlow({ honest }: World, name: string, bytes = 600 * KIB): Promise<void> {
  const [a] = honest
  const body = randomBytes(bytes)
  await a.client.put(name, one(body))
  for (const { dir } of honest)
    await until(`${name} is there`, () => existsSync(join(dir, name)) && readFileSync(join(dir, name)).equals(body))
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** Bytes on disk below a home. */
function stored({ home }: Node): number {
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).blocks * 512, 0)
}

const WRONG: ReadonlyArray<readonly [what: string, size: number, answer: (request: BlobRequest) => Uint8Array]> = [
  ['bytes of another hash', 100 * KIB, () => encodeBlobAnswer({ t: 'bytes', bytes: randomBytes(100 * KIB) })],
  ['too few bytes', 100 * KIB, () => encodeBlobAnswer({ t: 'bytes', bytes: randomBytes(10) })],
  ['more bytes than a chunk', 100 * KIB, () => encodeBlobAnswer({ t: 'bytes', bytes: randomBytes(300 * KIB) })],
  ['a frame full of bytes', 100 * KIB, () => randomBytes(MAX_FRAME_BYTES)],
  ['no answer but sizes', 100 * KIB, () => encodeBlobAnswer({ t: 'sizes', sizes: [1] })],
  ['a tree of random hashes', 40_000 * KIB, () => encodeBlobAnswer({ t: 'bytes', bytes: randomBytes(160 * 32) })],
  ['a bomb', 100 * KIB, () => encodeBlobAnswer({ t: 'bytes', bytes: gzipSync(Buffer.alloc(64 * 2 ** 20)) })]
]

attack('a content that is not what its hash says is written nowhere, and who sent it is named', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const parent = await folder(forger)
  for (const [at, [what, size, answer]] of WRONG.entries()) {
    const hash = someHash()
    let asked = 0
    forger.attacker.answerBlob = holding(new Map([[hash, size]]), (request) => {
      asked += 1
      return answer(request)
    })
    const told = world.said('a peer sent wrong bytes for a blob')
    assert.equal(
      (await forger.give(await forger.seal({ ops: claimed(parent, `wrong-${at}`, hash, size) }))).state,
      'applied'
    )
    await until(`${what} was asked for by all`, () => asked >= 3)
    await until(`${what} is told of`, () => world.said('a peer sent wrong bytes for a blob') > told)
    const line = world.tailOf('a peer sent wrong bytes for a blob')
    assert.ok(line.includes(forger.attacker.node), what)
    await blobsFlow(world, `after-wrong-${at}.bin`)
    assert.equal(anywhere(world, `${FOLDER}/wrong-${at}`), false)
  }
  await cleared(world)
  await unscathed()
})

attack('a content that an attacker spoils comes whole from whoever has it', async (world) => {
  const unscathed = await watch(world)
  const [a] = world.honest
  const forger = await Forger.at(world, await world.member())
  const body = randomBytes(3_000 * KIB)
  const { hash, size } = bodyRefOf(body)
  forger.attacker.answerBlob = holding(new Map([[hash, size]]), () =>
    encodeBlobAnswer({ t: 'bytes', bytes: randomBytes(256 * KIB) })
  )
  await a.client.put('spoilt.bin', one(body))
  for (const { dir } of world.honest)
    await until(
      'it is whole',
      () => existsSync(join(dir, 'spoilt.bin')) && readFileSync(join(dir, 'spoilt.bin')).equals(body)
    )
  await unscathed()
})

attack(
  'a content that an attacker says to have and never sends comes from others, without waiting for it',
  async (world) => {
    const unscathed = await watch(world)
    const forger = await Forger.at(world, await world.member())
    const held = new Map<string, number>()
    const asked = new Set<string>()
    forger.attacker.answerBlob = holding(held, (request) => {
      if (request.t !== 'have') asked.add(request.hash)
      return undefined
    })
    const began = performance.now()
    const parent = await folder(forger)
    for (let at = 0; at < 3; at++) {
      const path = `mute-${at}.bin`
      const body = randomBytes(3_000 * KIB)
      const { hash, size } = bodyRefOf(body)
      held.set(hash, size)
      // whoever wrote that it is there is asked first
      await forger.give(await forger.seal({ ops: claimed(parent, path, hash, size) }))
      await until('it is asked', () => asked.has(hash))
      await world.honest[0].client.put(path, one(body))
      for (const { dir } of world.honest)
        await until('it is whole', () => existsSync(join(dir, path)) && readFileSync(join(dir, path)).equals(body))
    }
    const took = (performance.now() - began) / 3
    assert.ok(took < 8_000, `a content took ${Math.round(took)} ms`)
    await cleared(world)
    await unscathed()
  }
)

attack('a content of a terabyte takes no place before it is there, and one more byte is none', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const parent = await folder(forger)
  const before = stored(world.honest[0])
  const sizes = new Map(Array.from({ length: 20 }, () => [someHash(), MAX_BODY_BYTES]))
  forger.attacker.answerBlob = holding(sizes, () => encodeBlobAnswer({ t: 'absent' }))
  for (const [hash] of sizes)
    await forger.give(await forger.seal({ ops: claimed(parent, `huge-${hash.slice(0, 8)}`, hash, MAX_BODY_BYTES) }))
  const more = await forger.give(await forger.seal({ ops: claimed(parent, 'more', someHash(), MAX_BODY_BYTES + 1) }))
  assert.equal(more.state, 'rejected')
  await blobsFlow(world, 'after-huge.bin')
  const grown = stored(world.honest[0]) - before
  assert.ok(grown < 16 * 2 ** 20, `the home grew by ${grown} bytes`)
  await cleared(world)
  await unscathed()
})

/** More than are fetched at once, many times over. */
const MANY = sized(200, 4_000)
/** As many as one record may name. */
const IN_A_RECORD = 1_000

for (const [what, size] of [
  ['small', 100 * KIB],
  ['large', 40_000 * KIB]
] as const)
  attack(`many ${what} contents that are announced and never sent keep no honest one waiting`, async (world) => {
    const unscathed = await watch(world)
    const forger = await Forger.at(world, await world.member())
    const parent = await folder(forger)
    const sizes = new Map(Array.from({ length: MANY }, () => [someHash(), size]))
    const asked = new Set<string>()
    forger.attacker.answerBlob = holding(sizes, (request) => {
      if (request.t !== 'have') asked.add(request.hash)
      return undefined
    })
    const hashes = [...sizes.keys()]
    const ops =
      (from: number): Forged['ops'] =>
      (at) =>
        hashes
          .slice(from, from + IN_A_RECORD)
          .flatMap((hash, index) => claimed(parent, `never-${what}-${from + index}`, hash, size)(at))
    const records: SignedRecord[] = [await forger.seal({ ops: ops(0) })]
    for (let from = IN_A_RECORD; from < MANY; from += IN_A_RECORD)
      records.push(forger.next(records.at(-1)!, { ops: ops(from) }))
    await forger.give(...records)
    await until('it is asked for them', () => asked.size >= 3)
    const began = performance.now()
    for (const round of [1, 2, 3]) await blobsFlow(world, `after-never-${what}-${round}.bin`)
    const took = performance.now() - began
    assert.ok(took < sized(20_000, 60_000), `three contents took ${Math.round(took)} ms`)
    assert.equal((await world.honest[0].status()).blobs.wanted >= MANY, true, 'what never comes is shown as wanted')
    await cleared(world)
    await unscathed()
  })

/** What a peer offers in place of older records: its pieces, and all of it together. */
import assert from 'node:assert/strict'
import { ChunkWriter, readChunk, readPack } from '../../../src/catalog/index.js'
import { adopt, BaseFile } from '../../../src/replica/index.js'
import { bodyRefOf, decodeOffer, encodeOffer, type BodyRef, type Offer } from '../../../src/wire/index.js'
import { checkpoint } from '../../replica/checkpointing.js'
import { Lab, MemoryContents, type LabNode } from '../../replica/lab.js'
import { SimDisk } from '../../sim/disk.js'
import type { SeededRandom } from '../../sim/random.js'
import { harmBytes, harmCbor } from '../mutate.js'
import { stateless, type Session, type Target } from '../target.js'

interface Offered {
  readonly lab: Lab
  readonly newcomer: LabNode
  readonly contents: MemoryContents
  readonly offer: Uint8Array
}

/** Two checkpoints of a small cluster, the second in force, and a newcomer that has the records of the members. */
async function offered(): Promise<Offered> {
  const lab = new Lab()
  const contents = new MemoryContents()
  const nodes = await lab.nodes(2, { each: () => ({ contents }) })
  const [a] = nodes as [LabNode, LabNode]
  const newcomer = await lab.blank('newcomer', { contents: new MemoryContents() })
  for (let round = 0; round < 2; round++) {
    for (let at = 0; at < 5; at++) await a.put(`d/f${at}`, `${round} ${at}`)
    await a.remove('d/f0')
    await checkpoint(nodes)
  }
  await a.replica.writeMembers(() => [{ k: 'admit', key: newcomer.keys.publicKey, role: 'author', name: 'newcomer' }])
  await newcomer.receive(a.records().filter(({ body }) => body.space === 'members'))
  return { lab, newcomer, contents, offer: await contents.get(a.replica.checkpoints!.inForce!.offer!) }
}

/** Made once: nothing here changes it. */
let made: Promise<Offered> | undefined

/** The first byte says what of it is harmed: the offer itself, or small bodies that it names. */
async function taking(): Promise<Session> {
  const { lab, newcomer, contents, offer: good } = await (made ??= offered())
  const real = decodeOffer(good)
  const packs = await Promise.all([...real.packs, ...real.ownPacks].map((ref) => contents.get(ref)))
  const disk = new SimDisk()
  const file = new BaseFile(disk.mount())
  const make = (random: SeededRandom): Uint8Array => {
    const what = random.below(3)
    return Buffer.concat([Uint8Array.of(what), what === 0 ? harmCbor(random, [good]) : harmBytes(random, packs)])
  }
  const take = async (input: Uint8Array): Promise<unknown> => {
    const theirs = new Map<string, Uint8Array>()
    const put = (bytes: Uint8Array): BodyRef => {
      const ref = bodyRefOf(bytes)
      theirs.set(ref.hash, bytes)
      return ref
    }
    const harmed = input.subarray(1)
    const packed: readonly Offer[] = [
      { ...real, packs: [...real.packs, put(harmed)] },
      { ...real, ownPacks: [put(harmed)] }
    ]
    const offer = put(input[0] === 0 ? harmed : encodeOffer(packed[input[0]! - 1]!))
    const get = async (ref: BodyRef): Promise<Uint8Array> => theirs.get(ref.hash) ?? contents.get(ref)
    await adopt(
      { t: 'checkpoint-is', offer },
      {
        cluster: lab.cluster,
        members: newcomer.replica.members,
        self: newcomer.keys.publicKey,
        contents: { put: async (bytes) => put(bytes), get },
        clock: newcomer.clock,
        file,
        fetch: async (refs) => {
          for (const ref of refs) await get(ref)
        }
      }
    )
    // what was taken makes an index
    const inForce = (await file.read())!
    for (const { packs: refs } of [inForce.top, inForce.floor!])
      for (const ref of refs) for (const body of readPack(await get(ref))) assert.ok(body.length >= 0)
    return undefined
  }
  return { make, take, state: () => `${disk.usedBytes()} bytes` }
}

function goodPiece(): Uint8Array {
  const writer = new ChunkWriter()
  const log = 'ab'.repeat(16)
  const stamp = { client: 77, log, seq: 3, time: 5 }
  for (const id of ['01', '02', '03'].map((byte) => byte.repeat(16)))
    writer.add(id, {
      clients: [{ client: 77, log, clock: 4 }],
      tuples: [
        { ...stamp, clock: 1, field: 'place', value: [new Uint8Array(16), 'name', null] },
        { ...stamp, clock: 2, field: 'body', value: [new Uint8Array(32), 9] },
        { ...stamp, clock: 3, field: 'custom', value: { a: [1, 'x', null, true] } }
      ],
      doc: [],
      kids: 0,
      born: 0,
      level: 0
    } as never)
  return writer.take()
}

const PACK = Buffer.concat([Uint8Array.of(3), Buffer.from('abc'), Uint8Array.of(0), Uint8Array.of(1), Buffer.from('x')])

export const CHECKPOINTS: readonly Target[] = [
  {
    name: 'checkpoint piece',
    share: 4,
    codes: ['message-malformed'],
    open: stateless(
      (random) => harmBytes(random, [goodPiece()]),
      (bytes) => [...readChunk(bytes)].length
    )
  },
  {
    name: 'checkpoint pack',
    share: 2,
    codes: ['message-malformed'],
    open: stateless(
      (random) => harmBytes(random, [PACK]),
      (bytes) => [...readPack(bytes)].length
    )
  },
  {
    name: 'checkpoint taken',
    share: 1,
    codes: ['message-malformed', 'record-malformed', 'record-refused', 'blob-missing'],
    life: 500,
    open: taking
  }
]

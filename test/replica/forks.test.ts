/** One key, two histories: found, proven, survived. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeRequest, encodeAnswer, encodeNotice, logIdOf, type VectorEntry } from '../../src/wire/index.js'
import { SimDisk } from '../sim/disk.js'
import { Lab, type LabNode } from './lab.js'

const vectorOf = (node: LabNode): VectorEntry[] => node.replica.log.vector()
const tell = (to: LabNode, from: LabNode): void =>
  to.replica.notified(from.id, encodeNotice({ t: 'vector', full: true, vector: vectorOf(from) }))

async function copyOf(disk: SimDisk): Promise<SimDisk> {
  const copy = new SimDisk()
  for (const name of await disk.list()) copy.place(name, disk.contentOf(name))
  return copy
}

/** Lets a node ask others for records, as over the network. */
function connect(node: LabNode, others: readonly LabNode[]): string[] {
  const asked: string[] = []
  node.transport.request = async (to, _lane, frame) => {
    const peer = others.find((other) => other.id === to)!
    const request = decodeRequest(frame)
    if (request.t !== 'pull') throw new Error('only records are asked for here')
    asked.push(`${request.from}`)
    const head = peer.replica.log.get(request.log)?.seq ?? 0
    const records = Array.from(
      { length: Math.min(request.count, Math.max(0, head - request.from + 1)) },
      (_, at) => peer.replica.log.read(request.log, request.from + at).bytes
    )
    return encodeAnswer({ t: 'records', records, head })
  }
  for (const other of others) node.replica.peerUp({ node: other.id, addresses: [], found: 'given', connectedAt: 0 })
  return asked
}

/** `a` and a copy of it that both went on from the same place; `b` holds the branch of `a`. */
async function parted(common: number, own: number): Promise<{ a: LabNode; twin: LabNode; b: LabNode; log: string }> {
  const lab = new Lab()
  const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
  for (let at = 0; at < common; at++) await a.put('f', `${at}`)
  const twin = await lab.blank('n0', { disk: await copyOf(a.disk), seed: 77 })
  const log = logIdOf('catalog', a.keys.publicKey, a.replica.epoch)
  for (let at = 0; at < own; at++) {
    await a.put('f', `a${at}`)
    await twin.put('g', `twin${at}`)
  }
  await b.pull(a)
  return { a, twin, b, log }
}

describe('a fork that a vector shows', () => {
  test('is traced to the first place where the branches differ, with few questions, and proven', async () => {
    const { twin, b, log } = await parted(40, 25)
    const asked = connect(twin, [b])
    tell(twin, b)
    await twin.settled()
    const [proof] = twin.replica.log.twins(log)
    assert.equal(proof?.body.seq, 41)
    assert.equal(proof?.id, b.replica.log.row(log, 41)!.id)
    assert.ok(asked.length <= 8, `${asked.length} questions`)
    assert.equal(twin.replica.log.get(log)!.frozen, true)
  })

  test('is found too when the peer holds more of that log, by the record that does not follow ours', async () => {
    const { a, twin, b, log } = await parted(5, 3)
    await a.put('f', 'one more')
    await b.pull(a)
    connect(twin, [b])
    twin.replica.start()
    tell(twin, b)
    await twin.settled()
    assert.equal(twin.replica.log.twins(log)[0]?.body.seq, 6)
    await twin.replica.stop()
  })

  test('stops a node whose branch nobody else holds, and lets it write once somebody does', async () => {
    const { twin, b } = await parted(2, 2)
    connect(twin, [b])
    tell(twin, b)
    await twin.settled()
    assert.equal(twin.replica.failure?.code, 'fork')
    await assert.rejects(twin.put('h', 'x'), { code: 'fork' })
    const friend = await twin.lab.blank('n2')
    await friend.pull(twin)
    connect(twin, [b, friend])
    tell(twin, friend)
    assert.equal(twin.replica.failure, undefined)
    await twin.put('h', 'x')
  })

  test('does not stop the node whose branch its peers hold; it writes on under an epoch that it begins at once', async () => {
    const { a, twin, b, log } = await parted(2, 2)
    const before = a.replica.epoch
    connect(a, [twin, b])
    tell(a, b)
    tell(a, twin)
    await a.settled()
    assert.equal(a.replica.log.get(log)!.frozen, true)
    assert.equal(a.replica.failure, undefined)
    assert.notEqual(a.replica.epoch, before)
    const begun = a.replica.log.get(logIdOf('catalog', a.keys.publicKey, a.replica.epoch))
    assert.equal(begun?.seq, 1)
  })

  test('between other authors stops nobody', async () => {
    const { twin, b } = await parted(2, 2)
    const c = await twin.lab.blank('n2')
    await c.pull(twin)
    connect(c, [b])
    tell(c, b)
    await c.settled()
    assert.equal(c.replica.failure, undefined)
    assert.deepEqual([...c.replica.partedLogs].length, 1)
  })
})

test('a fork that gossip shows is taken as proof, though the record is no news', async () => {
  const { a, twin, b, log } = await parted(2, 2)
  const { encodeGossip } = await import('../../src/wire/index.js')
  const record = twin.replica.log.read(log, 3)
  assert.equal(b.replica.gossip(a.id, encodeGossip({ records: [record.bytes], heads: [] })), 'accept')
  await b.settled()
  assert.deepEqual(
    b.replica.log.twins(log).map(({ id }) => id),
    [record.id]
  )
})

describe('the epoch of a node', () => {
  test('does not go back to an older one because the clock did', async () => {
    const { a, b } = await parted(1, 1)
    const first = a.replica.epoch
    // an own record that this life did not write: another epoch begins
    a.replica.notified(
      b.id,
      encodeNotice({
        t: 'vector',
        full: false,
        vector: [{ log: logIdOf('catalog', a.keys.publicKey, first), seq: 99, head: '0'.repeat(16) }]
      })
    )
    const second = a.replica.epoch
    assert.notEqual(second, first)
    a.clock.wall -= 10 * 365 * 86_400_000
    await a.put('f', 'in the past')
    for (const loseIndex of [false, true]) {
      await a.restart({ loseIndex })
      assert.equal(a.replica.epoch, second)
    }
  })

  test('is a new one when two of its own look equally new', async () => {
    const { a, twin } = await parted(1, 0)
    const log = logIdOf('catalog', a.keys.publicKey, a.replica.epoch)
    for (const node of [a, twin]) {
      node.replica.notified(
        'peer',
        encodeNotice({ t: 'vector', full: false, vector: [{ log, seq: 99, head: '0'.repeat(16) }] })
      )
      await node.put(node === a ? 'a' : 'b', 'x')
    }
    const epochs = [a.replica.epoch, twin.replica.epoch]
    await a.pull(twin)
    await a.restart()
    assert.ok(!epochs.includes(a.replica.epoch))
  })

  test('begins at once when a lost part of its own past comes back, once however many pieces it comes in', async () => {
    const lab = new Lab()
    const [a, b] = (await lab.nodes(2)) as [LabNode, LabNode]
    for (let at = 0; at < 5; at++) await b.put('f', `${at}`)
    await a.pull(b)
    const again = await lab.blank('n1', { seed: 5 })
    await again.pull(a)
    await again.settled()
    const own = [...again.replica.log.logs()].filter((head) =>
      again.replica.log.get(head.log)!.author.every((byte, at) => byte === again.keys.publicKey[at])
    )
    assert.deepEqual(own.map((head) => head.seq).toSorted(), [1, 5])
  })

  test('is a new one when the home says that it was restored', async () => {
    const { a } = await parted(1, 0)
    await a.replica.stop()
    a.disk.kill()
    const restored = await a.lab.blank('n0', { disk: a.disk, seed: 9, freshEpoch: true })
    assert.notEqual(restored.replica.epoch, a.replica.epoch)
  })
})

test('a record under our own key by somebody who saw what this process wrote proves that another process has the key', async () => {
  const lab = new Lab()
  let found = 0
  const [a, b] = (await lab.nodes(2, { each: () => ({ events: { twinFound: () => (found += 1) } }) })) as [
    LabNode,
    LabNode
  ]
  await a.put('f', '1')
  const clone = await lab.blank('n0', { disk: await copyOf(a.disk), seed: 77, freshEpoch: true })
  await a.restart()
  await clone.put('g', 'written before this life of the other')
  await a.pull(clone)
  assert.equal(found, 0)
  await a.put('f', '2')
  await b.pull(a)
  await clone.pull(b)
  await clone.put('g', 'after')
  await a.pull(clone)
  assert.ok(found > 0)
})

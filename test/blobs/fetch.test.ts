import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { LARGE_BYTES, roomFor } from '../../src/buffers.js'
import { GrapevineError } from '../../src/errors.js'
import { MAX_FLIGHTS_PER_PEER } from '../../src/blobs/fetch.js'
import { decodeBlobAnswer, encodeBlobAnswer, MAX_HAVE_HASHES } from '../../src/wire/blob-messages.js'
import { BLOB_CHUNK_BYTES, MAX_BODY_BYTES, type BodyRef } from '../../src/wire/index.js'
import { bytesOf, collect, eventsOf, once, SMALL, temporaryDirectory, until, World, type TestNode } from './world.js'

const SMALL_NODE = { layout: SMALL }

function completed(node: TestNode): string[] {
  return eventsOf(node, 'completed').map(({ ref }) => ref.hash)
}

async function holds(node: TestNode, ref: BodyRef, body: Buffer): Promise<void> {
  await until(`${node.id} holds it`, () => node.store.has(ref.hash))
  assert.ok((await collect(node.store.read(ref))).equals(body))
}

for (const size of [0, 1, BLOB_CHUNK_BYTES - 1, BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES + 1]) {
  test(`a blob of ${size} bytes is fetched from a peer that has it`, async (t) => {
    const world = new World(t)
    const [a, b] = [await world.node('a'), await world.node('b')]
    world.connect('a', 'b')
    const body = bytesOf(size)
    const ref = await a.store.put(once(body))
    b.fetcher.want(ref)
    await holds(b, ref, body)
    assert.deepEqual(completed(b), [ref.hash])
    assert.deepEqual(b.fetcher.status(), [])
    assert.deepEqual(await readdir(join(b.directory, 'partial')), [])
    assert.equal(eventsOf(b, 'progress').at(-1)?.have, size)
  })
}

test('a blob under a tree of two levels is fetched, every part exactly once', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  world.connect('a', 'b')
  const body = bytesOf(16 * 40 + 3)
  const ref = await a.store.put(once(body))
  b.fetcher.want(ref)
  await holds(b, ref, body)
  const parts = world.network.parts()
  assert.equal(parts.length, 41 + 6 + 1)
  assert.equal(new Set(parts).size, parts.length)
  assert.equal(parts[0], 'node 1/0')
})

test('64 MiB from three peers come in parallel, with bounded requests and bounded memory', async (t) => {
  const world = new World(t)
  const size = 64 * 1024 * 1024 + 1
  async function* body(): AsyncGenerator<Uint8Array> {
    const piece = bytesOf(1024 * 1024)
    for (let at = 0; at + piece.length < size; at += piece.length) {
      piece.writeUInt32BE(at)
      yield piece
    }
    yield new Uint8Array([7])
  }
  const sources = [await world.node('a'), await world.node('b'), await world.node('c')]
  let ref: BodyRef | undefined
  for (const source of sources) ref = await source.store.put(body())
  const d = await world.node('d')
  const before = process.memoryUsage().rss
  let highest = before
  d.fetcher.on(() => (highest = Math.max(highest, process.memoryUsage().rss)))
  d.fetcher.want(ref!)
  for (const { id } of sources) world.connect('d', id)
  await until('d holds it', () => d.store.has(ref!.hash))
  assert.equal(await d.store.check(ref!), true)
  const counts = sources.map(({ id }) => world.network.parts({ to: id }).length)
  assert.equal(counts[0]! + counts[1]! + counts[2]!, 257 + 1)
  assert.ok(Math.min(...counts) > 40, `spread: ${counts.join(' ')}`)
  assert.ok(world.network.mostInFlight <= 3 * 4 + 3, `${world.network.mostInFlight} in flight`)
  t.diagnostic(`memory grew by ${(highest - before) >> 20} MiB`)
  assert.ok(highest - before < 60 * 1024 * 1024, `memory grew by ${(highest - before) >> 20} MiB`)
})

test('the bytes in flight stay within their bound, however many peers there are', async (t) => {
  const world = new World(t)
  const limit = 3 * BLOB_CHUNK_BYTES
  const d = await world.node('d', { maxInFlightBytes: limit })
  const body = bytesOf(10 * BLOB_CHUNK_BYTES)
  let ref: BodyRef | undefined
  for (const id of ['a', 'b', 'c']) {
    ref = await (await world.node(id)).store.put(once(body))
    world.connect('d', id)
  }
  let most = 0
  let chunks = 0
  world.network.before = async ({ request }) => {
    if (request.t !== 'chunk') return
    const { count = 1 } = request
    chunks += count
    most = Math.max(most, chunks)
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    chunks -= count
  }
  d.fetcher.want(ref!)
  await holds(d, ref!, body)
  assert.equal(most, 3)
})

test('after the daemon dies in the middle only what is missing is asked for', async (t) => {
  const world = new World(t)
  const a = await world.node('a', SMALL_NODE)
  const body = bytesOf(16 * 40)
  const ref = await a.store.put(once(body))
  const b = await world.node('b', SMALL_NODE)
  let answered = 0
  world.network.before = async ({ request }) => {
    if (request.t === 'chunk' && ++answered > 15) await new Promise(() => {})
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await until('it stalls', () => world.network.parts().length >= 18 && eventsOf(b, 'progress').length === 15)
  const had = eventsOf(b, 'progress').at(-1)!.have
  // Nothing is closed: a second daemon opens what the first, as after kill -9, left on disk.
  world.network.cut('a', 'b')
  const before = world.network.asked.length
  world.network.before = () => {}
  const again = await world.node('b', { ...SMALL_NODE, directory: b.directory })
  world.connect('a', 'b')
  again.fetcher.want(ref)
  await holds(again, ref, body)
  const asked = world.network.asked.slice(before).filter(({ request }) => request.t === 'chunk')
  assert.equal(asked.length, 40 - had / 16)
  assert.ok(had > 0)
})

test('stopping and starting the fetcher goes on where it was, and stop leaves no request behind', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const body = bytesOf(16 * 30)
  const ref = await a.store.put(once(body))
  let answered = 0
  world.network.before = async ({ request }) => {
    if (request.t === 'chunk' && ++answered > 10) await new Promise(() => {})
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await until('it stalls', () => eventsOf(b, 'progress').length === 10)
  await b.fetcher.stop()
  await b.fetcher.stop()
  assert.equal(world.network.inFlight, 0)
  assert.deepEqual(b.fetcher.status(), [{ ...ref, have: 160 }])
  world.network.before = () => {}
  const before = world.network.asked.length
  await b.fetcher.start()
  await b.fetcher.start()
  await holds(b, ref, body)
  assert.equal(world.network.asked.slice(before).filter(({ request }) => request.t === 'chunk').length, 20)
})

test('when a peer is lost in the middle the others go on, and nothing that arrived is asked for again', async (t) => {
  const world = new World(t)
  const body = bytesOf(16 * 60)
  let ref: BodyRef | undefined
  for (const id of ['a', 'b']) ref = await (await world.node(id, SMALL_NODE)).store.put(once(body))
  const c = await world.node('c', SMALL_NODE)
  world.connect('a', 'c')
  world.connect('b', 'c')
  c.fetcher.on((event) => {
    if (event.type === 'progress' && event.have === 16 * 20) world.disconnect('a', 'c')
  })
  c.fetcher.want(ref!)
  await holds(c, ref!, body)
  const chunks = world.network.asked.filter(({ request }) => request.t === 'chunk').length
  assert.ok(chunks <= 60 + 4, `${chunks} chunks asked for`)
})

test('when the only peer is lost the transfer waits and resumes when it comes back', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const body = bytesOf(16 * 30)
  const ref = await a.store.put(once(body))
  world.connect('a', 'b')
  let lost = false
  b.fetcher.on((event) => {
    if (event.type !== 'progress' || lost || event.have < 160) return
    lost = true
    world.disconnect('a', 'b')
  })
  b.fetcher.want(ref)
  await until('the peer is lost and nothing is in flight', () => lost && world.network.inFlight === 0)
  assert.ok(b.fetcher.status()[0]!.have >= 160)
  world.connect('a', 'b')
  await holds(b, ref, body)
})

test('requests that get lost are tried again after a pause', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const body = bytesOf(16 * 30)
  const ref = await a.store.put(once(body))
  let count = 0
  world.network.before = () => {
    if (++count % 5 === 0) throw new GrapevineError('peer-unreachable', 'no answer in time', { next: 'wait' })
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await until('b holds it', () => {
    world.clock.advance(100)
    return b.store.has(ref.hash)
  })
  await holds(b, ref, body)
})

test('a peer that answers wrong chunks is reported, skipped for that blob, and none of its bytes are kept', async (t) => {
  const world = new World(t)
  const body = bytesOf(16 * 30)
  let ref: BodyRef | undefined
  for (const id of ['honest', 'liar']) ref = await (await world.node(id, SMALL_NODE)).store.put(once(body))
  const c = await world.node('c', SMALL_NODE)
  world.network.lie = ({ to, request }, answer) =>
    to === 'liar' && request.t === 'chunk' ? encodeBlobAnswer({ t: 'bytes', bytes: new Uint8Array(16) }) : answer
  world.connect('liar', 'c')
  c.fetcher.want(ref!)
  await until('the lie is reported', () => eventsOf(c, 'peer-lied').length > 0)
  assert.equal(c.store.has(ref!.hash), false)
  world.connect('honest', 'c')
  await holds(c, ref!, body)
  assert.ok(eventsOf(c, 'peer-lied').every(({ node, ref: of }) => node === 'liar' && of.hash === ref!.hash))
  assert.ok(world.network.parts({ to: 'liar' }).filter((part) => part.startsWith('chunk')).length <= 4)
})

for (const [what, bytes] of Object.entries({
  'a wrong tree node': (honest: Uint8Array) => honest.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
  'a tree node of another length': (honest: Uint8Array) => honest.subarray(32),
  'an empty tree node': () => new Uint8Array(0)
})) {
  test(`a peer that answers ${what} is reported and its node is not used`, async (t) => {
    const world = new World(t)
    const body = bytesOf(16 * 30)
    let ref: BodyRef | undefined
    for (const id of ['honest', 'liar']) ref = await (await world.node(id, SMALL_NODE)).store.put(once(body))
    const c = await world.node('c', SMALL_NODE)
    world.network.lie = ({ to, request }, answer) => {
      const decoded = decodeBlobAnswer(answer)
      if (to !== 'liar' || request.t !== 'node' || decoded.t !== 'bytes') return answer
      return encodeBlobAnswer({ t: 'bytes', bytes: bytes(decoded.bytes) })
    }
    world.connect('liar', 'c')
    c.fetcher.want(ref!)
    await until('the lie is reported', () => eventsOf(c, 'peer-lied').length === 1)
    assert.deepEqual(world.network.parts({ to: 'liar' }), ['node 1/0'])
    world.connect('honest', 'c')
    await holds(c, ref!, body)
    assert.deepEqual(world.network.parts({ to: 'liar' }), ['node 1/0'])
  })
}

test('an answer that is no message at all, or of another kind, counts as wrong bytes', async (t) => {
  for (const answer of [new Uint8Array([0xff, 1]), encodeBlobAnswer({ t: 'sizes', sizes: [] })]) {
    const world = new World(t)
    const [liar, c] = [await world.node('liar'), await world.node('c')]
    const ref = await liar.store.put(once(bytesOf(100)))
    world.network.lie = ({ request }, honest) => (request.t === 'chunk' ? answer : honest)
    world.connect('liar', 'c')
    c.fetcher.want(ref)
    await until('the lie is reported', () => eventsOf(c, 'peer-lied').length === 1)
    assert.equal(c.store.has(ref.hash), false)
  }
})

test('a peer that sent wrong bytes is asked again after ten minutes: nothing is given up', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a'), await world.node('b')]
  const body = bytesOf(100)
  const ref = await a.store.put(once(body))
  world.network.lie = ({ request }, answer) =>
    request.t === 'chunk' ? encodeBlobAnswer({ t: 'bytes', bytes: bytesOf(100, 5) }) : answer
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await until('the lie is reported', () => eventsOf(b, 'peer-lied').length === 1)
  world.network.lie = (_, answer) => answer
  const before = world.network.asked.length
  world.clock.advance(599_000)
  assert.equal(world.network.asked.length, before)
  world.clock.advance(2_000)
  await holds(b, ref, body)
})

test('a reference that lies about its size never completes and never blocks the true one', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const body = bytesOf(16 * 10)
  const ref = await a.store.put(once(body))
  world.connect('a', 'b')
  const lie = { ...ref, size: ref.size - 1 }
  b.fetcher.want(lie, ['a'])
  await until('it was asked about', () => world.network.asked.length > 0 && world.network.inFlight === 0)
  b.fetcher.want(ref)
  await holds(b, ref, body)
  assert.deepEqual(completed(b), [ref.hash])
  assert.deepEqual(
    eventsOf(b, 'failed').map(({ ref: of }) => of),
    [lie]
  )
  assert.deepEqual(b.fetcher.status(), [])
  b.fetcher.want(lie)
  await until('it is refused again', () => eventsOf(b, 'failed').length === 2)
  assert.deepEqual(b.fetcher.status(), [])
  assert.throws(
    () => b.fetcher.want({ ...ref, size: MAX_BODY_BYTES + 1 }),
    (error) => error instanceof GrapevineError && error.code === 'too-large'
  )
})

test('what nobody has stays wanted, is asked for with growing pauses, and takes no place from what can be had', async (t) => {
  const world = new World(t)
  const a = await world.node('a')
  const b = await world.node('b', { maxTransfers: 1 })
  world.connect('a', 'b')
  const missing = { hash: 'ee'.repeat(32), size: 100 }
  b.fetcher.want(missing)
  const body = bytesOf(500)
  const ref = await a.store.put(once(body))
  b.fetcher.want(ref)
  await holds(b, ref, body)
  const haves = (): number =>
    world.network.asked.filter(({ request }) => request.t === 'have' && request.hashes.includes(missing.hash)).length
  await until('it was asked about', () => haves() === 1 && world.network.inFlight === 0)
  for (const [pause, total] of [
    [999, 1],
    [1, 2],
    [1_999, 2],
    [1, 3]
  ] as const) {
    world.clock.advance(pause)
    await until(`asked ${total} times`, () => haves() === total && world.network.inFlight === 0)
  }
  assert.deepEqual(b.fetcher.status(), [{ ...missing, have: 0 }])
  assert.deepEqual(world.network.parts(), ['chunk 0'])
})

test('word that a peer may have it, or its connection, makes it be asked at once', async (t) => {
  const world = new World(t)
  const [a, b, c] = [await world.node('a'), await world.node('b'), await world.node('c')]
  world.connect('a', 'b')
  const body = bytesOf(500)
  const [ref, other] = [await c.store.put(once(body)), await c.store.put(once(bytesOf(600)))]
  b.fetcher.want(ref)
  b.fetcher.want(other)
  await until('b asked', () => world.network.asked.length > 0 && world.network.inFlight === 0)
  await a.store.put(once(body))
  b.fetcher.peerMayHave('a', ref.hash)
  b.fetcher.peerMayHave('unheard of', ref.hash)
  await holds(b, ref, body)
  world.connect('b', 'c')
  await holds(b, other, bytesOf(600))
})

test('a hinted peer is asked for parts without being asked whether it has them', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a'), await world.node('b')]
  world.connect('a', 'b')
  const ref = await a.store.put(once(bytesOf(500)))
  world.network.before = async ({ request }) => {
    if (request.t === 'have') await new Promise(() => {})
  }
  b.fetcher.want(ref, ['a', 'unheard of'])
  await holds(b, ref, bytesOf(500))
})

test('a blob that is here already completes at once, also when it comes from elsewhere while it is fetched', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const body = bytesOf(16 * 10)
  const ref = await a.store.put(once(body))
  world.network.before = async ({ request }) => {
    if (request.t === 'chunk') await new Promise(() => {})
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await until('it stalls', () => world.network.parts().length > 4)
  await b.store.put(once(body))
  assert.deepEqual(completed(b), [ref.hash])
  await until('its requests end', () => world.network.inFlight === 0)
  assert.ok((await collect(b.store.read(ref))).equals(body))
  b.fetcher.want(ref)
  await until('it completes again', () => completed(b).length === 2)
  assert.deepEqual(await readdir(join(b.directory, 'partial')), [])
})

test('what is no longer wanted ends its requests and is cleared away, and can be wanted again', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const body = bytesOf(16 * 30)
  const ref = await a.store.put(once(body))
  let answered = 0
  world.network.before = async ({ request }) => {
    if (request.t === 'chunk' && ++answered > 10) await new Promise(() => {})
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await until('it stalls', () => eventsOf(b, 'progress').length === 10)
  b.fetcher.unwant(ref.hash)
  assert.deepEqual(b.fetcher.status(), [])
  world.network.before = () => {}
  b.fetcher.want(ref)
  await holds(b, ref, body)
  assert.deepEqual(await readdir(join(b.directory, 'partial')), [])
})

test('a bit flipped on disk is found on reading and healed by fetching only the damaged chunk', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  world.connect('a', 'b')
  const body = bytesOf(16 * 30)
  const ref = await a.store.put(once(body))
  b.fetcher.want(ref)
  await holds(b, ref, body)
  const path = join(b.directory, ref.hash.slice(0, 2), ref.hash)
  const bytes = await readFile(path)
  bytes[16 * 13 + 2]! ^= 4
  await writeFile(path, bytes)
  const before = world.network.parts().length
  await assert.rejects(
    collect(b.store.read(ref)),
    (error) => error instanceof GrapevineError && error.code === 'blob-damaged'
  )
  await holds(b, ref, body)
  assert.deepEqual(world.network.parts().slice(before), ['chunk 13'])
})

test('a damaged tree over sound bytes is made again, and nothing is fetched', async (t) => {
  const world = new World(t)
  const a = await world.node('a', SMALL_NODE)
  const first = await world.node('b', SMALL_NODE)
  world.connect('a', 'b')
  const body = bytesOf(16 * 30)
  const ref = await a.store.put(once(body))
  first.fetcher.want(ref)
  await holds(first, ref, body)
  await first.stop()
  const path = join(first.directory, ref.hash.slice(0, 2), `${ref.hash}.tree`)
  const bytes = await readFile(path)
  bytes[5]! ^= 4
  await writeFile(path, bytes)
  const b = await world.node('b', { ...SMALL_NODE, directory: first.directory })
  const before = world.network.parts().length
  await assert.rejects(collect(b.store.read(ref)))
  await holds(b, ref, body)
  assert.deepEqual(world.network.parts().slice(before), [])
})

test('many small blobs are asked about in few messages, and large ones do not keep them waiting', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', { ...SMALL_NODE, maxTransfers: 2 })]
  const large = [await a.store.put(once(bytesOf(16 * 50))), await a.store.put(once(bytesOf(16 * 60)))]
  const small: BodyRef[] = []
  for (let seed = 1; seed <= 50; seed += 1) small.push(await a.store.put(once(bytesOf(10, seed))))
  const begun = new Set<string>()
  let most = 0
  world.network.before = async ({ request }) => {
    if (request.t === 'have') return
    begun.add(request.hash)
    most = Math.max(most, [...begun].filter((hash) => !b.store.has(hash)).length)
    if (large.some(({ hash }) => hash === request.hash)) await new Promise(() => {})
  }
  world.connect('a', 'b')
  for (const ref of large) b.fetcher.want(ref)
  await until('a large one has stalled', () => world.network.parts().length > 0)
  for (const ref of small) b.fetcher.want(ref)
  await until('all small ones are here', () => small.every(({ hash }) => b.store.has(hash)))
  assert.equal(most, 2)
  assert.ok(world.network.asked.filter(({ request }) => request.t === 'have').length <= 4)
})

test('what a peer announces and never gives leaves places for what others have', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const c = await world.node('c', SMALL_NODE)
  world.network.before = async ({ to, request }) => {
    if (to === 'a' && request.t !== 'have') await new Promise(() => {})
  }
  const announced: BodyRef[] = []
  for (let seed = 1; seed <= 40; seed += 1)
    announced.push(await a.store.put(once(bytesOf(seed % 2 === 0 ? 10 : 16 * 30, seed))))
  world.connect('a', 'c')
  for (const ref of announced) c.fetcher.want(ref)
  await until('it has as much as it gets', () => world.network.parts({ to: 'a' }).length === MAX_FLIGHTS_PER_PEER)
  const [small, large] = [bytesOf(10, 100), bytesOf(16 * 20, 101)]
  const honest = [await b.store.put(once(small)), await b.store.put(once(large))]
  for (const ref of honest) c.fetcher.want(ref)
  world.connect('b', 'c')
  await holds(c, honest[0]!, small)
  await holds(c, honest[1]!, large)
  assert.equal(c.fetcher.status().length, announced.length)
})

test('a transfer whose peers are all gone gives its place to another, and is cleared away when no longer wanted', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', SMALL_NODE), await world.node('b', SMALL_NODE)]
  const c = await world.node('c', { ...SMALL_NODE, maxTransfers: 1 })
  const stuck = await a.store.put(once(bytesOf(16 * 30)))
  const other = await b.store.put(once(bytesOf(16 * 20, 2)))
  let answered = 0
  world.network.before = async ({ to, request }) => {
    if (to === 'a' && request.t === 'chunk' && ++answered > 10) await new Promise(() => {})
  }
  world.connect('a', 'c')
  c.fetcher.want(stuck)
  await until('it stalls', () => eventsOf(c, 'progress').length === 10)
  c.fetcher.want(other)
  world.connect('b', 'c')
  world.disconnect('a', 'c')
  await holds(c, other, bytesOf(16 * 20, 2))
  assert.deepEqual(c.fetcher.status(), [{ ...stuck, have: 160 }])
  assert.ok((await readdir(join(c.directory, 'partial'))).length > 0)
  c.fetcher.unwant(stuck.hash)
  await c.fetcher.stop()
  assert.deepEqual(await readdir(join(c.directory, 'partial')), [])
})

test('more blobs than one message may name are asked about in several', async (t) => {
  const world = new World(t)
  await world.node('a')
  const b = await world.node('b')
  const count = MAX_HAVE_HASHES + 1
  for (let at = 0; at < count; at += 1) b.fetcher.want({ hash: at.toString(16).padStart(64, '0'), size: 10 })
  world.connect('a', 'b')
  const named = (): number[] =>
    world.network.asked.map(({ request }) => (request.t === 'have' ? request.hashes.length : 0))
  await until('all were asked about', () => named().reduce((sum, some) => sum + some, 0) === count)
  assert.deepEqual(named(), [MAX_HAVE_HASHES, 1])
})

test('a full disk is reported and the transfer goes on by itself when there is room', async (t) => {
  const world = new World(t)
  const a = await world.node('a')
  const body = bytesOf(8 * BLOB_CHUNK_BYTES)
  const ref = await a.store.put(once(body))
  const small = join(await temporaryDirectory(t), 'small')
  await mkdir(small)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', small]).status !== 0)
    return t.skip('needs the right to mount')
  try {
    const b = await world.node('b', { directory: join(small, 'blobs') })
    world.connect('a', 'b')
    b.fetcher.want(ref)
    await until('the full disk is reported', () => eventsOf(b, 'failed').length > 0)
    assert.equal(eventsOf(b, 'failed')[0]!.code, 'disk-full')
    assert.equal(b.fetcher.status().length, 1)
    assert.equal(spawnSync('mount', ['-o', 'remount,size=8m', small]).status, 0)
    const before = world.network.parts().length
    await until('b holds it', () => {
      world.clock.advance(1_000)
      return b.store.has(ref.hash)
    })
    await holds(b, ref, body)
    assert.ok(world.network.parts().length - before < 8, 'what was here is not asked for again')
    await b.stop()
  } finally {
    spawnSync('umount', ['-l', small])
  }
})

test('three nodes that each want what another has end with the same blobs', async (t) => {
  const world = new World(t)
  const nodes = [
    await world.node('a', SMALL_NODE),
    await world.node('b', SMALL_NODE),
    await world.node('c', SMALL_NODE)
  ]
  const refs: BodyRef[] = []
  for (const [at, node] of nodes.entries()) refs.push(await node.store.put(once(bytesOf(16 * 20 + at, at + 1))))
  for (const node of nodes) for (const ref of refs) node.fetcher.want(ref)
  world.connect('a', 'b')
  world.connect('b', 'c')
  for (const node of nodes) {
    await until('all are here', () => {
      world.clock.advance(50)
      return refs.every(({ hash }) => node.store.has(hash))
    })
  }
})

/** Asks for up to four chunks at once. */
const BY_FOUR = { ...SMALL_NODE, maxPartChunks: 4 }

function chunkRequests(world: World): Array<{ index: number; count: number }> {
  return world.network.asked.flatMap(({ request }) =>
    request.t === 'chunk' ? [{ index: request.index, count: request.count ?? 1 }] : []
  )
}

test('who answers quickly is asked for several chunks at once, each of them once', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', BY_FOUR), await world.node('b', BY_FOUR)]
  const body = bytesOf(16 * 61 + 3)
  const ref = await a.store.put(once(body))
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await holds(b, ref, body)
  const asked = chunkRequests(world)
  assert.ok(asked.some(({ count }) => count === 4))
  const parts = world.network.parts().filter((part) => part.startsWith('chunk'))
  assert.deepEqual([parts.length, new Set(parts).size], [62, 62])
})

test('an older peer that sends one chunk whatever is asked for gives all of them one by one', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a', BY_FOUR), await world.node('b', BY_FOUR)]
  const body = bytesOf(16 * 40)
  const ref = await a.store.put(once(body))
  world.network.lie = ({ request }, answer) => {
    const decoded = decodeBlobAnswer(answer)
    if (request.t !== 'chunk' || decoded.t !== 'bytes') return answer
    return encodeBlobAnswer({ t: 'bytes', bytes: decoded.bytes.subarray(0, 16) })
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await holds(b, ref, body)
  assert.deepEqual(eventsOf(b, 'peer-lied'), [])
  assert.equal(chunkRequests(world).length, 40)
})

for (const [what, change, kept] of [
  ['a wrong chunk among right ones', (bytes: Uint8Array) => bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte)), 1],
  ['half of a chunk behind right ones', (bytes: Uint8Array) => bytes.subarray(0, 24), 1],
  ['more than was asked for', (bytes: Uint8Array) => Buffer.concat([bytes, new Uint8Array(16)]), 0],
  ['also the chunks behind those it was asked for', (_: Uint8Array, rest: Uint8Array) => rest, 0],
  ['nothing at all', () => new Uint8Array(0), 0]
] as const) {
  test(`a peer that answers ${what} is reported, and what is right before it is kept`, async (t) => {
    const world = new World(t)
    const body = bytesOf(16 * 30)
    let ref: BodyRef | undefined
    for (const id of ['honest', 'liar']) ref = await (await world.node(id, BY_FOUR)).store.put(once(body))
    const c = await world.node('c', BY_FOUR)
    let lies = 0
    world.network.lie = ({ to, request }, answer) => {
      const decoded = decodeBlobAnswer(answer)
      if (to !== 'liar' || request.t !== 'chunk' || decoded.t !== 'bytes' || ++lies > 1) return answer
      return encodeBlobAnswer({ t: 'bytes', bytes: change(decoded.bytes, body.subarray(16 * request.index)) })
    }
    world.network.before = async ({ request }) => {
      if (lies > 0 && request.t === 'chunk' && eventsOf(c, 'peer-lied').length === 0) await new Promise(() => {})
    }
    world.connect('liar', 'c')
    c.fetcher.want(ref!)
    await until('the lie is reported', () => eventsOf(c, 'peer-lied').length > 0)
    assert.equal(
      eventsOf(c, 'progress').some(({ have }) => have === 16 * kept),
      kept > 0
    )
    world.network.before = () => {}
    world.connect('honest', 'c')
    world.disconnect('liar', 'c')
    await holds(c, ref!, body)
  })
}

test('the memory of a part is given back when it is written, and that of a node is kept', async (t) => {
  const world = new World(t)
  const [a, b] = [await world.node('a'), await world.node('b')]
  const body = bytesOf(20 * BLOB_CHUNK_BYTES)
  const ref = await a.store.put(once(body))
  const answers: Array<{ kind: string; frame: Uint8Array }> = []
  world.network.lie = ({ request }, answer) => {
    const frame = roomFor(LARGE_BYTES + answer.length).subarray(0, answer.length)
    frame.set(answer)
    answers.push({ kind: request.t, frame })
    return frame
  }
  world.connect('a', 'b')
  b.fetcher.want(ref)
  await holds(b, ref, body)
  const freed = (kind: string): boolean[] =>
    answers.filter((answer) => answer.kind === kind).map(({ frame }) => frame.length === 0)
  assert.ok(freed('chunk').length > 1 && freed('chunk').every(Boolean))
  assert.deepEqual(freed('node'), [false])
})

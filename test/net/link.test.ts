import './nodes.js'
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { GrapevineError } from '../../src/errors.js'
import { MAX_FRAME_BYTES } from '../../src/wire/limits.js'
import { bytes, Cluster, connected, until, type Node } from './nodes.js'

describe('a link between two members', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  let b: Node

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
    b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
  })
  afterEach(() => cluster.stop())

  it('carries notifications and requests both ways on both lanes', async () => {
    assert.equal(a.network.notify(b.id, bytes('from a')), true)
    assert.equal(b.network.notify(a.id, bytes('from b')), true)
    await until('both are notified', () => a.notices.length === 1 && b.notices.length === 1)
    assert.deepEqual(b.notices, [{ from: a.id, text: 'from a' }])
    assert.deepEqual(a.notices, [{ from: b.id, text: 'from b' }])
    for (const lane of ['sync', 'blob'] as const) {
      b.onRequest = async (frame, on) => bytes(`${on}:${Buffer.from(frame).toString()}`)
      a.onRequest = b.onRequest
      assert.equal(Buffer.from(await a.network.request(b.id, lane, bytes('x'))).toString(), `${lane}:x`)
      assert.equal(Buffer.from(await b.network.request(a.id, lane, bytes('y'))).toString(), `${lane}:y`)
    }
  })

  it('says how the peer was found and how far it is', () => {
    const [peer] = b.network.peers()
    assert.equal(peer?.found, 'given')
    assert.ok((peer?.rttMs ?? -1) >= 0)
    assert.deepEqual(peer?.addresses, [a.listen])
    assert.equal(a.network.peers()[0]?.found, 'inbound')
  })

  it('answers requests in the order they are done, not in the order they came', async () => {
    let release: (() => void) | undefined
    b.onRequest = async (frame) => {
      if (Buffer.from(frame).toString() === 'slow') await new Promise<void>((resolve) => (release = resolve))
      return frame
    }
    const done: string[] = []
    const ask = async (text: string): Promise<void> =>
      void done.push(Buffer.from(await a.network.request(b.id, 'sync', bytes(text))).toString())
    const slow = ask('slow')
    await ask('quick')
    release?.()
    await slow
    assert.deepEqual(done, ['quick', 'slow'])
  })

  it('turns an error of the handler into a refusal with its code', async () => {
    b.onRequest = () => Promise.reject(new GrapevineError('blob-missing', 'no', { next: 'n' }))
    await assert.rejects(a.network.request(b.id, 'blob', bytes('x')), {
      code: 'peer-refused',
      facts: { node: b.id, refusal: 'blob-missing' }
    })
    b.onRequest = () => Promise.reject(new Error('secret detail'))
    await assert.rejects(a.network.request(b.id, 'sync', bytes('x')), {
      code: 'peer-refused',
      facts: { node: b.id, refusal: 'internal' }
    })
  })

  it('gives up a request at its timeout, by its signal, and when the peer is gone', async () => {
    b.onRequest = () => new Promise(() => undefined)
    await assert.rejects(a.network.request(b.id, 'sync', bytes('x'), { timeoutMs: 50 }), {
      code: 'peer-unreachable',
      message: /50 ms/
    })
    const abort = new AbortController()
    const given = a.network.request(b.id, 'sync', bytes('x'), { signal: abort.signal })
    abort.abort(new Error('not needed any more'))
    await assert.rejects(given, /not needed any more/)
    const lost = assert.rejects(a.network.request(b.id, 'sync', bytes('x')), {
      code: 'peer-unreachable',
      message: /closed the stream/
    })
    await b.network.stop()
    await lost
    await until('a saw it leave', () => a.downs.length === 1)
    await assert.rejects(a.network.request(b.id, 'sync', bytes('x')), { code: 'peer-unreachable' })
    assert.equal(a.network.notify(b.id, bytes('x')), false)
  })

  it('takes frames and answers up to the limit and refuses one byte more', async () => {
    b.onRequest = async (frame) => new Uint8Array(frame.length + (frame[0] ?? 0))
    const full = new Uint8Array(MAX_FRAME_BYTES)
    assert.equal((await a.network.request(b.id, 'blob', full)).length, MAX_FRAME_BYTES)
    full[0] = 1
    await assert.rejects(a.network.request(b.id, 'blob', full), {
      code: 'peer-refused',
      facts: { node: b.id, refusal: 'too-large' }
    })
    await assert.rejects(a.network.request(b.id, 'blob', new Uint8Array(MAX_FRAME_BYTES + 1)), { code: 'too-large' })
    assert.throws(() => a.network.notify(b.id, new Uint8Array(MAX_FRAME_BYTES + 1)), { code: 'too-large' })
  })

  it('reports up and down once for each time, in the order they happened', async () => {
    assert.deepEqual([a.ups.map(({ node }) => node), b.ups.map(({ node }) => node)], [[b.id], [a.id]])
    a.network.hangUp(b.id, 'test')
    await until('b is up again', () => a.ups.length === 2 && b.ups.length === 2)
    assert.deepEqual([a.downs, b.downs], [[b.id], [a.id]])
  })

  it('can be started and stopped twice and comes back after a stop', async () => {
    await Promise.all([b.network.start(), b.network.start()])
    await Promise.all([b.network.stop(), b.network.stop()])
    assert.deepEqual(b.downs, [a.id])
    await b.network.start()
    await connected(a, b)
  })

  it('refuses an address that is taken, with the next step', async () => {
    await assert.rejects(cluster.started({ listen: [a.listen] }), { code: 'listen-failed', next: /--listen/ })
  })
})

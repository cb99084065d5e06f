import './nodes.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { GrapevineError } from '../../src/errors.js'
import { decodeFrame, encodeFrame, MAX_FRAME_ID } from '../../src/net/frames.js'
import { decodeAddresses, decodeHello, encodeAddresses, encodeHello, isDialable } from '../../src/net/hello.js'
import { nodeIdOf, publicKeyOf } from '../../src/net/keys.js'
import { FRAME_HEADER_BYTES, MAX_HELLO_BYTES } from '../../src/net/limits.js'
import { encodeCbor } from '../../src/wire/index.js'
import * as nodes from './nodes.js'

const id = (n: number): string => nodeIdOf(nodes.publicKeyOf(new Uint8Array(32).fill(n)))
const malformed = { code: 'message-malformed' }

describe('frames of a lane', () => {
  it('are read as they were written, for every type and id', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(MAX_FRAME_ID), fc.uint8Array({ maxLength: 300 }), (type, frameId, payload) => {
        const frame = encodeFrame(type, frameId, payload)
        assert.ok(frame.length <= payload.length + FRAME_HEADER_BYTES)
        const back = decodeFrame(frame)
        assert.deepEqual([back.type, back.id, Buffer.from(back.payload)], [type, frameId, Buffer.from(payload)])
      })
    )
  })

  it('take the largest id and refuse one more', () => {
    assert.equal(decodeFrame(encodeFrame(1, MAX_FRAME_ID, new Uint8Array())).id, MAX_FRAME_ID)
    assert.throws(() => decodeFrame(encodeFrame(1, MAX_FRAME_ID + 1, new Uint8Array())), malformed)
  })

  it('give a typed error for any other bytes, and never keep a large buffer alive for a small payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        try {
          decodeFrame(bytes)
        } catch (error) {
          assert.ok(error instanceof GrapevineError)
        }
      })
    )
    const network = new Uint8Array(64 * 1024)
    assert.ok(decodeFrame(network.subarray(0, 100)).payload.buffer.byteLength < 200)
  })
})

describe('the hello', () => {
  const hello = {
    versions: [1],
    instance: 'ab'.repeat(16),
    listen: ['/ip4/10.0.0.1/tcp/4470'],
    peers: [{ node: id(1), address: '/dns4/a.example/tcp/1' }]
  }

  it('is read as it was written, and hands over no more than its limits', () => {
    assert.deepEqual(decodeHello(encodeHello(hello)), hello)
    const many = Array.from({ length: 40 }, (_, n) => ({ node: id(n), address: `/ip4/10.0.0.${n}/tcp/1` }))
    const back = decodeHello(encodeHello({ ...hello, listen: many.map(({ address }) => address), peers: many }))
    assert.deepEqual([back.listen.length, back.peers.length], [16, 32])
    assert.deepEqual(decodeAddresses(encodeAddresses(many)), many.slice(0, 32))
  })

  it('refuses what is too long, too many or of the wrong kind', () => {
    const padded = (bytes: number): Uint8Array =>
      encodeCbor({ v: [1], i: new Uint8Array(16), x: new Uint8Array(bytes) })
    const overhead = padded(60_000).length - 60_000
    assert.equal(decodeHello(padded(MAX_HELLO_BYTES - overhead)).versions.length, 1)
    assert.throws(() => decodeHello(padded(MAX_HELLO_BYTES - overhead + 1)), malformed)
    assert.throws(() => decodeHello(encodeCbor({ v: ['1'], i: new Uint8Array(16) })), malformed)
    assert.throws(() => decodeHello(encodeCbor({ v: [1], i: new Uint8Array(15) })), malformed)
    assert.throws(
      () => decodeHello(encodeCbor({ v: [1], i: new Uint8Array(16), l: Array.from({ length: 17 }, () => 'x') })),
      malformed
    )
    assert.throws(() => decodeAddresses(encodeCbor({ p: Array.from({ length: 33 }, () => [id(1), 'x']) })), malformed)
    assert.throws(() => decodeAddresses(encodeCbor({ p: ['x'] })), malformed)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.throws(() => decodeHello(bytes), malformed)
      })
    )
  })

  it('leaves out addresses and nodes it cannot use', () => {
    const rows = [
      { node: 'nobody', address: '/ip4/10.0.0.1/tcp/1' },
      { node: id(1), address: '/ip4/10.0.0.1/udp/1/quic-v1' },
      { node: id(1), address: `/ip4/10.0.0.1/tcp/1/${'x'.repeat(300)}` },
      { node: id(1), address: '/ip6/fd00::1/tcp/1' }
    ]
    assert.deepEqual(decodeAddresses(encodeAddresses(rows)), rows.slice(3))
    assert.equal(isDialable(`/ip4/10.0.0.1/tcp/1/p2p/${id(2)}`), true)
    assert.equal(isDialable(`/ip4/10.0.0.1/tcp/1/p2p/${id(2)}/p2p-circuit`), false)
  })
})

describe('node ids', () => {
  it('are the text of the key, and nothing else is one', () => {
    const key = nodes.publicKeyOf(new Uint8Array(32).fill(9))
    assert.match(nodeIdOf(key), /^12D3KooW/)
    assert.deepEqual(Buffer.from(publicKeyOf(nodeIdOf(key)) ?? []), Buffer.from(key))
    assert.equal(publicKeyOf('12D3KooW'), undefined)
    assert.equal(publicKeyOf('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'), undefined)
  })
})

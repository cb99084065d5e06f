import './nodes.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { GrapevineError } from '../../src/errors.js'
import { encode } from 'it-length-prefixed'
import { Uint8ArrayList } from 'uint8arraylist'
import { LARGE_BYTES } from '../../src/buffers.js'
import { decodeFrame, encodeFrame, FrameAssembly, framed, MAX_FRAME_ID } from '../../src/net/frames.js'
import { decodeAddresses, decodeHello, encodeAddresses, encodeHello, isDialable } from '../../src/net/hello.js'
import { nodeIdOf, publicKeyOf } from '../../src/net/keys.js'
import { FRAME_HEADER_BYTES, MAX_HELLO_BYTES, MAX_LANE_FRAME_BYTES } from '../../src/net/limits.js'
import { encodeCbor, MAX_FRAME_BYTES } from '../../src/wire/index.js'
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

describe('frames as they arrive', () => {
  const bytesOf = (framed_: ReturnType<typeof framed>): Buffer => Buffer.from(framed_.subarray())
  const sizes = fc.constantFrom(0, 1, 100, 5_000, 300_000)
  const sent = fc.array(fc.tuple(fc.nat(7), fc.nat(MAX_FRAME_ID), sizes, fc.nat(255)), { maxLength: 5 })

  it('are put together from whatever pieces they come in, and each stands alone in memory', () => {
    fc.assert(
      fc.property(sent, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (frames, steps) => {
        const wanted = frames.map(([type, frameId, size, byte]) => ({
          type,
          id: frameId,
          payload: new Uint8Array(size).fill(byte)
        }))
        const wire = Buffer.concat(wanted.map(({ type, id: of, payload }) => bytesOf(framed(type, of, payload))))
        const assembly = new FrameAssembly()
        const found: unknown[] = []
        for (let at = 0, step = 0; at < wire.length; at += steps[step++ % steps.length]!) {
          const piece = Buffer.from(wire.subarray(at, at + steps[step % steps.length]!))
          const half = piece.length >> 1
          const chunk = step % 2 === 0 ? piece : new Uint8ArrayList(piece.subarray(0, half), piece.subarray(half))
          for (const { type, id: of, payload } of assembly.take(chunk)) {
            assert.notEqual(payload.buffer, piece.buffer)
            found.push({ type, id: of, payload: new Uint8Array(payload) })
          }
        }
        assembly.mustBeAtEnd()
        assert.deepEqual(found, wanted)
      })
    )
  })

  it('are the same with their length before them, copied or not', () => {
    for (const size of [0, 1, 4_096, 4_097, MAX_FRAME_BYTES]) {
      const payload = new Uint8Array(size).fill(7)
      const frame = encodeFrame(2, 300, payload)
      assert.ok(bytesOf(framed(2, 300, payload)).equals(Buffer.from(encode.single(frame).subarray())), `${size}`)
    }
  })

  it('are refused when they are too long, before anything is kept for them, or when the stream ends in one', () => {
    const take = (bytes: readonly number[]): void => {
      const assembly = new FrameAssembly()
      for (const _ of assembly.take(Uint8Array.from(bytes))) assert.fail('it is no frame')
      assembly.mustBeAtEnd()
    }
    const lengthOf = (length: number): number[] =>
      [length, length >> 7, length >> 14, length >> 21].map((byte, at) => (at < 3 ? byte | 128 : byte) & 255)
    assert.throws(() => take(lengthOf(MAX_LANE_FRAME_BYTES)), malformed)
    assert.throws(() => take(lengthOf(MAX_LANE_FRAME_BYTES + 1)), { code: 'too-large' })
    assert.throws(() => take([0x80, 0x80, 0x80, 0x80]), malformed)
    assert.throws(() => take([5, 1, 0]), malformed)
    assert.throws(() => take([0x85]), malformed)
    assert.throws(() => take([0]), malformed)
    take([])
  })

  it('give the memory back that they came in', () => {
    const piece = new Uint8Array(LARGE_BYTES).fill(7)
    const rest = new Uint8Array(LARGE_BYTES).fill(7)
    const assembly = new FrameAssembly()
    const start = framed(2, 1, new Uint8Array(2 * LARGE_BYTES))
      .subarray()
      .subarray(0, 5)
    assert.deepEqual([...assembly.take(new Uint8ArrayList(start, piece))], [])
    const [frame] = [...assembly.take(rest)]
    assert.deepEqual([piece.length, rest.length], [0, 0])
    assert.equal(frame?.payload.length, 2 * LARGE_BYTES)
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

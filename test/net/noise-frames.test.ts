import './nodes.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Uint8ArrayList } from 'uint8arraylist'
import { giveBack, LARGE_BYTES, lend, roomFor } from '../../src/buffers.js'
import { FrameReader } from '../../src/net/noise-frames.js'
import { bytes, Cluster, connected } from './nodes.js'

/** Frames as they come over the wire, each behind its length. */
const sealed = (frames: readonly Uint8Array[]): Buffer =>
  Buffer.concat(frames.flatMap((frame) => [Uint8Array.of(frame.length >> 8, frame.length), frame]))

describe('the reader of encrypted frames', () => {
  it('finds the frames in whatever pieces they arrive, and none that is empty', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (frames, steps) => {
        const bytes = sealed(frames)
        const reader = new FrameReader()
        const found: Buffer[] = []
        for (let at = 0, step = 0; at < bytes.length; at += steps[step++ % steps.length]!) {
          const piece = bytes.subarray(at, at + steps[step % steps.length]!)
          const half = piece.length >> 1
          const arrived = step % 2 === 0 ? piece : new Uint8ArrayList(piece.subarray(0, half), piece.subarray(half))
          for (const frame of reader.decode(arrived)) found.push(Buffer.from(frame.subarray()))
        }
        assert.deepEqual(
          found,
          frames.filter(({ length }) => length > 0).map((frame) => Buffer.from(frame))
        )
      })
    )
  })

  it('frees what arrived when it is read to its end, and not before', () => {
    const bytes = sealed([1, 2].map((byte) => new Uint8Array(2 * LARGE_BYTES).fill(byte)))
    const cut = 2 * LARGE_BYTES + 100
    const [first, second] = [Uint8Array.from(bytes.subarray(0, cut)), Uint8Array.from(bytes.subarray(cut))]
    const reader = new FrameReader()
    for (const frame of reader.decode(first)) assert.equal(frame.get(0), 1)
    assert.equal(first.length, cut, 'the second frame began in it')
    for (const frame of reader.decode(second))
      assert.ok(frame.subarray().every((byte) => byte === 2) && frame.byteLength === 2 * LARGE_BYTES)
    assert.deepEqual([first.length, second.length], [0, 0])
  })
})

describe('a connection', { timeout: 120_000 }, () => {
  it('tells when an answer that was lent to it is on its way', async () => {
    const cluster = new Cluster()
    try {
      const a = await cluster.started()
      const b = await cluster.started({ peers: [a.address] })
      await connected(a, b)
      const lent = roomFor(1024 * 1024).fill(7)
      lend(lent)
      giveBack(lent)
      a.onRequest = async () => lent
      const got = await b.network.request(a.id, 'blob', bytes('x'))
      assert.ok(got.length === 1024 * 1024 && got.every((byte) => byte === 7))
      assert.equal(lent.length, 0)
    } finally {
      await cluster.stop()
    }
  })
})

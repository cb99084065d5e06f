import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Stream } from '@libp2p/interface'
import type { GrapevineError } from '../../src/errors.js'
import { FrameType } from '../../src/net/frames.js'
import { createHost, type Host } from '../../src/net/host.js'
import { keyFromSeed } from '../../src/net/keys.js'
import { READ_QUEUE_BYTES, STREAM_WINDOW_BYTES, WRITE_AHEAD_BYTES } from '../../src/net/limits.js'
import { Outgoing } from '../../src/net/outgoing.js'
import { readable } from '../../src/net/readable.js'
import { FrameWriter } from '../../src/net/writer.js'
import { bytes, clock, until } from './nodes.js'

const FRAME = 256 * 1024
const FRAMES = 160

describe('a stream with a fast writer and a slow reader', { timeout: 120_000 }, () => {
  let hosts: Host[]
  let taken: Stream | undefined

  beforeEach(async () => {
    const secret = randomBytes(32)
    const make = (): Promise<Host> =>
      createHost({
        privateKey: keyFromSeed(randomBytes(32)),
        secrets: { open: [secret], closed: [] },
        listen: ['/ip4/127.0.0.1/tcp/0'],
        announce: (all) => all,
        gater: {}
      })
    hosts = [await make(), await make()]
    taken = undefined
    await hosts[0]!.libp2p.handle('/test/1', (stream) => void (taken = stream))
    await Promise.all(hosts.map(({ libp2p }) => libp2p.start()))
  })
  afterEach(() => Promise.all(hosts.map(({ libp2p }) => libp2p.stop())))

  it('holds the writer back at every stage, loses nothing and is not reset', async () => {
    const stream = await hosts[1]!.libp2p.dialProtocol(hosts[0]!.libp2p.getMultiaddrs(), '/test/1')
    const writer = new FrameWriter(stream)
    let written = 0
    const writing = (async () => {
      for (let n = 0; n < FRAMES; n++) {
        await writer.write(() => new Uint8Array(FRAME))
        written += FRAME
      }
      await stream.close()
    })()
    await until('it is accepted', () => taken !== undefined)
    let read = 0
    let ahead = 0
    let buffered = 0
    for await (const chunk of readable(taken!)) {
      read += chunk.byteLength
      ahead = Math.max(ahead, written - read)
      buffered = Math.max(buffered, taken!.readBufferLength)
      // About 30 MB/s: a tenth of what the connection carries.
      await new Promise((resolve) => setTimeout(resolve, chunk.byteLength / 30_000))
    }
    await writing
    assert.ok(read >= FRAMES * FRAME)
    assert.ok(buffered <= STREAM_WINDOW_BYTES, `${buffered} bytes were buffered by the paused stream`)
    const socketBuffers = 6 * 1024 * 1024
    assert.ok(
      ahead < WRITE_AHEAD_BYTES + STREAM_WINDOW_BYTES + READ_QUEUE_BYTES + socketBuffers,
      `the writer was ${ahead} bytes ahead`
    )
  })

  it('that no longer takes anything fails a request at once, and not when its time is over', async () => {
    const stream = await hosts[1]!.libp2p.dialProtocol(hosts[0]!.libp2p.getMultiaddrs(), '/test/1')
    await until('it is accepted', () => taken !== undefined)
    const outgoing = new Outgoing({ clock, closed: () => undefined }, 'peer', stream)
    // its writing end alone, as while a connection is being closed
    await stream.close()
    assert.equal(stream.status, 'open')
    await assert.rejects(
      outgoing.call(FrameType.request, bytes('x'), { timeoutMs: 20_000 }),
      (error: GrapevineError) => error.code === 'peer-unreachable' && /could not be written to/.test(error.message)
    )
    assert.equal(outgoing.inFlight, 0)
  })
})

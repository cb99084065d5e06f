import './nodes.js'
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import { corked } from '../../src/net/corked.js'
import { bytes, Cluster, connected, type Node } from './nodes.js'

/** Where every write of a socket passes, alone or gathered. */
interface Writing {
  _writeGeneric(gathered: boolean, data: Uint8Array | { chunk: Uint8Array }[], ...rest: unknown[]): unknown
}

describe('messages on a connection', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  let b: Node
  const socket = Socket.prototype as unknown as Writing
  const original = socket._writeGeneric

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
    b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
  })
  afterEach(async () => {
    socket._writeGeneric = original
    await cluster.stop()
  })

  it('are written at once, not their length first', async () => {
    const written: number[] = []
    socket._writeGeneric = function (this: Writing, gathered, data, ...rest) {
      const pieces = Array.isArray(data) ? data.map(({ chunk }) => chunk) : [data]
      written.push(pieces.reduce((sum, piece) => sum + piece.length, 0))
      return original.call(this, gathered, data, ...rest)
    }
    for (let n = 0; n < 20; n++) await a.network.request(b.id, 'sync', bytes('x'))
    assert.ok(written.length >= 40, `${written.length} writes were seen`)
    assert.deepEqual(
      written.filter((length) => length <= 2),
      []
    )
  })
})

describe('a corked encryption', () => {
  const wrapped = (wire: object): void => {
    const encrypter = { protocol: '/test', secureInbound: () => undefined, secureOutbound: () => undefined }
    const make = corked(() => encrypter as unknown as ConnectionEncrypter)
    void make({}).secureInbound(wire as MessageStream)
  }

  it('lets the socket go again when writing fails', () => {
    const calls: string[] = []
    const wire = {
      socket: { cork: () => void calls.push('cork'), uncork: () => void calls.push('uncork') },
      sendData: () => {
        calls.push('write')
        throw new Error('gone')
      }
    }
    wrapped(wire)
    assert.throws(() => wire.sendData(), /gone/)
    assert.deepEqual(calls, ['cork', 'write', 'uncork'])
  })

  it('leaves streams alone that are no socket', () => {
    const sendData = (): void => undefined
    const wire = { sendData }
    wrapped(wire)
    assert.equal(wire.sendData, sendData)
  })
})

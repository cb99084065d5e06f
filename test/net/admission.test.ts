import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { joinOver, type JoinOptions } from '../../src/net/index.js'
import { GrapevineError, ERRORS } from '../../src/errors.js'
import { silentLogger } from '../../src/runtime.js'
import { decodeJoinAnswer } from '../../src/wire/index.js'
import { bytes, Cluster, connected, until, type Node } from './nodes.js'
import { RawPeer } from './raw.js'

describe('who gets in', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let a: Node
  const raws: RawPeer[] = []

  beforeEach(async () => {
    cluster = new Cluster()
    a = await cluster.started()
  })
  afterEach(async () => {
    await cluster.stop()
    await Promise.all(raws.splice(0).map(({ host }) => host.libp2p.stop()))
  })

  const raw = async (seed: Uint8Array): Promise<RawPeer> => {
    const peer = await RawPeer.start(cluster, seed)
    raws.push(peer)
    return peer
  }
  const join = (options: Partial<JoinOptions> = {}): Promise<Uint8Array> =>
    joinOver({
      seed: randomBytes(32),
      clusterId: cluster.id,
      secrets: [cluster.secret],
      issuer: a.publicKey,
      addresses: [a.listen],
      mdns: false,
      request: bytes('let me in'),
      timeoutMs: 5_000,
      logger: silentLogger,
      ...options
    })

  it('refuses in the handshake who does not know the cluster secret, though it has a member key', async () => {
    const randomSecret = randomBytes(32)
    const b = await cluster.started({ secrets: () => ({ open: [randomSecret], closed: [] }), peers: [a.address] })
    await until('b tried', () => b.network.inspect().redial.some(({ lastError }) => lastError !== undefined))
    assert.equal(a.ups.length + b.ups.length, 0)
    assert.equal(a.network.inspect().gate.refusedInbound, 0, 'the gate was not even asked')
  })

  it('closes a key that is no member after the handshake, and dials none either', async () => {
    const b = await cluster.started({ member: false, peers: [a.address] })
    await until('a refused it', () => a.network.inspect().gate.refusedInbound > 0)
    assert.equal(a.ups.length + b.ups.length, 0)
    const c = await cluster.started({ peers: [b.listen] })
    await until('c refused it', () => c.network.inspect().gate.refusedOutbound > 0)
    assert.equal(c.ups.length, 0)
  })

  it('connects to a key as soon as it is a member', async () => {
    const b = await cluster.started({ member: false, peers: [a.address] })
    await until('a refused it', () => a.network.inspect().gate.refusedInbound > 0)
    cluster.members.add(Buffer.from(b.publicKey).toString('hex'))
    await connected(a, b)
  })

  it('cuts off a member that is removed', async () => {
    const b = await cluster.started({ peers: [a.address] })
    await connected(a, b)
    cluster.members.delete(Buffer.from(b.publicKey).toString('hex'))
    a.network.membershipChanged()
    await until('b is cut off', () => a.downs.includes(b.id) && !b.connectedTo(a))
  })

  it('lets a stranger join while an invitation is open, and hands over its proven key', async () => {
    cluster.strangersAllowed = true
    const seed = randomBytes(32)
    let seen: Uint8Array | undefined
    a.network.handleJoin(async (request, key) => {
      seen = key
      return bytes(`welcome: ${Buffer.from(request).toString()}`)
    })
    const answer = await join({ seed })
    assert.equal(Buffer.from(answer).toString(), 'welcome: let me in')
    const joiner = cluster.node({ privateSeed: seed })
    assert.deepEqual(Buffer.from(seen ?? []), Buffer.from(joiner.publicKey))
    await until('the stranger is gone', () => a.network.inspect().gate.strangers === 0)
    assert.equal(a.ups.length, 0, 'a stranger is never a peer')
  })

  it('lets a member whose answer was lost ask again', async () => {
    cluster.strangersAllowed = true
    const member = cluster.node()
    a.network.handleJoin(async () => {
      await until('a has tried to open a lane to it', () =>
        a.log.some(({ message }) => message.startsWith('A member speaks no lanes'))
      )
      return bytes('once more')
    })
    assert.equal(Buffer.from(await join({ seed: member.seed })).toString(), 'once more')
  })

  it('carries a join answer larger than a frame of a lane', async () => {
    cluster.strangersAllowed = true
    a.network.handleJoin(async () => new Uint8Array(5 * 1024 * 1024).fill(7))
    assert.equal((await join()).length, 5 * 1024 * 1024)
  })

  it('passes the refusal of the issuer on with its code', async () => {
    cluster.strangersAllowed = true
    a.network.handleJoin(() => Promise.reject(new GrapevineError('token-used', 'used', { next: 'n' })))
    const answer = await join()
    assert.throws(() => decodeJoinAnswer(answer), {
      code: 'token-used',
      message: new RegExp(ERRORS['token-used'].meaning)
    })
  })

  it('serves a stranger nothing but joining', async () => {
    cluster.strangersAllowed = true
    a.network.handleJoin(async (request) => request)
    const peer = await raw(randomBytes(32))
    const connection = await peer.dial(a)
    for (const protocol of [
      peer.protocols.lanes.sync,
      peer.protocols.lanes.blob,
      peer.protocols.ping,
      '/meshsub/1.2.0'
    ]) {
      const stream = await connection.newStream(protocol)
      await until(`${protocol} is reset`, () => stream.status !== 'open')
    }
    await assert.rejects(connection.newStream('/ipfs/id/1.0.0'), /protocol/i, 'nothing tells a stranger who we are')
    assert.equal(a.ups.length, 0)
  })

  it('refuses strangers while no invitation is open, and says so to the joiner', async () => {
    a.network.handleJoin(async () => bytes('never'))
    const startedAt = performance.now()
    await assert.rejects(join({ timeoutMs: 20_000 }), { code: 'token-unknown', next: /new invitation/ })
    assert.ok(performance.now() - startedAt < 10_000, 'it does not wait for the timeout')
  })

  it('tells what it tried when the issuer cannot be reached, and does not mistake another node for it', async () => {
    cluster.strangersAllowed = true
    a.network.handleJoin(async () => bytes('never'))
    await assert.rejects(join({ issuer: cluster.node().publicKey, timeoutMs: 1_500 }), (error: GrapevineError) => {
      assert.equal(error.code, 'issuer-unreachable')
      assert.deepEqual(Object.keys(error.facts.tried as object), [a.listen])
      return true
    })
  })

  it('holds no more strangers at once than its limit', async () => {
    cluster.strangersAllowed = true
    const peers = await Promise.all(Array.from({ length: 16 }, () => raw(randomBytes(32))))
    await Promise.all(peers.map((peer) => peer.dial(a)))
    await until('all are in', () => a.network.inspect().gate.strangers === 16)
    const late = await raw(randomBytes(32))
    await late.dial(a).catch(() => undefined)
    await until('the late one is refused', () => a.network.inspect().gate.refusedInbound === 1)
    assert.equal(a.network.inspect().gate.strangers, 16)
  })
})

/** Secrets of the cluster that come and go while nodes are connected. */
import './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { joinOver, type Secrets } from '../../src/net/index.js'
import { encryptionOf } from '../../src/net/encryption.js'
import { silentLogger } from '../../src/runtime.js'
import { bytes, Cluster, connected, publicKeyOf, until, type Node } from './nodes.js'

describe('secrets of a cluster', { timeout: 120_000 }, () => {
  const [old, fresh] = [randomBytes(32), randomBytes(32)]
  let cluster: Cluster
  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  const started = (secrets: { now: Secrets }, peers: readonly Node[] = []): Promise<Node> =>
    cluster.started({ secrets: () => secrets.now, peers: peers.map(({ address }) => address) })
  const only = (...open: Uint8Array[]): { now: Secrets } => ({ now: { open, closed: [] } })
  const used = (node: Node): string[] =>
    node.network.inspect().peers.flatMap(({ connections }) => connections.map(({ encryption }) => encryption))

  it('are told apart on the wire by a few digits of a hash', () => {
    assert.match(encryptionOf(old), /^\/grapevine\/noise\/[0-9a-f]{8}$/)
    assert.notEqual(encryptionOf(old), encryptionOf(fresh))
  })

  it('two nodes meet over the newest that both know, whichever has more', async () => {
    const a = await started(only(old))
    const b = await started(only(fresh, old), [a])
    await connected(a, b)
    assert.deepEqual(used(a), [encryptionOf(old)])
    const c = await started(only(fresh, old), [b])
    await connected(b, c)
    assert.deepEqual(used(c), [encryptionOf(fresh)])
  })

  it('one that is learnt while the node runs opens its door at once, and ends no connection', async () => {
    const secrets = only(old)
    const a = await started(secrets)
    const b = await started(only(old), [a])
    await connected(a, b)
    secrets.now = { open: [fresh, old], closed: [] }
    a.network.secretsChanged()
    const c = await started(only(fresh), [a])
    await connected(a, c)
    assert.equal(a.downs.length, 0)
    assert.equal(b.downs.length, 0)
  })

  it('one that is retired opens no door any more, and ends no connection', async () => {
    const secrets = only(fresh, old)
    const a = await started(secrets)
    const b = await started(only(old), [a])
    const c = await started(only(fresh, old), [a])
    await connected(a, b)
    await connected(a, c)
    secrets.now = { open: [fresh], closed: [old] }
    a.network.secretsChanged()
    const d = await started(only(old), [a])
    await until('d tried again', () => d.network.inspect().redial.some(({ attempts }) => attempts > 1))
    assert.equal(a.connectedTo(d), false)
    assert.ok(b.network.notify(a.network.self, bytes('still there')))
    await until('a hears b', () => a.notices.some(({ text }) => text === 'still there'))
    for (const node of [a, b, c]) assert.deepEqual(node.downs, [])

    // who knows no other does not come back once the connection ends by itself
    await b.network.stop()
    await until('b is gone', () => a.downs.includes(b.network.self))
    await b.network.start()
    await until('b tried again', () => b.network.inspect().redial.some(({ attempts }) => attempts > 1))
    assert.equal(a.connectedTo(b), false)
    assert.equal(a.connectedTo(c), true)
  })

  it('a member that knows the retired one alone may ask the way back and nothing else; nobody else may', async () => {
    const a = await started({ now: { open: [fresh], closed: [old] } })
    a.network.handleJoin(async (request, key) => bytes(`${Buffer.from(request).toString()} ${key.length}`))
    cluster.strangersAllowed = true
    const seed = randomBytes(32)
    const ask = (secrets: readonly Uint8Array[]): Promise<Uint8Array> =>
      joinOver({
        seed,
        clusterId: cluster.id,
        secrets,
        issuer: undefined,
        addresses: [a.listen],
        mdns: false,
        request: bytes('what is new'),
        timeoutMs: 3_000,
        logger: silentLogger
      })
    await assert.rejects(ask([old]))
    assert.equal(
      Buffer.from(await ask([fresh])).toString(),
      'what is new 32',
      'a stranger with the present one may join'
    )
    cluster.mayReturn.add(Buffer.from(publicKeyOf(seed)).toString('hex'))
    assert.equal(Buffer.from(await ask([old])).toString(), 'what is new 32')
    cluster.strangersAllowed = false
    assert.equal(Buffer.from(await ask([old])).toString(), 'what is new 32')
    assert.equal(a.ups.length, 0)
  })
})

/** Run inside a network namespace by mdns.test.ts: two clusters on one LAN, no address given to anybody. */
import { Cluster, bytes, connected, until } from './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { joinOver } from '../../src/net/index.js'
import { silentLogger } from '../../src/runtime.js'

const options = { mdns: true, listen: ['/ip4/0.0.0.0/tcp/0'] }
const [blue, red] = [new Cluster(), new Cluster()]
const [a, b, x, y] = [
  await blue.started(options),
  await blue.started(options),
  await red.started(options),
  await red.started(options)
]
await connected(a, b)
await connected(x, y)
assert.ok(
  a.network.peers()[0]?.addresses[0]?.startsWith('/ip4/10.9.0.1/tcp/'),
  'the address of the LAN is announced, not loopback'
)
assert.ok([a, b].some((node) => node.network.peers()[0]?.found === 'mdns'))
for (const node of [a, b, x, y]) {
  assert.equal(node.network.inspect().redial.length, 1, 'a node of the other cluster is not even known')
  const { refusedInbound, refusedOutbound, strangers } = node.network.inspect().gate
  assert.deepEqual([refusedInbound, refusedOutbound, strangers], [0, 0, 0])
}

a.network.hangUp(b.id, 'test')
// both may dial at once, and one of the two links then makes way
await until('they found each other again', () => a.ups.length >= 2 && b.ups.length >= 2)
await connected(a, b)

blue.strangersAllowed = true
a.network.handleJoin(async () => bytes('welcome'))
const answer = await joinOver({
  seed: randomBytes(32),
  clusterId: blue.id,
  secrets: [blue.secret],
  issuer: a.publicKey,
  addresses: [],
  mdns: true,
  request: bytes('x'),
  timeoutMs: 30_000,
  logger: silentLogger
})
assert.equal(Buffer.from(answer).toString(), 'welcome')
await Promise.all([blue.stop(), red.stop()])
process.stdout.write('found\n')

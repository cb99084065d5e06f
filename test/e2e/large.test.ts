/** Large files travel beside the small ones and never in their way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withCluster } from './cluster.js'
import { changesFlow, share } from './large.js'

test(
  'a file of 6 MB arrives on two nodes, and right afterwards small changes flow on every link',
  withCluster(async (cluster, t) => {
    await cluster.of(3)
    await cluster.connected()
    await changesFlow(cluster, 'before')
    const { seconds } = await share(cluster, 'six megabytes.bin', 6_000_000, 60_000)
    const slowest = await changesFlow(cluster, 'after')
    t.diagnostic(`6 MB in ${seconds} s, small changes afterwards in at most ${slowest} ms`)
    await cluster.equal()
    await cluster.verified()
    for (const node of cluster.nodes) {
      const { peers, blobs } = await node.status()
      assert.deepEqual(
        peers.map(({ connected, inSync }) => [connected, inSync]),
        [
          [true, true],
          [true, true]
        ]
      )
      assert.equal(blobs.wanted, 0)
    }
  })
)

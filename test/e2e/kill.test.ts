/** Daemons that die at any moment lose nothing they acknowledged, and need nobody to come back. */
import { test } from 'node:test'
import { withCluster } from './cluster.js'
import { copyFixture } from './fixtures.js'
import { storm } from './storm.js'

test(
  'daemons killed during a burst of 2,000 changes come back into equality with everything they acknowledged',
  withCluster(async (cluster, t) => {
    await cluster.found('a', { before: copyFixture })
    await cluster.join('b')
    await cluster.join('c')
    await cluster.equal()
    const seed = Date.now() % 2 ** 32
    t.diagnostic(`seed ${seed}`)
    t.diagnostic(JSON.stringify(await storm(cluster, { changes: 2_000, kills: 6, seed })))
  })
)

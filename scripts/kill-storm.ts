/**
 * Kills real daemons again and again during a burst of 2,000 changes, then checks that all nodes are equal and that
 * every acknowledged change is there.
 *
 *   npm run kill-storm -- [--kills 30] [--changes 2000] [--seed N]
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { copyFixture } from '../test/e2e/fixtures.js'
import { storm } from '../test/e2e/storm.js'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    changes: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) }
  }
})
process.stdout.write(`seed ${values.seed}\n`)
const cluster = new Cluster()
try {
  await cluster.found('a', { before: copyFixture })
  await cluster.join('b')
  await cluster.join('c')
  await cluster.equal()
  const result = await storm(cluster, {
    changes: Number(values.changes),
    kills: Number(values.kills),
    seed: Number(values.seed),
    progress: (kills, acknowledged) => process.stdout.write(`${kills} kills, ${acknowledged} changes acknowledged\n`)
  })
  process.stdout.write(`${JSON.stringify(result)}\n`)
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
}

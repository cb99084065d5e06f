/**
 * Plays some of the history of a real data directory in real time and counts the requests for maps that fail: at two
 * GeoServers (stand-ins that reload as slowly as was measured) told by their nodes, and at one that is reloaded for each
 * change.
 *
 *   npm run geoserver-outages -- --data DIR_OR_ARCHIVE [--from 560] [--steps 200] [--seconds 600]
 *
 * Prints a report as JSON and ends with 1 when fewer than 95 % of the failures are spared.
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { folderOf } from '../test/e2e/fixtures.js'
import { measureOutages } from '../test/e2e/geoserver-outages.js'
import { History } from '../test/e2e/history.js'

const PROGRESS_EVERY_STEPS = 20
const GOAL_PERCENT = 95

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    from: { type: 'string', default: '560' },
    steps: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '600' }
  }
})
if (values.data === undefined) {
  process.stderr.write(
    'usage: npm run geoserver-outages -- --data DIR_OR_ARCHIVE [--from N] [--steps N] [--seconds N]\n'
  )
  process.exit(2)
}

const folder = folderOf(values.data)
const cluster = new Cluster()
try {
  const report = await measureOutages(cluster, [new History(folder), new History(folder)], {
    from: Number(values.from),
    steps: Number(values.steps),
    ms: Number(values.seconds) * 1_000,
    progress: (done, of) => {
      if (done % PROGRESS_EVERY_STEPS === 0 || done === of) process.stdout.write(`${done} of ${of} steps\n`)
    }
  })
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  if (report.fewerPercent < GOAL_PERCENT) process.exitCode = 1
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
}

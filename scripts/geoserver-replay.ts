/**
 * Plays the history of a real data directory at one of several daemons with the GeoServer adapter, and looks at the
 * others' directories after every single write: none may have a reference that leads nowhere where the source has none.
 *
 *   npm run geoserver-replay -- --data DIR_OR_ARCHIVE [--from N] [--steps N] [--nodes 3] [--geoservers]
 *                               [--broken-after-ms 3000]
 *
 * `--from`: so many steps are there at the start. `--geoservers`: a stand-in for GeoServer runs over each receiving
 * directory and is told. Prints a report as JSON and ends with 1 when something was broken or touched.
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { folderOf } from '../test/e2e/fixtures.js'
import { replayGeoServer } from '../test/e2e/geoserver-replay.js'
import { History } from '../test/e2e/history.js'

const PROGRESS_EVERY_STEPS = 20

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    from: { type: 'string', default: '0' },
    steps: { type: 'string' },
    nodes: { type: 'string', default: '3' },
    geoservers: { type: 'boolean', default: false },
    'broken-after-ms': { type: 'string', default: '3000' }
  }
})
if (values.data === undefined) {
  process.stderr.write(
    'usage: npm run geoserver-replay -- --data DIR_OR_ARCHIVE [--from N] [--steps N] [--geoservers]\n'
  )
  process.exit(2)
}

const cluster = new Cluster()
try {
  const report = await replayGeoServer(cluster, new History(folderOf(values.data)), {
    from: Number(values.from),
    ...(values.steps !== undefined && { steps: Number(values.steps) }),
    nodes: Number(values.nodes),
    geoservers: values.geoservers,
    brokenAfterMs: Number(values['broken-after-ms']),
    progress: (done, of, ms) => {
      if (done % PROGRESS_EVERY_STEPS === 0 || done === of)
        process.stdout.write(`${done} of ${of} steps, the last in ${Math.round(ms)} ms\n`)
    }
  })
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  if (report.touched.length > 0 || report.receivers.some(({ violations }) => violations.length > 0))
    process.exitCode = 1
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
}

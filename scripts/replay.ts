/**
 * Plays a whole recorded history through three real daemons; after every step all directories must have the recorded
 * tree hash.
 *
 *   npm run replay -- --data DIR_OR_ARCHIVE [--steps N] [--from N] [--rotate] [--geoserver-writes]
 *
 * `--steps` plays that many, `--from` begins later (what was before is there at the start), `--rotate` lets another node
 * write each step. Ends with 1 when a step was not equal everywhere.
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { folderOf } from '../test/e2e/fixtures.js'
import { History, type Step } from '../test/e2e/history.js'
import { replay } from '../test/e2e/replay.js'

const PROGRESS_EVERY_STEPS = 20

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    steps: { type: 'string' },
    from: { type: 'string', default: '0' },
    nodes: { type: 'string', default: '3' },
    rotate: { type: 'boolean', default: false },
    'geoserver-writes': { type: 'boolean', default: false }
  }
})
if (values.data === undefined) {
  process.stderr.write(
    'usage: npm run replay -- --data DIR_OR_ARCHIVE [--steps N] [--from N] [--rotate] [--geoserver-writes]\n'
  )
  process.exit(2)
}

const history = new History(folderOf(values.data))
const from = Number(values.from)
const cluster = new Cluster()
try {
  let left: readonly Step[] = []
  await cluster.found('a', { before: (dir) => void (left = history.begin(dir, from)) })
  for (let at = 1; at < Number(values.nodes); at++) await cluster.join(String.fromCharCode(97 + at))
  await cluster.connected()
  await cluster.equal()
  const steps = left.slice(0, values.steps === undefined ? undefined : Number(values.steps))
  const summary = await replay(cluster.nodes, history, steps, {
    writing: values['geoserver-writes'] ? 'geoserver' : 'plain',
    rotate: values.rotate,
    progress: (done, of, ms) => {
      if (done % PROGRESS_EVERY_STEPS === 0 || done === of)
        process.stdout.write(`${done} of ${of} steps, the last in ${Math.round(ms)} ms\n`)
    }
  })
  await cluster.verified()
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (summary.mismatches > 0) process.exitCode = 1
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
}

/**
 * Measures what three GeoServers (stand-ins) are asked by their nodes: for a style with a new graphic, for a new layer, for
 * 500 changes in ten seconds, and for a reload by a person.
 *
 *   npm run geoserver-gently
 *
 * Takes some minutes, for turns to reload come once a minute. Prints a report as JSON and ends with 1 when a goal is missed.
 */
import '../src/polyfill.js'
import { Cluster } from '../test/e2e/cluster.js'
import { measureGently } from '../test/e2e/geoserver-gently.js'

const cluster = new Cluster()
try {
  const report = await measureGently(cluster, (what) => void process.stdout.write(`${what}\n`))
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  const { style, layer, burst, reload } = report
  const good =
    style.records === 1 &&
    [...style.calls, ...style.reloads, reload.records, ...reload.calls].every((count) => count === 0) &&
    layer.reloads.every((count) => count === 1) &&
    burst.reloads.every((count) => count <= 2) &&
    Math.max(layer.atOnce, burst.atOnce) <= 1
  if (!good) process.exitCode = 1
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
}

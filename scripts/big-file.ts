/**
 * Shares a file of 1 GiB among three real daemons and tells how long it took and how much their memory grew; then
 * small changes must still flow on every link. Needs about six times the size on disk.
 *
 *   npm run big-file -- [--mib 1024]
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { changesFlow, share } from '../test/e2e/large.js'

/** What the resident memory of a daemon may grow by, bytes. */
const MAX_GROWTH_BYTES = 150 * 1024 * 1024
const PATIENCE_MS = 20 * 60_000
const MIB = 1024 * 1024

const { values } = parseArgs({ options: { mib: { type: 'string', default: '1024' } } })
const bytes = Number(values.mib) * MIB
const cluster = new Cluster()
try {
  await cluster.of(3)
  await cluster.connected()
  await changesFlow(cluster, 'before')
  const { seconds, growth } = await share(cluster, 'big.bin', bytes, PATIENCE_MS)
  const smallMs = await changesFlow(cluster, 'after')
  await cluster.verified()
  const grownMiB = Object.fromEntries(Object.entries(growth).map(([name, grown]) => [name, Math.round(grown / MIB)]))
  process.stdout.write(`${JSON.stringify({ mib: Number(values.mib), seconds, grownMiB, smallMs })}\n`)
  if (Object.values(growth).some((grown) => grown > MAX_GROWTH_BYTES)) {
    process.stderr.write(`a daemon grew by more than ${MAX_GROWTH_BYTES / MIB} MiB\n`)
    process.exitCode = 1
  }
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
}

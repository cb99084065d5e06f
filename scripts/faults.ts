/**
 * Daemons that cannot write: every cause we know, each while it lasts and after it is gone. Nothing may be acknowledged
 * that is not kept, and writing must go on within 10 s, in the same process. What needs root is skipped without it.
 *
 *   npm run faults -- [--only text] [--step 1]
 *
 * `--step` tries every so many of the numbered calls. Ends with 1 when anything fails.
 */
import '../src/polyfill.js'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reasonOf } from '../src/errors.js'
import { Cluster } from '../test/e2e/cluster.js'
import { CHANGES_OF_FILES, full, injectedCauses, noDescriptors, readOnly } from '../test/faults/causes.js'
import { DaemonFaults } from '../test/faults/daemon.js'
import { Changes, outage } from '../test/faults/outage.js'
import { sweepCalls } from '../test/faults/sweep.js'
import { mountSmall } from '../test/small-fs.js'

/** What is too little for a ballast to leave anything. */
const SMALL = '48m'

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, step: { type: 'string', default: '1' } }
})
let failed = 0
await scenario('injected errors', injected)
await scenario('every call failing once', everyCall)
await scenario('a full or read-only file system', fileSystems)
process.exitCode = failed === 0 ? 0 : 1

async function scenario(name: string, run: (cluster: Cluster) => Promise<void>): Promise<void> {
  if (!name.includes(values.only)) return
  const cluster = new Cluster()
  try {
    await run(cluster)
  } catch (error) {
    failed += 1
    process.stdout.write(`FAILED  ${name}: ${reasonOf(error)}\n${cluster.tails()}`)
  } finally {
    await cluster.close()
  }
}

/** Both after the causes and after a crash behind them, all that was acknowledged is there. */
async function kept(cluster: Cluster, changes: Changes): Promise<void> {
  const [node] = cluster.nodes
  await node!.kill()
  await node!.start()
  await changes.kept()
  process.stdout.write(`ok      ${changes.acknowledged} acknowledged changes are there after a kill\n`)
  changes.close()
}

async function injected(cluster: Cluster): Promise<void> {
  const faults = new DaemonFaults(cluster.place)
  const node = await cluster.found('a', faults.options)
  const changes = new Changes(node)
  for (const cause of [...injectedCauses(faults), noDescriptors(node)])
    try {
      const { refused, ms } = await outage(node, changes, cause)
      process.stdout.write(`ok      ${cause.name}: ${refused.length} refused; writes again after ${ms} ms\n`)
    } catch (error) {
      failed += 1
      process.stdout.write(`FAILED  ${cause.name}: ${reasonOf(error)}\n${node.tail()}\n`)
    }
  await kept(cluster, changes)
}

async function everyCall(cluster: Cluster): Promise<void> {
  const faults = new DaemonFaults(cluster.place)
  const node = await cluster.found('a', faults.options)
  const changes = new Changes(node)
  const step = Number(values.step)
  for (const code of ['EIO', 'ENOSPC'])
    for (const large of [false, true]) {
      const result = await sweepCalls(node, changes, faults, { op: CHANGES_OF_FILES, large, step, code })
      const which = `${code} once at each change of a file under ${large ? 'a large' : 'a small'} change`
      process.stdout.write(
        `ok      ${which}: ${result.failed.length} calls, ${result.refused.length} changes refused\n`
      )
    }
  await kept(cluster, changes)
}

async function fileSystems(cluster: Cluster): Promise<void> {
  const [home, dir] = [join(cluster.place, 'a', 'home'), join(cluster.place, 'a', 'catalog')]
  const mounted = [home, dir].map((path) => mountSmall(path, SMALL))
  for (const small of mounted) if (small !== undefined) cluster.onClose(() => small.unmount())
  if (mounted.includes(undefined)) {
    process.stdout.write('skipped a full or read-only file system: mounting one needs root\n')
    return
  }
  const node = await cluster.found('a')
  const changes = new Changes(node)
  const causes = [
    full(home, 'a full file system under the home', true),
    full(dir, 'a full file system under the shared directory', false),
    readOnly(dir, 'the shared directory mounted read-only')
  ]
  for (const cause of causes) {
    const { refused, ms } = await outage(node, changes, cause)
    process.stdout.write(`ok      ${cause.name}: ${refused.length} refused; writes again after ${ms} ms\n`)
  }
  await kept(cluster, changes)
}

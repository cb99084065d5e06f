/** Real daemons that cannot write for a while. `npm run faults` has all causes; those that need root are only there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { reasonOf } from '../../src/errors.js'
import { withCluster } from '../e2e/cluster.js'
import { injectedCauses, noDescriptors } from './causes.js'
import { DaemonFaults } from './daemon.js'
import { Changes, outage } from './outage.js'

const HAS_PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit'].some((path) => existsSync(path))

test(
  'while a daemon cannot write it acknowledges nothing, and soon after it goes on by itself',
  withCluster(async (cluster, t) => {
    const faults = new DaemonFaults(cluster.place)
    const node = await cluster.found('a', faults.options)
    const changes = new Changes(node)
    try {
      for (const cause of [...injectedCauses(faults), ...(HAS_PRLIMIT ? [noDescriptors(node)] : [])]) {
        const { refused, ms } = await outage(node, changes, cause).catch((error: unknown) => {
          throw new Error(`${cause.name}: ${reasonOf(error)}`, { cause: error })
        })
        t.diagnostic(`${cause.name}: ${refused.join(' ')}; writes again after ${ms} ms`)
      }
      await node.kill()
      await node.start()
      await changes.kept()
    } finally {
      changes.close()
    }
  })
)

test(
  'a daemon that starts while nothing can be written says why, and starts once it can',
  withCluster(async (cluster) => {
    const faults = new DaemonFaults(cluster.place)
    const node = await cluster.found('a', faults.options)
    await node.stop()
    faults.set({ op: 'create|write|sync', path: '/home/' })
    await node.start().then(
      () => Promise.reject(new Error('it started')),
      (error: Error) => {
        if (!/store-failed/.test(error.message)) throw error
      }
    )
    faults.clear()
    await node.start()
    if (!existsSync(join(node.home, 'config.json'))) throw new Error('no settings')
  })
)

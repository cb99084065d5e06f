/**
 * Removal and rotation in a LAN of namespaces while nodes are away, and a search for everything secret afterwards.
 *
 *   npm run lan-security [-- --plant capture|log|output|process|home]
 *
 * Needs root, iproute2 and tcpdump (installed from the distribution when it is missing); without them it says what it
 * skips. Five daemons find each other by multicast DNS. Shown, with the times it took:
 *
 * 1. While one node is stopped another is removed: every reachable member hangs up on it.
 * 2. The secret of the cluster is rotated twice and a node changes its key, without an outage.
 * 3. A member that is cut off, together with one that is removed meanwhile, learns of it when it is back.
 * 4. Who was stopped for all of that is in step again by itself; who was removed stays out; all catalogs are equal.
 * 5. No word of the catalog and no secret is in what was said on the network, which was captured from start to end. No
 *    secret is in a log, in what commands printed, in arguments or environment of a daemon, or in a file of a home that is
 *    not meant for it.
 *
 * `--plant` puts a secret where it must be found, so that the search is seen to fail.
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { Capture } from './lan-capture.js'
import { PLACES, SecurityLan, type Place } from './lan-security-world.js'
import { story } from './lan-security-story.js'
import { search } from './lan-security-search.js'
import { Lan } from './network-lan.js'

const { values } = parseArgs({ options: { plant: { type: 'string' } } })
const plant = values.plant as Place | undefined

if (plant !== undefined && !PLACES.includes(plant)) {
  process.stderr.write(`nothing can be planted in "${plant}"; there are ${PLACES.join(', ')}\n`)
  process.exitCode = 2
} else if (!Lan.available) {
  process.stdout.write('skipped: this needs root, and iproute2 that may make network namespaces (ip netns add)\n')
} else {
  const cluster = new Cluster()
  const lan = new Lan()
  cluster.onClose(() => lan.close())
  try {
    const without = Capture.whyNot()
    if (without !== undefined) process.stdout.write(`the search of the network is skipped: ${without}\n`)
    const world = new SecurityLan(cluster, lan, without === undefined ? new Capture(lan, cluster.place) : undefined)
    await world.capture?.started()
    await story(world)
    await search(world, plant)
    if (world.failed > 0) process.exitCode = 1
  } catch (error) {
    process.stderr.write(cluster.tails())
    throw error
  } finally {
    await cluster.close()
  }
}

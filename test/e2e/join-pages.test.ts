/** Joining a cluster that has more to say of its members than fits into one answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MEMBERS_SPACE } from '../../src/identity/index.js'
import { readHome } from '../../src/node/home.js'
import { noTransport, openHome } from '../../src/node/open.js'
import { silentLogger } from '../../src/runtime.js'
import { MAX_JOIN_RECORDS } from '../../src/wire/index.js'
import { flood } from '../node/members-flood.js'
import { succeeded, withCluster } from './cluster.js'
import type { Node } from './node.js'

/** Of a node that does not run. */
async function opened<T>(node: Node, work: (of: Awaited<ReturnType<typeof openHome>>) => Promise<T> | T): Promise<T> {
  const home = await readHome(node.home)
  const open = await openHome(home, noTransport(home.node), silentLogger)
  try {
    return await work(open)
  } finally {
    await open.close()
  }
}

const membersRecords = (node: Node): Promise<number> =>
  opened(node, ({ replica }) =>
    [...replica.log.logs()].reduce((sum, head) => sum + (head.space === MEMBERS_SPACE ? head.applied : 0), 0)
  )

test(
  'a newcomer is told all of a long history of the members over the network, a page a connection, and works at once',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    await a.stop()
    const home = await readHome(a.home)
    await opened(a, (open) => flood(open, home, 2 * MAX_JOIN_RECORDS))
    await a.start()
    const token = succeeded(await a.cli('invite', '--uses', '1')).trim()
    const b = cluster.fresh('b')
    succeeded(await b.cli('join', token, '--name', 'b', '--no-mdns'))
    const told = await membersRecords(b)
    assert.ok(told > 2 * MAX_JOIN_RECORDS, `${told} records came with joining`)
    await b.start()
    await cluster.connected([a, b])
    await cluster.equal([a, b])
    await Promise.all([a.stop(), b.stop()])
    assert.equal(await membersRecords(a), await membersRecords(b))
  })
)

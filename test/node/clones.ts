/** Homes that are not what they were: copied back, cloned, restored elsewhere, snapshotted. With real daemons. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StatusView } from '../../src/control/target.js'
import { succeeded, type Cluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'
import { epochOf, logsOf, noForks } from './logs.js'

/** What is detected must be detected within this after contact, ms. */
export const DETECTED_MS = 30_000

export interface Scenario {
  readonly name: string
  run(cluster: Cluster): Promise<void>
}

async function* from(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

const put = (node: Node, path: string, text: string): Promise<unknown> => node.client.put(path, from(text))

async function text(node: Node, path: string): Promise<string> {
  return succeeded(await node.cli('cat', path))
}

/** As `cp -a` copies a home; the socket of a running daemon is left out. */
export function copyHome(from_: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from_, to, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => !path.endsWith('.sock') && !path.endsWith('LOCK')
  })
}

/** Makes a copy look as a snapshot of the whole disk would: its own stamp tells nothing. */
export function asSnapshot(home: string): void {
  const { ino, ctimeNs } = statSync(join(home, 'life'), { bigint: true })
  const stamp = JSON.parse(readFileSync(join(home, 'life.json'), 'utf8')) as object
  writeFileSync(join(home, 'life.json'), JSON.stringify({ ...stamp, inode: String(ino), changedNs: String(ctimeNs) }), {
    mode: 0o600
  })
}

/** Settings that name places of the original must not lead a copy there. */
function ownPlaces(home: string): void {
  rmSync(join(home, 'config.json'), { force: true })
}

export async function problem(node: Node, code: string): Promise<StatusView> {
  return until(
    `${node.name} shows ${code}`,
    async () => {
      const status = await node.status()
      return status.problems.some((each) => each.code === code) ? status : undefined
    },
    DETECTED_MS
  )
}

async function writable(node: Node): Promise<void> {
  await until(`${node.name} may write`, async () => (await node.status()).state === 'running')
}

export async function two(cluster: Cluster, role: 'author' | 'admin' = 'author'): Promise<[Node, Node]> {
  const a = await cluster.found('a')
  const b = await cluster.join('b', { role })
  await cluster.connected()
  await put(a, 'common', '1')
  await put(b, 'of-b', '1')
  await cluster.equal()
  return [a, b]
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'two processes on one home: the second is refused',
    async run(cluster) {
      const [a] = await two(cluster)
      const second = cluster.fresh('second', { home: a.home })
      await assert.rejects(second.start(), /home-locked/)
      await put(a, 'still', 'works')
    }
  },
  {
    name: 'an old copy of a home put back: another epoch before the first write, the lost end comes back from peers',
    async run(cluster) {
      const [a, b] = await two(cluster)
      await b.stop()
      const copy = join(cluster.place, 'copy')
      copyHome(b.home, copy)
      await b.start()
      await put(b, 'of-b', 'after the copy')
      await cluster.equal()
      const before = await epochOf(b)
      await b.stop()
      copyHome(copy, b.home)
      await b.start()
      await writable(b)
      assert.notEqual(await epochOf(b), before)
      await put(b, 'new', 'x')
      await cluster.equal()
      assert.equal(await text(b, 'of-b'), 'after the copy')
      await noForks([a, b])
    }
  },
  {
    name: 'an old copy put back and written to while alone: nothing collides, even so',
    async run(cluster) {
      const [a, b] = await two(cluster)
      await b.stop()
      const copy = join(cluster.place, 'copy')
      copyHome(b.home, copy)
      await b.start()
      await put(b, 'of-b', 'after the copy')
      await cluster.equal()
      await a.stop()
      await b.stop()
      copyHome(copy, b.home)
      await b.start()
      await writable(b)
      await put(b, 'alone', 'written before anybody could say')
      await a.start()
      await cluster.equal()
      await noForks([a, b])
      assert.equal(await text(a, 'alone'), 'written before anybody could say')
    }
  },
  {
    name: 'a disk snapshot rolled back and written to while alone: the fork is proven, the node stops, reidentify cures it and nothing is lost',
    async run(cluster) {
      const [a, b] = await two(cluster)
      await b.stop()
      const copy = join(cluster.place, 'copy')
      copyHome(b.home, copy)
      await b.start()
      await put(b, 'of-b', 'known to a')
      await put(b, 'more', 'known to a')
      await cluster.equal()
      await a.stop()
      await b.stop()
      copyHome(copy, b.home)
      asSnapshot(b.home)
      await b.start()
      await put(b, 'of-b', 'written by the rolled back one')
      await put(b, 'alone', 'nobody else has this')
      const { unreplicated } = await b.status()
      assert.ok(unreplicated >= 2)
      await a.start()
      const status = await problem(b, 'fork')
      assert.equal(status.state, 'read-only')
      const log = succeeded(await b.cli('inspect', 'log', '--json', '--limit', '1000'))
      const forked = (JSON.parse(log) as Array<{ state: string; log: string; seq: number; id: string }>).filter(
        ({ state }) => state === 'forked'
      )
      assert.equal(forked.length, 1)
      const both = (JSON.parse(log) as Array<{ log: string; seq: number }>).filter(
        (line) => line.log === forked[0]!.log && line.seq === forked[0]!.seq
      )
      assert.equal(both.length, 2, 'both records are kept')
      await b.stop()
      const view = JSON.parse(succeeded(await b.cli('reidentify', '--json'))) as {
        recordsSetAside: number
        entriesReissued: number
        was?: string
      }
      assert.ok(view.recordsSetAside >= 2 && view.entriesReissued >= 2 && view.was === undefined)
      await b.start()
      await writable(b)
      await cluster.equal()
      assert.equal(await text(a, 'alone'), 'nobody else has this')
      assert.equal(await text(a, 'more'), 'known to a')
      // neither value of the file both wrote is gone
      const entry = await a.json<{ tuples: Array<{ field: string }> }>('inspect', 'entry', 'of-b')
      const bodies = entry.tuples.filter(({ field }) => field === 'body')
      assert.equal(bodies.length, 2, JSON.stringify(bodies))
      await put(b, 'later', 'x')
      await cluster.equal()
      assert.deepEqual((await b.status()).problems, [])
    }
  },
  {
    name: 'a home cloned while its original lives: both stop writing within 30 s; a token gives the clone a key of its own, with what it wrote',
    async run(cluster) {
      const [a, b] = await two(cluster)
      await b.stop()
      const clone = cluster.fresh('clone')
      copyHome(b.home, clone.home)
      ownPlaces(clone.home)
      await clone.start()
      await writable(clone)
      await put(clone, 'of-clone', 'written by the clone')
      await b.start()
      await put(b, 'of-b', 'by the original').catch(() => undefined)
      await Promise.all([problem(b, 'identity-duplicated'), problem(clone, 'identity-duplicated')])
      for (const node of [b, clone]) {
        assert.equal((await node.status()).state, 'read-only')
        await assert.rejects(put(node, 'x', 'x'), { code: 'identity-duplicated' })
      }
      await clone.stop()
      await put(a, 'meanwhile', 'x')
      const { token } = await a.client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
      const view = JSON.parse(
        succeeded(await clone.cli('reidentify', '--token', token, '--no-mdns', '--name', 'c', '--json'))
      ) as { node: string; was: string }
      assert.equal(view.was, b.id)
      assert.notEqual(view.node, b.id)
      await b.restart()
      await clone.start()
      assert.equal(clone.id, view.node)
      await writable(clone)
      await writable(b)
      await put(b, 'again', 'b')
      await put(clone, 'again-too', 'c')
      await cluster.equal()
      assert.equal(await text(a, 'of-clone'), 'written by the clone')
      assert.equal(await text(a, 'common'), '1')
      await noForks([a, b, clone])
    }
  },
  {
    name: 'a disk snapshot of an admin that wrote elsewhere: while the original rests it lets its own new key in, and keeps what it wrote',
    async run(cluster) {
      const [a, b] = await two(cluster, 'admin')
      await b.stop()
      const clone = cluster.fresh('clone')
      copyHome(b.home, clone.home)
      ownPlaces(clone.home)
      asSnapshot(clone.home)
      await b.start()
      await put(b, 'of-b', 'by the original')
      // written with nobody connected, at places where the original wrote something else
      await a.stop()
      await b.stop()
      await clone.start()
      await put(clone, 'of-clone', 'by the clone')
      await clone.stop()
      await a.start()
      const rekey = ['reidentify', '--new-key', '--name', 'c', '--no-mdns', '--timeout', '20s', '--json']
      await b.start()
      await cluster.connected([a, b])
      const refused = await clone.cli(...rekey)
      assert.match(refused.stderr, /identity-duplicated/)
      await b.stop()
      const view = JSON.parse(succeeded(await clone.cli(...rekey))) as { node: string; was: string }
      assert.equal(view.was, b.id)
      await b.start()
      await clone.start()
      await writable(clone)
      await cluster.equal()
      assert.equal(await text(a, 'of-clone'), 'by the clone')
      assert.equal(await text(a, 'common'), '1')
      assert.equal(await text(clone, 'of-b'), 'by the original')
      await noForks([a, b, clone])
      assert.equal((await clone.status()).role, 'admin')
    }
  },
  {
    name: 'a backup of one node restored on another machine while the first lives: both stop, a token gives the second its own key',
    async run(cluster) {
      const [a, b] = await two(cluster)
      const file = join(cluster.place, 'b.backup')
      succeeded(await b.cli('backup', file))
      const other = cluster.fresh('other')
      succeeded(await other.cli('restore', file))
      ownPlaces(other.home)
      await other.start()
      await Promise.all([problem(b, 'identity-duplicated'), problem(other, 'identity-duplicated')])
      await other.stop()
      const { token } = await a.client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
      succeeded(await other.cli('reidentify', '--token', token, '--no-mdns', '--name', 'c'))
      await other.start()
      await writable(other)
      await b.restart()
      await put(other, 'of-other', 'x')
      await cluster.equal()
      await noForks([a, b, other])
      assert.equal(await text(a, 'common'), '1')
    }
  },
  {
    name: 'a long pause, in which a copy of the home lived and wrote: the paused node notices, and nothing collides',
    async run(cluster) {
      const [a, b] = await two(cluster)
      process.kill(b.pid, 'SIGSTOP')
      const stand = cluster.fresh('stand')
      copyHome(b.home, stand.home)
      ownPlaces(stand.home)
      await stand.start()
      await writable(stand)
      await put(stand, 'meanwhile', 'by the one that stood in')
      await until('a has it', async () => (await text(a, 'meanwhile')) !== '')
      await stand.stop()
      process.kill(b.pid, 'SIGCONT')
      await problem(b, 'identity-duplicated')
      // by itself it waits until nothing was seen of the other for a while; whoever knows that it is gone need not
      await b.restart()
      await writable(b)
      await put(b, 'after', 'the pause')
      await cluster.equal([a, b])
      await noForks([a, b])
      assert.deepEqual(await logsOf(a), await logsOf(b))
      assert.equal(await text(a, 'common'), '1')
    }
  }
]

/** What people and file systems do wrong is named, with the next step, and the daemon goes on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { entriesOf, settled } from './catalog.js'
import { Cluster, succeeded, withCluster } from './cluster.js'
import { failsWith, reports, reportsNothing } from './failure.js'
import { makeFile } from './large.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** A file written on `from` still reaches `to`: the daemons go on. */
async function stillFlows(from: Node, to: Node, name: string): Promise<void> {
  writeFileSync(join(from.dir, name), `written to see that all goes on: ${name}`)
  await until(`${name} has come`, () => existsSync(join(to.dir, name)))
}

test(
  'unknown commands, flags and settings are refused by name, and the running daemon does not mind',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    failsWith(await a.cli('statsu'), 'usage')
    failsWith(await a.cli('status', '--jsno'), 'usage')
    failsWith(await a.cli('start', '--lisen', '/ip4/127.0.0.1/tcp/0'), 'usage')
    failsWith(await a.cli('invite', '--role', 'king'), 'usage')
    failsWith(await a.cli('invite', '--expires', 'soon'), 'usage')
    failsWith(await a.cli('invite', '--uses', '0'), 'usage')
    failsWith(await a.cli('start', '--listen', 'nowhere'), 'config-invalid')
    failsWith(await a.cli('put', 'bad\u0001name', join(a.home, 'config.json')), 'name-not-allowed')
    failsWith(await a.cli('put', '../outside', join(a.home, 'config.json')), 'name-not-allowed')
    failsWith(await a.cli('put', 'x', join(a.dir, 'no such file')), 'not-found')
    failsWith(await a.cli('mv', 'nothing', 'something'), 'not-found')
    failsWith(await a.cli('rm', 'nothing'), 'not-found')
    succeeded(await a.cliWith({ stdin: 'x' }, 'put', 'd/x'))
    failsWith(await a.cliWith({ stdin: 'x' }, 'put', 'd'), 'not-a-file')
    failsWith(await a.cliWith({ stdin: 'x' }, 'put', 'd/x/y'), 'not-a-directory')
    failsWith(await a.cli('mv', 'd', 'd/e'), 'move-into-itself')
    await reportsNothing(a)
    await a.stop()
    writeFileSync(join(a.home, 'config.json'), '{"lisen": []}')
    failsWith(await a.cli('start'), 'config-invalid')
    writeFileSync(join(a.home, 'config.json'), '{"listen": ["nowhere"]}')
    failsWith(await a.cli('start'), 'config-invalid')
    rmSync(join(a.home, 'config.json'))
    await a.start()
    await reportsNothing(a)
  })
)

test(
  'names no other system can hold, links and pipes stay here, are named, and are shared once they are put right',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    const b = await cluster.join('b')
    const notUtf8 = Buffer.concat([Buffer.from(`${a.dir}/latin-`), Buffer.from([0xe9]), Buffer.from('.txt')])
    writeFileSync(join(a.dir, 'control\u0007bell.txt'), 'a bell')
    writeFileSync(join(a.dir, 'back\\slash.txt'), 'a backslash')
    writeFileSync(notUtf8, 'not UTF-8')
    symlinkSync('/etc/passwd', join(a.dir, 'link'))
    execFileSync('mkfifo', [join(a.dir, 'pipe')])
    writeFileSync(join(a.dir, 'good.txt'), 'good')
    await until('the good file has come', () => existsSync(join(b.dir, 'good.txt')))
    await reports(a, 'name-not-allowed', /bell/)
    await reports(a, 'name-not-allowed', /slash/)
    await reports(a, 'name-not-allowed', /latin-/)
    await reports(a, 'file-not-shared', /link/)
    await reports(a, 'file-not-shared', /pipe/)
    await stillFlows(a, b, 'after.txt')
    await stillFlows(b, a, 'back.txt')
    assert.deepEqual(readdirSync(b.dir).sort(), ['after.txt', 'back.txt', 'good.txt'])
    renameSync(join(a.dir, 'control\u0007bell.txt'), join(a.dir, 'bell.txt'))
    renameSync(join(a.dir, 'back\\slash.txt'), join(a.dir, 'slash.txt'))
    renameSync(notUtf8, join(a.dir, 'latin.txt'))
    unlinkSync(join(a.dir, 'link'))
    unlinkSync(join(a.dir, 'pipe'))
    await until('all have come', () =>
      ['bell.txt', 'slash.txt', 'latin.txt'].every((name) => existsSync(join(b.dir, name)))
    )
    await reportsNothing(a)
    await cluster.equal()
  })
)

/** Whom a test of permissions runs as: root may read everything. */
const NOBODY = 65_534

test('a file that cannot be read is named and keeps its last content elsewhere, and comes when it can be read', async (t) => {
  const cluster = new Cluster()
  try {
    const isRoot = process.getuid?.() === 0
    const who = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
    const a = cluster.fresh('a', who)
    if (isRoot) for (const path of [cluster.place, join(cluster.place, 'a'), a.dir]) chownSync(path, NOBODY, NOBODY)
    const init = await a.cli('init')
    if (init.code !== 0 && isRoot) return t.skip(`this directory cannot be used by another user: ${init.stderr}`)
    for (const name of ['known.txt', 'new.txt']) writeFileSync(join(a.dir, name), `${name} at first`)
    if (isRoot) for (const name of ['known.txt', 'new.txt']) chownSync(join(a.dir, name), NOBODY, NOBODY)
    chmodSync(join(a.dir, 'new.txt'), 0o000)
    await a.start()
    await reports(a, 'file-unreadable', /^new\.txt$/)
    assert.equal(succeeded(await a.cli('cat', 'known.txt')), 'known.txt at first')
    chmodSync(join(a.dir, 'known.txt'), 0o000)
    writeFileSync(join(a.dir, 'readable.txt'), 'readable', { mode: 0o644 })
    await until('another file is taken', async () => (await a.cli('cat', 'readable.txt')).code === 0)
    assert.equal(succeeded(await a.cli('cat', 'known.txt')), 'known.txt at first')
    for (const name of ['known.txt', 'new.txt']) chmodSync(join(a.dir, name), 0o644)
    await until('it is taken', async () => (await a.cli('cat', 'new.txt')).code === 0)
    await reportsNothing(a)
  } catch (error) {
    process.stderr.write(cluster.tails())
    throw error
  } finally {
    await cluster.close()
  }
})

test(
  'files that shrink and vanish while they are read leave nothing behind, and others go on',
  withCluster(async (cluster) => {
    const a = await cluster.found('a')
    const b = await cluster.join('b')
    for (let round = 0; round < 3; round++) {
      const name = `vanishes ${round}.bin`
      const file = join(a.dir, name)
      makeFile(file, 40_000_000, round + 1)
      await until('it is being read', () => isOpenIn(a.pid, file), undefined, 1)
      truncateSync(file, 1_000)
      unlinkSync(file)
    }
    for (let n = 0; n < 200; n++) {
      mkdirSync(join(a.dir, `d${n % 10}`), { recursive: true })
      writeFileSync(join(a.dir, `d${n % 10}`, `f${n}`), `${n}`)
      if (n >= 20) rmSync(join(a.dir, `d${n % 10}`), { recursive: true, force: true })
    }
    await stillFlows(a, b, 'after.txt')
    await settled(a)
    await cluster.equal()
    await reportsNothing(a)
    assert.deepEqual(
      (await entriesOf(b)).filter(({ path }) => path.startsWith('vanishes')),
      []
    )
  })
)

/** Whether a process has a file open, by its descriptors. */
function isOpenIn(pid: number, file: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === file
    } catch {
      return false
    }
  })
}

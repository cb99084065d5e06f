/** A home: closed to others, used by one process, readable when its node is stopped. */
import assert from 'node:assert/strict'
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { EntryLine, VerifyView } from '../../src/control/target.js'
import { settled } from './catalog.js'
import { succeeded, withCluster } from './cluster.js'
import { failsWith, reportsNothing } from './failure.js'
import { copyFixture } from './fixtures.js'

test(
  'a stopped home still answers ls, cat, history, inspect and verify as its daemon did',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    await settled(a)
    const questions = [
      ['ls', '--json'],
      ['ls', 'styles'],
      ['cat', 'styles/海岸.sld'],
      ['cat', 'styles/symbols/legend.txt'],
      ['history', 'global.xml'],
      ['inspect', 'heads', '--json'],
      ['inspect', 'vector', '--json'],
      ['inspect', 'log', '--json'],
      ['inspect', 'entry', 'global.xml', '--json'],
      ['inspect', 'doc', 'global.xml', '--json']
    ]
    const asked = async (): Promise<string[]> => {
      const answers: string[] = []
      for (const question of questions) answers.push(succeeded(await a.cli(...question)))
      return answers
    }
    const online = await asked()
    const { root } = await a.json<VerifyView>('verify')
    assert.equal(await a.stop(), 0)
    const offline = await asked()
    for (const [at, question] of questions.entries()) assert.equal(offline[at], online[at], question.join(' '))
    assert.equal((await a.json<VerifyView>('verify')).root, root)
    failsWith(await a.cli('status'), 'daemon-unreachable')
    failsWith(await a.cli('put', 'x', join(a.dir, 'global.xml')), 'daemon-unreachable')
    failsWith(await a.cli('cat', 'no such file'), 'not-found')
    await a.start()
    await reportsNothing(a)
  })
)

test(
  'a home or a key that others can read is refused until it is closed',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: (dir) => writeFileSync(join(dir, 'f.txt'), 'f') })
    const mode = (path: string): number => statSync(join(a.home, path)).mode & 0o777
    assert.deepEqual(
      [mode('.'), mode('node.key'), mode('cluster.secret'), mode('control.sock')],
      [0o700, 0o600, 0o600, 0o600]
    )
    chmodSync(a.home, 0o755)
    failsWith(await a.cli('status'), 'home-unsafe')
    chmodSync(a.home, 0o700)
    await reportsNothing(a)
    await a.stop()
    for (const [path, loose, tight] of [
      ['.', 0o750, 0o700],
      ['node.key', 0o640, 0o600],
      ['cluster.secret', 0o604, 0o600]
    ] as const) {
      chmodSync(join(a.home, path), loose)
      failsWith(await a.cli('start', '--dir', a.dir), 'home-unsafe')
      chmodSync(join(a.home, path), tight)
    }
    await a.start()
    await reportsNothing(a)
  })
)

test(
  'a second process on a home is refused and the first goes on',
  withCluster(async (cluster) => {
    const a = await cluster.found('a', { before: copyFixture })
    failsWith(await a.cli('start', '--dir', a.dir, '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns'), 'home-locked')
    failsWith(await a.cli('init'), 'home-exists')
    await reportsNothing(a)
    assert.ok((await a.json<EntryLine[]>('ls')).length > 60)
  })
)

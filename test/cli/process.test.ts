import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { tempHome } from '../control/world.js'

const SOURCE = import.meta.url.endsWith('.ts')
const ENTRY = fileURLToPath(new URL(SOURCE ? './fake-main.ts' : './fake-main.js', import.meta.url))
const LOADER = SOURCE ? ['--import', 'tsx'] : []

interface Running {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<{ code: number | null; signal: string | null }>
}

function grapevine(t: TestContext, home: string, argv: string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [...LOADER, ENTRY, ...argv], {
    env: { ...process.env, GRAPEVINE_HOME: home, ...env }
  })
  t.after(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  return { child, stdout: () => stdout, stderr: () => stderr, ended }
}

async function seen(running: Running, pattern: RegExp): Promise<void> {
  while (!pattern.test(running.stdout())) {
    if (running.child.exitCode !== null) throw new Error(`ended with ${running.child.exitCode}: ${running.stderr()}`)
    await Promise.race([once(running.child.stdout!, 'data'), running.ended])
  }
}

test('a daemon is started, asked, and stopped; stop returns when the process is gone', async (t) => {
  const home = await tempHome(t)
  const daemon = grapevine(t, home, ['start', '--dir', join(home, 'data')])
  await seen(daemon, /running node=/)
  const log = JSON.parse(daemon.stderr().split('\n')[0]!)
  assert.deepEqual([log.level, log.msg], ['info', 'fake node started'])
  const peers = grapevine(t, home, ['peers', '--json'])
  assert.equal((await peers.ended).code, 0)
  assert.equal(JSON.parse(peers.stdout()).length, 1)
  const stop = grapevine(t, home, ['stop'])
  assert.equal((await stop.ended).code, 0, stop.stderr())
  assert.equal(stop.stdout(), `stopped ${daemon.child.pid}\n`)
  // gone, or dead and only not yet collected by this process
  const state = await readFile(`/proc/${daemon.child.pid!}/stat`, 'utf8').catch(() => 'gone')
  assert.match(state, /^gone$|^\d+ \([^]*\) [ZX] /)
  assert.equal((await daemon.ended).code, 0)
})

test('a first SIGINT or SIGTERM stops the daemon in order', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const home = await tempHome(t)
    const daemon = grapevine(t, home, ['start', '--dir', join(home, 'data')])
    await seen(daemon, /invite the next/)
    daemon.child.kill(signal)
    assert.deepEqual(await daemon.ended, { code: 0, signal: null })
    await assert.rejects(access(join(home, 'control.sock')), { code: 'ENOENT' })
  }
})

test('a second signal ends a daemon that hangs at once', async (t) => {
  const home = await tempHome(t)
  const daemon = grapevine(t, home, ['start', '--dir', join(home, 'data')], { TEST_STUCK: '1' })
  await seen(daemon, /invite the next/)
  daemon.child.kill('SIGINT')
  const first = await Promise.race([daemon.ended, new Promise((done) => setTimeout(done, 300, 'still there'))])
  assert.equal(first, 'still there')
  daemon.child.kill('SIGINT')
  assert.deepEqual(await daemon.ended, { code: 130, signal: null })
})

test('a reader that closes the pipe early ends a listing quietly', async (t) => {
  const home = await tempHome(t)
  for (const flags of [[], ['--json']]) {
    const ls = grapevine(t, home, ['ls', ...flags], { TEST_ENTRIES: '200000' })
    await seen(ls, /\n/)
    ls.child.stdout!.destroy()
    assert.deepEqual(await ls.ended, { code: 0, signal: null })
    assert.equal(ls.stderr(), '')
  }
})

test('a watch whose reader has gone ends at its next event, and SIGINT ends it with exit 0', async (t) => {
  const home = await tempHome(t)
  const daemon = grapevine(t, home, ['start', '--dir', join(home, 'data')])
  await seen(daemon, /invite the next/)
  const watch = grapevine(t, home, ['watch'])
  const put = async (): Promise<void> => {
    const run = grapevine(t, home, ['put', `f${Math.random()}`, '-'])
    run.child.stdin!.end('x')
    assert.equal((await run.ended).code, 0)
  }
  while (watch.stdout() === '') await put()
  watch.child.kill('SIGINT')
  assert.deepEqual(await watch.ended, { code: 0, signal: null })
  const deaf = grapevine(t, home, ['watch'])
  while (deaf.stdout() === '') await put()
  deaf.child.stdout!.destroy()
  let over = false
  void deaf.ended.then(() => (over = true))
  while (!over) await put()
  assert.deepEqual(await deaf.ended, { code: 0, signal: null })
  assert.equal(deaf.stderr(), '')
})

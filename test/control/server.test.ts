import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, lstat, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { Agent, request, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { ControlClient, ControlServer } from '../../src/control/index.js'
import { MAX_SOCKET_PATH_BYTES, STOP_GRACE_MS } from '../../src/control/limits.js'
import { silentLogger } from '../../src/runtime.js'
import { FakeTarget } from './fake-target.js'
import { startWorld, tempHome } from './world.js'

const SOURCE = import.meta.url.endsWith('.ts')
const DAEMON = new URL(SOURCE ? './daemon.ts' : './daemon.js', import.meta.url)
const LOADER = SOURCE ? ['--import', 'tsx'] : []

const serverOn = (home: string): ControlServer =>
  new ControlServer({ target: new FakeTarget(), logger: silentLogger }, { home, version: '0' })

test('the socket is private even under a loose umask, and the umask is put back', async (t) => {
  const before = process.umask(0)
  t.after(() => process.umask(before))
  const { server } = await startWorld(t)
  assert.equal((await lstat(server.socketPath!)).mode & 0o777, 0o600)
  assert.equal(process.umask(), 0)
})

test('a home that others may look into is refused by server and client alike', async (t) => {
  const { home, client } = await startWorld(t)
  for (const mode of [0o750, 0o701, 0o755]) {
    await chmod(home, mode)
    await assert.rejects(serverOn(home).start(), { code: 'home-unsafe', next: `run: chmod 700 ${home}` })
    await assert.rejects(client.status(), { code: 'home-unsafe' })
  }
  await chmod(home, 0o700)
  assert.equal((await client.status()).state, 'running')
})

test(
  'a home of another user is refused',
  { skip: process.getuid?.() !== 0 && 'only root can give a directory away' },
  async (t) => {
    const { chown } = await import('node:fs/promises')
    const home = await tempHome(t)
    await chown(home, 12345, 12345)
    await assert.rejects(serverOn(home).start(), { code: 'home-unsafe' })
  }
)

test('a socket that became open to others is not connected to', async (t) => {
  const { server, client } = await startWorld(t)
  await chmod(server.socketPath!, 0o660)
  await assert.rejects(client.status(), { code: 'home-unsafe' })
})

test('a file in place of the home is refused, a link to a private directory is taken', async (t) => {
  const parent = await tempHome(t)
  await writeFile(join(parent, 'file'), '')
  await assert.rejects(serverOn(join(parent, 'file')).start(), { code: 'home-unsafe' })
  await mkdir(join(parent, 'real'), { mode: 0o700 })
  await symlink(join(parent, 'real'), join(parent, 'link'))
  const { client } = await startWorld(t, { home: join(parent, 'link') })
  assert.equal((await client.daemon()).pid, process.pid)
})

test('a missing home and a home without daemon are told apart', async (t) => {
  const home = await tempHome(t)
  await assert.rejects(new ControlClient({ home }).status(), { code: 'daemon-unreachable' })
  await assert.rejects(new ControlClient({ home: join(home, 'none') }).status(), { code: 'home-missing' })
  await assert.rejects(serverOn(join(home, 'none')).start(), { code: 'home-missing' })
})

test('a second server on a live home is refused and the first goes on', async (t) => {
  const { home, client } = await startWorld(t)
  await assert.rejects(serverOn(home).start(), { code: 'home-locked' })
  assert.equal((await client.status()).state, 'running')
})

test('the socket of a daemon that was killed is replaced', async (t) => {
  const home = await tempHome(t)
  const child = fork(DAEMON, [home], {
    execArgv: LOADER,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  await once(child, 'message')
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  assert.ok((await lstat(join(home, 'control.sock'))).isSocket())
  await assert.rejects(new ControlClient({ home }).status(), { code: 'daemon-unreachable' })
  const { client } = await startWorld(t, { home })
  assert.equal((await client.daemon()).pid, process.pid)
})

test('a home whose path is too long for a socket works through a private directory', async (t) => {
  const home = join(await tempHome(t), 'x'.repeat(120))
  await mkdir(home, { mode: 0o700 })
  const { server, client } = await startWorld(t, { home })
  const path = server.socketPath!
  assert.ok(Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES)
  assert.ok(path.startsWith(tmpdir()))
  assert.equal((await lstat(dirname(path))).mode & 0o777, 0o700)
  assert.equal((await client.status()).state, 'running')
  await assert.rejects(serverOn(home).start(), { code: 'home-locked' })
  await server.stop()
  await assert.rejects(lstat(dirname(path)), { code: 'ENOENT' })
  assert.deepEqual(await readdir(home), [])
})

test('a home path at the limit keeps its socket, one byte more does not', async (t) => {
  const parent = await tempHome(t)
  const room = MAX_SOCKET_PATH_BYTES - Buffer.byteLength(join(parent, 'control.sock')) - 1
  for (const [length, direct] of [
    [room, true],
    [room + 1, false]
  ] as const) {
    const home = join(parent, 'h'.repeat(length))
    await mkdir(home, { mode: 0o700 })
    const { server, client } = await startWorld(t, { home })
    assert.equal(server.socketPath === join(home, 'control.sock'), direct)
    assert.equal((await client.status()).state, 'running')
  }
})

test('the pointer of a long home is not followed into a directory that others may write', async (t) => {
  const parent = await tempHome(t)
  const home = join(parent, 'x'.repeat(120))
  const trap = join(parent, 'trap')
  await mkdir(home, { mode: 0o700 })
  await mkdir(trap, { mode: 0o700 })
  await chmod(trap, 0o777)
  await writeFile(join(home, 'control.path'), join(trap, 'control.sock'))
  await assert.rejects(new ControlClient({ home }).status(), { code: 'home-unsafe' })
})

test('what a killed daemon of a long home left is cleared away', async (t) => {
  const home = join(await tempHome(t), 'x'.repeat(120))
  await mkdir(home, { mode: 0o700 })
  const child = fork(DAEMON, [home], {
    execArgv: LOADER,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  await once(child, 'message')
  const left = (await readFile(join(home, 'control.path'), 'utf8')).trim()
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  const { server, client } = await startWorld(t, { home })
  assert.notEqual(server.socketPath, left)
  await assert.rejects(lstat(dirname(left)), { code: 'ENOENT' })
  assert.equal((await client.status()).state, 'running')
})

test('a socket that accepts and never answers ends in a typed error', async (t) => {
  const home = await tempHome(t)
  const mute = createServer((socket) => socket.on('error', () => undefined))
  const before = process.umask(0o177)
  mute.listen(join(home, 'control.sock'))
  process.umask(before)
  await once(mute, 'listening')
  t.after(() => mute.close())
  const client = new ControlClient({ home, timeoutMs: 100 })
  await assert.rejects(client.status(), { code: 'daemon-unreachable', message: /no answer in 100 ms/ })
})

test('a connection that rests is never ended by the server', async (t) => {
  const { server } = await startWorld(t)
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const answer = await new Promise<IncomingMessage>((done, fail) => {
    const asked = request({ socketPath: server.socketPath!, path: '/v1/status', agent })
    asked.once('response', done).once('error', fail).end()
  })
  answer.resume()
  // otherwise the answer says after how many seconds it will be
  assert.deepEqual([answer.headers['connection'], answer.headers['keep-alive']], ['keep-alive', undefined])
})

test('start and stop may be called twice, and a stopped server can start again', async (t) => {
  const { server, client, home } = await startWorld(t)
  await server.start()
  await server.stop()
  await server.stop()
  assert.equal(server.socketPath, undefined)
  assert.deepEqual(await readdir(home), [])
  await assert.rejects(client.status(), { code: 'daemon-unreachable' })
  await server.start()
  assert.equal((await client.status()).state, 'running')
})

test('a stopping server ends event streams as whole ones', async (t) => {
  const { server, client, target } = await startWorld(t)
  const events = client.events(new AbortController().signal)
  const first = events.next()
  await target.subscribed(true)
  target.emit('node-stopping', { node: 'n' })
  assert.equal((await first).value.event, 'node-stopping')
  const end = events.next()
  const began = performance.now()
  await server.stop()
  assert.ok(performance.now() - began < STOP_GRACE_MS, 'no connection was waited for in vain')
  assert.equal((await end).done, true)
})

test('a home that is removed while the daemon runs does not keep it from stopping', async (t) => {
  const { server, home } = await startWorld(t)
  await rm(home, { recursive: true })
  await server.stop()
})

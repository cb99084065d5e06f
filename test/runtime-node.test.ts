import assert from 'node:assert/strict'
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { GrapevineError } from '../src/errors.js'
import { NodeDisk, createLogger, systemClock, systemRandom, type LogLevel } from '../src/runtime-node.js'
import { temporaryDirectory } from './store/temporary.js'

function linesOf(level: LogLevel, write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  write(createLogger({ level, destination: { write: (line) => void lines.push(line) } }))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('log lines', () => {
  test('are JSON with the level by name, a time, the sentence and its facts', () => {
    const [line] = linesOf('info', (logger) =>
      logger.warn('peer left', { peer: 'abc', level: 'theirs', msg: 'theirs' })
    )
    assert.deepEqual(Object.keys(line!), ['level', 'time', 'facts', 'msg'])
    assert.equal(line!['level'], 'warn')
    assert.equal(line!['msg'], 'peer left')
    assert.ok(Math.abs(Date.parse(String(line!['time'])) - Date.now()) < 60_000)
    assert.deepEqual(line!['facts'], { peer: 'abc', level: 'theirs', msg: 'theirs' })
  })

  test('below the level are left out, and silent says nothing', () => {
    const all = (logger: ReturnType<typeof createLogger>): void => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](level)
    }
    assert.deepEqual(
      linesOf('debug', all).map((line) => line['msg']),
      ['debug', 'info', 'warn', 'error']
    )
    assert.deepEqual(
      linesOf('warn', all).map((line) => line['msg']),
      ['warn', 'error']
    )
    assert.deepEqual(linesOf('silent', all), [])
  })

  test('stay one line each whatever they are told', () => {
    const raw: string[] = []
    const logger = createLogger({ level: 'info', destination: { write: (line) => void raw.push(line) } })
    logger.info('two\nlines \u001b[31m', { name: 'a\r\nb\u001b' })
    assert.equal(raw.length, 1)
    const line = raw[0]!.slice(0, -1)
    for (const character of ['\n', '\r', '\u001b']) assert.ok(!line.includes(character))
  })

  test('show bytes, errors and big integers, and survive facts that cannot be shown', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    const refusal = new GrapevineError('disk-full', 'no space', { next: 'free some' })
    const [bytes, error, big, round] = linesOf('info', (logger) => {
      logger.info('a', { id: Buffer.from([1, 255]), plain: new Uint8Array([2]), inner: { id: new Uint8Array([3]) } })
      logger.info('b', { error: refusal })
      logger.info('c', { big: 5n })
      logger.info('d', { circle })
    }).map((line) => line['facts'])
    assert.deepEqual(bytes, { id: '01ff', plain: '02', inner: { id: '03' } })
    assert.deepEqual(error, { error: { name: 'GrapevineError', message: 'no space', code: 'disk-full' } })
    assert.deepEqual(big, { big: '5' })
    assert.deepEqual(round, { unshowable: ['circle'] })
  })
})

describe('the clock', () => {
  test('runs a timer once after its time, and not when it was cancelled', async () => {
    const began = systemClock.monotonic()
    const cancel = systemClock.timer(1, () => assert.fail('was cancelled'))
    cancel()
    // The clock's timers do not keep the process alive; this one does.
    const alive = setInterval(() => {}, 1_000)
    await new Promise<void>((resolve) => systemClock.timer(20, resolve))
    clearInterval(alive)
    assert.ok(systemClock.monotonic() - began >= 19)
  })

  test('does not fire at once for a delay longer than one timer can take', async () => {
    let fired = false
    const cancel = systemClock.timer(2 ** 31, () => (fired = true))
    await new Promise<void>((resolve) => setTimeout(resolve, 10))
    cancel()
    assert.equal(fired, false)
  })
})

test('random bytes have the length asked for and differ', () => {
  assert.equal(systemRandom.bytes(32).length, 32)
  assert.notDeepEqual(systemRandom.bytes(32), systemRandom.bytes(32))
  const float = systemRandom.float()
  assert.ok(float >= 0 && float < 1)
})

describe('the disk of Node', () => {
  const on = (title: string, body: (path: string) => Promise<void>): void => {
    test(title, async () => {
      const directory = await temporaryDirectory()
      try {
        await body(join(directory.path, 'deep', 'log'))
      } finally {
        await directory.remove()
      }
    })
  }

  on('makes its directory and files for their owner alone', async (path) => {
    const disk = new NodeDisk(path)
    assert.deepEqual(await disk.list(), [])
    const file = await disk.open('00000001.seg')
    assert.equal((await stat(path)).mode & 0o777, 0o700)
    assert.equal((await stat(join(path, '00000001.seg'))).mode & 0o777, 0o600)
    assert.deepEqual(await disk.list(), ['00000001.seg'])
    await file.close()
    await file.close()
  })

  on('appends, reads, cuts and removes', async (path) => {
    const disk = new NodeDisk(path)
    const file = await disk.open('a')
    await file.append(new Uint8Array([1, 2, 3]))
    await file.append(new Uint8Array([4]))
    await file.sync()
    assert.equal(file.size, 4)
    assert.deepEqual(file.read(1, 2), new Uint8Array([2, 3]))
    assert.deepEqual(file.read(2, 10), new Uint8Array([3, 4]))
    assert.deepEqual(file.read(10, 1), new Uint8Array())
    await file.truncate(1)
    await file.append(new Uint8Array([9]))
    await file.close()
    const again = await disk.open('a')
    assert.deepEqual(again.read(0, again.size), new Uint8Array([1, 9]))
    await again.close()
    await disk.remove('a')
    await disk.remove('a')
    assert.deepEqual(await disk.list(), [])
  })

  on('follows no symlink and leaves its directory by no name', async (path) => {
    await mkdir(path, { recursive: true })
    await writeFile(join(path, '..', 'secret'), 'x')
    await symlink(join(path, '..', 'secret'), join(path, 'link'))
    const disk = new NodeDisk(path)
    await assert.rejects(disk.open('link'), { code: 'ELOOP' })
    for (const name of ['../secret', 'a/b', '.', '..', '', '.hidden']) await assert.rejects(disk.open(name), TypeError)
    assert.deepEqual(await disk.list(), [])
  })
})

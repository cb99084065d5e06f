/** Who may look at what nobody else may know. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { checkClosed, readClosed, whyOpen } from '../src/closed.js'

function place(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'gv-closed-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const tooLarge = (): Error => new RangeError('too large')
const read = (file: string, maxBytes: number): Promise<string> =>
  readClosed(file, { maxBytes, what: 'a password', tooLarge })

test('what is open to the group or to others in any way is refused with the command that mends it', (t) => {
  const path = place(t)
  const file = join(path, 'secret')
  writeFileSync(file, 'secret')
  for (const mode of [0o640, 0o604, 0o620, 0o610, 0o601]) {
    chmodSync(file, mode)
    const next = `run: chmod 600 ${file}`
    assert.throws(() => checkClosed(file, statSync(file)), { code: 'home-unsafe', next }, mode.toString(8))
  }
  chmodSync(path, 0o750)
  assert.throws(() => checkClosed(path, statSync(path)), { code: 'home-unsafe', next: `run: chmod 700 ${path}` })
  for (const mode of [0o600, 0o400, 0o700]) {
    chmodSync(file, mode)
    checkClosed(file, statSync(file))
  }
})

test('what another user owns is not ours alone, whatever its mode', { skip: process.getuid?.() !== 0 }, (t) => {
  const file = join(place(t), 'secret')
  writeFileSync(file, 'secret', { mode: 0o600 })
  chownSync(file, 65_534, 65_534)
  assert.equal(whyOpen(statSync(file)), 'another user')
  assert.throws(() => checkClosed(file, statSync(file)), { code: 'home-unsafe', message: /owned by another user/ })
})

test('a secret is read up to its size and not a byte beyond, and says what it is when others may read it', async (t) => {
  const file = join(place(t), 'secret')
  writeFileSync(file, 'secret', { mode: 0o600 })
  assert.equal(await read(file, 6), 'secret')
  await assert.rejects(read(file, 5), RangeError)
  await assert.rejects(read(`${file}.gone`, 5), { code: 'ENOENT' })
  chmodSync(file, 0o644)
  await assert.rejects(read(file, 6), { code: 'home-unsafe', message: /holds a password and is open to other users$/ })
})

test('a pipe in place of a secret keeps nobody waiting', { skip: process.platform === 'win32' }, async (t) => {
  const file = join(place(t), 'pipe')
  execFileSync('mkfifo', ['-m', '600', file])
  assert.equal(await read(file, 6), '')
})

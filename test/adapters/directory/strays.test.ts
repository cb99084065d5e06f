import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Root } from '../../../src/adapters/directory/root.js'
import { MAX_STRAYS, Strays } from '../../../src/adapters/directory/strays.js'

test('so many staged files are looked for again when their directory is back, and one more is not', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'gv-strays-'))
  t.after(() => rmSync(place, { recursive: true }))
  const root = new Root(place)
  await root.check()
  const strays = new Strays()
  const temps = Array.from({ length: MAX_STRAYS + 1 }, (_, at) => `temp-${at}`)
  for (const temp of temps) await strays.remove(root, { dir: 'd', temp })
  mkdirSync(join(place, 'd'))
  // the first is gone by itself: that is as good
  for (const temp of temps.slice(1)) writeFileSync(join(place, 'd', temp), '')
  await strays.sweep(root)
  assert.deepEqual(readdirSync(join(place, 'd')), [`temp-${MAX_STRAYS}`])
  await strays.remove(root, { dir: 'd', temp: `temp-${MAX_STRAYS}` })
  assert.deepEqual(readdirSync(join(place, 'd')), [])
})

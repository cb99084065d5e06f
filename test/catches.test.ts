/** The report of what catches and was never executed. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CatchCoverage } from '../scripts/catch-coverage.js'
import { lineOf, placesIn } from '../scripts/catch-places.js'
import { tempHome } from './control/world.js'

const PROGRAM = `
// a comment that says } catch { is no place, nor is promise.catch(() => 1)
function fails() { throw new Error('x') }
function named() {}
function makes() { return () => undefined }
try {
  fails()
} catch {}
try {
  named.name
} catch (error) {
  fails()
}
await Promise.reject(1).catch(() => undefined)
await Promise.resolve(1).catch((error) => { throw error })
await Promise.reject(1).catch(named)
await Promise.resolve(1).catch(makes(1))
`
const LINES = [8, 11, 14, 15, 16, 17]
const EXECUTED = [true, false, true, false, true, false]

test('blocks and handlers that ran in some process are told from those that never did', async (t) => {
  const place = await tempHome(t)
  mkdirSync(join(place, 'dist'))
  const file = join(place, 'dist', 'program.js')
  writeFileSync(join(place, 'package.json'), '{"type":"module"}')
  writeFileSync(file, PROGRAM)
  const coverage = join(place, 'coverage')
  execFileSync(process.execPath, [file], { env: { ...process.env, NODE_V8_COVERAGE: coverage } })
  writeFileSync(join(coverage, 'half.json'), '{')
  const seen = new CatchCoverage([join(place, 'dist/')])
  seen.add(coverage)
  const places = placesIn(PROGRAM)
  assert.deepEqual(
    places.map(({ offset }) => lineOf(PROGRAM, offset)),
    LINES
  )
  assert.deepEqual(
    places.map((handler, at) => seen.executed('program.ts', at, handler)),
    EXECUTED
  )
})

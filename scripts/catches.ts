/**
 * Says which places of `src/` that catch an error were never executed by any test: every `catch` block and every handler
 * given to `.catch()`. Daemons the tests start count as well. Ends with 1 when there is such a place.
 *
 *   npm run catches -- [--keep DIRECTORY] [--report-only] [WORD...]
 *
 * With words only the tests run whose path holds one of them, as with `npm test`. `--keep` leaves the coverage there and
 * adds to what lies there already; with `--report-only` no test runs.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { REPOSITORY } from './build.mjs'
import { CatchCoverage } from './catch-coverage.js'
import { lineOf, placesIn } from './catch-places.js'

const { values, positionals } = parseArgs({
  options: { keep: { type: 'string' }, 'report-only': { type: 'boolean', default: false } },
  allowPositionals: true
})
const directory = values.keep === undefined ? mkdtempSync(join(tmpdir(), 'gv-catches-')) : resolve(values.keep)
mkdirSync(directory, { recursive: true })
let failed = false
if (!values['report-only']) {
  const { status } = spawnSync(process.execPath, [join(REPOSITORY, 'scripts', 'test.mjs'), ...positionals], {
    cwd: REPOSITORY,
    env: { ...process.env, NODE_V8_COVERAGE: directory },
    stdio: 'inherit'
  })
  failed = status !== 0
}

const coverage = new CatchCoverage([join(REPOSITORY, 'dist/'), join(REPOSITORY, 'dist-test/')])
coverage.add(directory)
let places = 0
const missed: string[] = []
for (const name of readdirSync(join(REPOSITORY, 'src'), { recursive: true }).map(String).toSorted()) {
  if (!name.endsWith('.ts')) continue
  const text = readFileSync(join(REPOSITORY, 'src', name), 'utf8')
  for (const [at, handler] of placesIn(text).entries()) {
    places += 1
    if (coverage.executed(name, at, handler)) continue
    const line = lineOf(text, handler.offset)
    missed.push(`src/${name}:${line}  ${text.split('\n')[line - 1]!.trim()}`)
  }
}
for (const place of missed) process.stdout.write(`never executed  ${place}\n`)
process.stdout.write(
  `${places - missed.length} of ${places} places that catch were executed, in ${coverage.processes} processes\n`
)
if (failed) process.stdout.write('and some tests failed\n')
if (values.keep === undefined) rmSync(directory, { recursive: true, force: true })
process.exitCode = failed || missed.length > 0 ? 1 : 0

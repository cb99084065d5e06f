/**
 * `npm test [WORD...]`: lint, format, build, then every test file by name (a newer Node reads a directory as a file). With
 * words only the tests run whose path holds one of them; a word that no path holds is refused. Ends with the counts and with
 * whatever failed, and node's exit code.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { build, compile, REPOSITORY } from './build.mjs'

/** Test files run at once: each is a process, and several of them start daemons of their own. */
const CONCURRENCY = 2
/** Longest time of one test, ms: far above the slowest, so that a hang ends with its name. */
const TEST_TIMEOUT_MS = 300_000

function run(what, command, args) {
  process.stdout.write(`\n> ${what}\n`)
  const { status, error } = spawnSync(command, args, { cwd: REPOSITORY, stdio: 'inherit' })
  if (error !== undefined) process.stderr.write(`${error.message}\n`)
  if (status !== 0) process.exit(status ?? 1)
}

function step(what, done) {
  process.stdout.write(`\n> ${what}\n`)
  if (!done()) process.exit(1)
}

function testFiles(directory) {
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, name))
    .filter((path) => path.endsWith('.test.ts'))
    .toSorted()
}

const words = process.argv.slice(2)
const binary = (name) => join(REPOSITORY, 'node_modules', '.bin', name)
const paths = testFiles(join(REPOSITORY, 'test')).map((path) => relative(REPOSITORY, path))
const unknown = words.filter((word) => !paths.some((path) => path.includes(word)))
if (unknown.length > 0) {
  // with no file at all node would run every file it finds
  process.stderr.write(`no test file has ${unknown.map((word) => JSON.stringify(word)).join(' or ')} in its path\n`)
  process.exit(2)
}
const files = paths
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  .map((path) => join('dist-test', path.replace(/\.ts$/, '.js')))

if (words.length === 0) {
  run('lint', binary('oxlint'), ['--type-aware', '--deny-warnings', 'src', 'test', 'scripts'])
  run('format', binary('prettier'), ['--check', '--log-level', 'warn', '.'])
}
step('build', build)
rmSync(join(REPOSITORY, 'dist-test'), { recursive: true, force: true })
step('build the tests', () => compile('test/tsconfig.json'))
run(`${files.length} test files`, process.execPath, [
  '--enable-source-maps',
  '--test',
  // the reporter that repeats at its end what failed, with its error: nobody scrolls through 2,500 names for one
  '--test-reporter=spec',
  `--test-concurrency=${CONCURRENCY}`,
  `--test-timeout=${TEST_TIMEOUT_MS}`,
  ...files
])

/**
 * Every attack on running daemons in its whole size: `npm run hostile-battery [-- WORD...]`, with words only the files of
 * test/hostile whose names hold one of them. One line an attack with the time it took; ends with 1 when one got through.
 * All of them take more than half an hour on two cores; `npm test -- hostile` makes a part of each.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { build, compile, REPOSITORY } from './build.mjs'

/** Longest time of one attack, ms: a hang ends with its name. */
const ATTACK_MS = 3_600_000
const TESTS = join(REPOSITORY, 'test', 'hostile')

const words = process.argv.slice(2)
const names = readdirSync(TESTS)
  .filter((name) => name.endsWith('.test.ts'))
  .toSorted()
const unknown = words.filter((word) => !names.some((name) => name.includes(word)))
const chosen = names.filter((name) => words.length === 0 || words.some((word) => name.includes(word)))

if (unknown.length > 0) {
  process.stderr.write(
    `no file of test/hostile has ${unknown.map((word) => JSON.stringify(word)).join(' or ')} in it\n`
  )
  process.exitCode = 2
} else if (!built()) process.exitCode = 1
else {
  const { passed, failed } = await battery()
  process.stdout.write(`${passed + failed} attacks in their whole size, ${failed} got through\n`)
  if (failed > 0 || passed === 0) process.exitCode = 1
}

function built(): boolean {
  if (!build()) return false
  rmSync(join(REPOSITORY, 'dist-test'), { recursive: true, force: true })
  return compile('test/tsconfig.json')
}

async function battery(): Promise<{ passed: number; failed: number }> {
  process.env['GRAPEVINE_HOSTILE_SIZE'] = 'full'
  const files = chosen.map((name) => join(REPOSITORY, 'dist-test', 'test', 'hostile', name.replace(/\.ts$/, '.js')))
  const count = { passed: 0, failed: 0 }
  const events = run({ files, concurrency: false, timeout: ATTACK_MS })
  events.on('test:pass', ({ name, details, nesting }) => {
    if (nesting > 0) return
    count.passed += 1
    say('held', name, details.duration_ms)
  })
  events.on('test:fail', ({ name, details, nesting }) => {
    if (nesting > 0) return
    count.failed += 1
    say('GOT THROUGH', name, details.duration_ms)
    process.stdout.write(
      `${details.error.cause instanceof Error ? details.error.cause.stack : details.error.message}\n`
    )
  })
  events.on('test:stderr', ({ message }) => void process.stderr.write(message))
  for await (const _ of events);
  return count
}

function say(how: string, name: string, ms: number): void {
  process.stdout.write(`${how.padEnd(11)} ${(ms / 1_000).toFixed(1).padStart(8)} s  ${name}\n`)
}

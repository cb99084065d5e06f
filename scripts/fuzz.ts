/**
 * `npm run fuzz -- [TARGET...]`: everything that takes input from outside, fed with harmed input for long, each target in a
 * process of its own. FUZZ: inputs in all (1,000,000); FUZZ_SEED: which ones. Ends with 1 when anything did harm, and
 * leaves each such input as hex in test/fuzz/crashers/, to be kept with the fix.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from '../test/golden/files.js'
import { runInProcess } from '../test/fuzz/processes.js'
import { MAX_GROWTH_BYTES, type Result } from '../test/fuzz/run.js'
import { shares } from '../test/fuzz/targets/index.js'

const total = Number(process.env['FUZZ'] ?? 1_000_000)
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const only = process.argv.slice(2)
const chosen = [...shares(total)].filter(([{ name }]) => only.length === 0 || only.includes(name))

process.stdout.write(`${total} inputs, FUZZ_SEED=${seed}\n`)
const results: Result[] = []
for (const [{ name }, inputs] of chosen) {
  const result = await runInProcess(name, inputs, seed, (done) => {
    if (process.stdout.isTTY) process.stdout.write(`\r${name}: ${done} of ${inputs}    `)
  })
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K')
  results.push(result)
  process.stdout.write(`${lineOf(result)}\n`)
  for (const crash of result.crashes) {
    const file = `${name.replaceAll(' ', '_')}.${crash.seed}-${crash.at}.hex`
    process.stdout.write(`  ${crash.reason}\n  ${file}\n`)
    const lines = [`# ${crash.reason.split('\n')[0]!}`, ...(crash.hex.match(/.{1,120}/g) ?? [])]
    writeFileSync(join(REPOSITORY, 'test', 'fuzz', 'crashers', file), `${lines.join('\n')}\n`)
  }
}
const bad = results.filter(({ crashes, growthBytes }) => crashes.length > 0 || growthBytes >= MAX_GROWTH_BYTES)
const inputs = results.reduce((sum, result) => sum + result.inputs, 0)
const slowest = Math.max(...results.map(({ slowestMs }) => slowestMs))
process.stdout.write(`${inputs} inputs, slowest ${slowest.toFixed(1)} ms, ${bad.length} targets with harm\n`)
process.exitCode = bad.length === 0 ? 0 : 1

function lineOf({ target, inputs: count, accepted, rejected, slowestMs, growthBytes, seconds }: Result): string {
  const codes = Object.entries(rejected)
    .toSorted(([, a], [, b]) => b - a)
    .map(([code, times]) => `${code} ${times}`)
  return [
    target.padEnd(16),
    String(count).padStart(8),
    `taken ${accepted}`.padEnd(14),
    `${slowestMs.toFixed(1)} ms`.padStart(9),
    `+${(growthBytes / 2 ** 20).toFixed(1)} MiB`.padStart(10),
    `${Math.round(count / seconds)}/s`.padStart(9),
    ` ${codes.join(', ')}`
  ].join(' ')
}

/**
 * Homes that are copied, cloned, restored, snapshotted and paused, and clocks that are wrong: with real daemons, one after
 * the other. Needs Debian's libfaketime for the clocks, and installs it when it may.
 *
 *   npm run clones -- [--only text]
 */
import '../src/polyfill.js'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { reasonOf } from '../src/errors.js'
import { Cluster } from '../test/e2e/cluster.js'
import { SCENARIOS, type Scenario } from '../test/node/clones.js'
import { FAKETIME_LIBRARY, wrongClocks } from '../test/node/wrong-clocks.js'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })
const clocks: Scenario = { name: 'clocks an hour and ten years off, stepping and standing still', run: wrongClocks }
const skipped = installed() ? [] : [clocks.name]
const scenarios = [...SCENARIOS, ...(skipped.length === 0 ? [clocks] : [])].filter(({ name }) =>
  name.includes(values.only)
)
let failed = 0
for (const { name, run } of scenarios) {
  const began = performance.now()
  const cluster = new Cluster()
  let said = 'ok    '
  try {
    await run(cluster)
  } catch (error) {
    failed += 1
    said = 'FAILED'
    process.stderr.write(`${reasonOf(error)}\n${cluster.tails()}`)
  } finally {
    await cluster.close()
  }
  process.stdout.write(`${said} ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${name}\n`)
}
for (const name of skipped) process.stdout.write(`skipped, libfaketime is not installed: ${name}\n`)
process.exitCode = failed === 0 ? 0 : 1

function installed(): boolean {
  if (existsSync(FAKETIME_LIBRARY)) return true
  try {
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'libfaketime'], { stdio: 'ignore' })
  } catch {
    // not Debian, or not ours to install: what needs it is skipped, and said so
  }
  return existsSync(FAKETIME_LIBRARY)
}

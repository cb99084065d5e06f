/**
 * Harms every file a node keeps, one at a time, with and without a peer, and tells what became of it: found before it is
 * served, never spread, healed where somebody has it, named where nobody does. Ends with 1 when any case fails.
 *
 *   npm run corruption -- [--positions 3] [--alone] [--with-peer] [--file text] [--harm flip,zero,cut-tail,cut-half,delete]
 *
 * A case takes about 4 s; the whole with 20 positions some hours.
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { reasonOf } from '../src/errors.js'
import { Cluster } from '../test/e2e/cluster.js'
import { casesOf, GOOD, HARMS, makeRig, runCase, type Result } from '../test/node/corruption.js'

const { values } = parseArgs({
  options: {
    positions: { type: 'string', default: '3' },
    alone: { type: 'boolean', default: false },
    'with-peer': { type: 'boolean', default: false },
    file: { type: 'string', default: '' },
    harm: { type: 'string', default: HARMS.join() }
  }
})
const both = values.alone === values['with-peer']
const harms = new Set(values.harm.split(','))
const results: Result[] = []
for (const alone of both ? [false, true] : [values.alone]) await run(alone)
process.stdout.write(table(results))
const bad = results.filter(({ outcome }) => !GOOD.has(outcome))
for (const { file, harm, place, alone, outcome, detail } of bad)
  process.stdout.write(
    `FAILED  ${file}  ${harm} at ${place.toFixed(3)}${alone ? ', alone' : ''}: ${outcome}: ${detail}\n`
  )
process.stdout.write(`${results.length} cases, ${bad.length} failed\n`)
process.exitCode = bad.length === 0 ? 0 : 1

async function run(alone: boolean): Promise<void> {
  const cluster = new Cluster()
  try {
    const rig = await makeRig(cluster, alone)
    for (const what of casesOf(rig.template, alone, Number(values.positions))) {
      if (!what.file.includes(values.file) || !harms.has(what.harm)) continue
      try {
        results.push(await runCase(rig, what))
      } catch (error) {
        results.push({ ...what, outcome: 'dead', restarts: 0, detail: `${reasonOf(error)}\n${rig.node.tail()}` })
      }
      const { outcome } = results.at(-1)!
      process.stderr.write(`${results.length} ${alone ? 'alone' : 'peer'} ${what.file} ${what.harm} ${outcome}\n`)
    }
  } finally {
    await cluster.close()
  }
}

/** One row a kind of file and a harm; numbers in one blob's name say nothing. */
function table(all: readonly Result[]): string {
  const rows = new Map<string, Map<string, number>>()
  for (const { file, harm, alone, outcome } of all) {
    const kind = file
      .replace(/[0-9a-f]{64}/, '*')
      .replace(/^blobs\/../, 'blobs/*')
      .replace(/\d{6,}/, '*')
    const key = `${(alone ? 'alone' : 'peer').padEnd(6)} ${kind.padEnd(24)} ${harm.padEnd(9)}`
    const counts = rows.get(key) ?? new Map<string, number>()
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    rows.set(key, counts)
  }
  return [...rows]
    .map(([key, counts]) => `${key} ${[...counts].map(([outcome, count]) => `${outcome} ${count}`).join(', ')}\n`)
    .join('')
}

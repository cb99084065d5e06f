/**
 * Harms every file a node keeps, one at a time, with and without a peer, and tells what became of it: found before it is
 * served, never spread, healed where somebody has it, named where nobody does. Ends with 1 when any case fails.
 *
 *   npm run corruption -- [--positions 3] [--jobs 2] [--alone] [--with-peer] [--file text] [--harm flip,zero,cut-tail,...]
 *
 * A case takes about half a second, and `--jobs` of them run at once, each on nodes of its own. Of cases that leave the
 * same bytes one is run. The whole with 20 positions takes about 15 minutes on two cores.
 */
import '../src/polyfill.js'
import { parseArgs } from 'node:util'
import { reasonOf } from '../src/errors.js'
import { Cluster } from '../test/e2e/cluster.js'
import { GOOD, makeRig, runCase, type Result } from '../test/node/corruption.js'
import { casesOf, HARMS, type Case } from '../test/node/harm.js'

const { values } = parseArgs({
  options: {
    positions: { type: 'string', default: '3' },
    jobs: { type: 'string', default: '2' },
    alone: { type: 'boolean', default: false },
    'with-peer': { type: 'boolean', default: false },
    file: { type: 'string', default: '' },
    harm: { type: 'string', default: HARMS.join() }
  }
})
const both = values.alone === values['with-peer']
const harms = new Set(values.harm.split(','))
const jobs = Number(values.jobs)
const began = performance.now()
const results: Result[] = []
for (const alone of both ? [false, true] : [values.alone]) {
  const shapes = await Promise.all(Array.from({ length: jobs }, (_, job) => run(alone, job)))
  if (new Set(shapes).size > 1) throw new Error(`the nodes do not keep the same files: ${shapes.join(' | ')}`)
}
process.stdout.write(table(results))
const bad = results.filter(({ outcome }) => !GOOD.has(outcome))
for (const { file, harm, place, alone, outcome, detail } of bad)
  process.stdout.write(
    `FAILED  ${file}  ${harm} at ${place.toFixed(3)}${alone ? ', alone' : ''}: ${outcome}: ${detail}\n`
  )
const seconds = Math.round((performance.now() - began) / 1_000)
process.stdout.write(`${results.length} cases in ${seconds} s, ${bad.length} failed\n`)
process.exitCode = bad.length === 0 ? 0 : 1

/** Runs this job's share of the cases on rigs of its own; resolves with the kinds of files there are. */
async function run(alone: boolean, job: number): Promise<string> {
  let cluster = new Cluster()
  try {
    let rig = await makeRig(cluster, alone)
    const { home, files } = rig.template
    for (const [at, what] of casesOf(home, files, alone, Number(values.positions)).entries()) {
      if (at % jobs !== job || !what.file.includes(values.file) || !harms.has(what.harm)) continue
      const result = await outcomeOf(rig, what)
      results.push(result)
      process.stderr.write(
        `${results.length} ${alone ? 'alone' : 'peer'} ${what.file} ${what.harm} ${result.outcome}\n`
      )
      if (GOOD.has(result.outcome)) continue
      // what went wrong must not be held against the cases behind it
      await cluster.close()
      cluster = new Cluster()
      rig = await makeRig(cluster, alone)
    }
    return [...new Set(files.map(kindOf))].join(' ')
  } finally {
    await cluster.close()
  }
}

async function outcomeOf(rig: Awaited<ReturnType<typeof makeRig>>, what: Case): Promise<Result> {
  try {
    return await runCase(rig, what)
  } catch (error) {
    return { ...what, outcome: 'dead', restarts: 0, detail: `${reasonOf(error)}\n${rig.node.tail()}` }
  }
}

/** Numbers in one file's name say nothing. */
function kindOf(file: string): string {
  return file
    .replace(/[0-9a-f]{64}/, '*')
    .replace(/^blobs\/../, 'blobs/*')
    .replace(/\d{6,}/, '*')
}

/** One row a kind of file and a harm. */
function table(all: readonly Result[]): string {
  const rows = new Map<string, Map<string, number>>()
  for (const { file, harm, alone, outcome, restarts } of all) {
    const key = `${(alone ? 'alone' : 'peer').padEnd(6)} ${kindOf(file).padEnd(24)} ${harm.padEnd(9)}`
    const counts = rows.get(key) ?? new Map<string, number>()
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    if (restarts > 0) counts.set('restarts', (counts.get('restarts') ?? 0) + restarts)
    rows.set(key, counts)
  }
  return [...rows]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, counts]) => `${key} ${[...counts].map(([outcome, count]) => `${outcome} ${count}`).join(', ')}\n`)
    .join('')
}

/**
 * Cuts the power of a node again and again while it takes acknowledged writes, edits of its directory and sets from a
 * peer, and looks at what each cut left. Needs root and loop mounts; installs xfsprogs and e2fsprogs when missing.
 *
 *   npm run power-cut -- [--cuts 300] [--seed N]
 *
 * Each cut is a copy of the disk's image that shares its blocks (FICLONE): everything that had reached the disk at one
 * instant, and nothing that was only in memory. Ends with 1 when something was lost or half, with 0 and a sentence when
 * this machine cannot do it.
 */
import '../src/polyfill.js'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../src/errors.js'
import { Cluster } from '../test/e2e/cluster.js'
import { atExit } from '../test/e2e/program.js'
import { until } from '../test/e2e/until.js'
import type { CutReport } from './power-check.js'
import { Load } from './power-load.js'
import { Ledger } from './power-promises.js'
import { Rig, whyNot } from './power-rig.js'

const PROGRESS_EVERY = 10
/** Acknowledgements between two cuts, at most; the cut itself falls at a random one of them. */
const MAX_BETWEEN = 120
/** Longest look at one cut, ms. */
const CHECK_TIMEOUT_MS = 600_000

const { values } = parseArgs({
  options: { cuts: { type: 'string', default: '300' }, seed: { type: 'string', default: String(Date.now() % 2 ** 32) } }
})

const reason = whyNot()
if (reason !== undefined) skip(reason)
const place = mkdtempSync(join(tmpdir(), 'gv-power-'))
const rig = makeRig()
// also when it is interrupted: nothing stays mounted
const forget = atExit(() => clear())
const cluster = new Cluster()
let seed = Number(values.seed) >>> 0
process.stdout.write(`seed ${seed}\n`)
try {
  process.exitCode = await run()
} catch (error) {
  process.stderr.write(cluster.tails())
  throw error
} finally {
  await cluster.close()
  clear()
  forget()
}

function clear(): void {
  rig.close()
  // the file systems of a look that was cut short may be in use for a moment longer
  rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}

async function run(): Promise<number> {
  const node = await cluster.found('a', { home: join(rig.live, 'home'), dir: join(rig.live, 'catalog') })
  const peer = await cluster.join('b')
  await cluster.connected()
  const ledger = new Ledger()
  const load = new Load(node, peer, ledger)
  const failures: string[] = []
  const starts: number[] = []
  let recovered = 0
  let looking: Promise<void> = Promise.resolve()
  const note = (cut: number, report: CutReport): void => {
    for (const failure of report.failures) process.stdout.write(`FAILED cut ${cut}: ${failure}\n`)
    failures.push(...report.failures)
    starts.push(report.startMs)
    if (report.recovered > 0) recovered += 1
    if (cut % PROGRESS_EVERY === 0) process.stdout.write(`${cut} cuts, ${failures.length} failures\n`)
  }
  for (let cut = 1; cut <= Number(values.cuts); cut++) {
    load.resume()
    const enough = ledger.acknowledgements + Math.ceil(random() * MAX_BETWEEN)
    await until('there is enough to lose', () => ledger.acknowledgements >= enough, undefined, 1)
    const before = ledger.acknowledged()
    const image = rig.cut()
    const promises = join(place, `promises-${cut}.json`)
    writeFileSync(promises, JSON.stringify(ledger.promises(before)))
    await load.pause()
    // a copy needs nothing of the disk it was made of: the next cut is prepared meanwhile
    await looking
    looking = look(image, promises, cut).then((report) => note(cut, report))
    // reported when it is awaited
    looking.catch(() => undefined)
  }
  await looking
  const summary = {
    cuts: starts.length,
    failures: failures.length,
    acknowledged: ledger.acknowledgements,
    cutsWithASetUnderWay: recovered,
    slowestStartMs: Math.max(...starts),
    medianStartMs: starts.toSorted((a, b) => a - b)[starts.length >> 1]
  }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  return failures.length === 0 ? 0 : 1
}

/** In namespaces of its own, so that the copy lies where the disk lay, and nobody hears from the daemon. */
async function look(image: string, promises: string, cut: number): Promise<CutReport> {
  const log = join(place, `cut-${cut}`)
  mkdirSync(log)
  const check = fileURLToPath(new URL('power-check.ts', import.meta.url))
  const args = ['--mount', '--net', '--propagation', 'private', process.execPath, '--import', 'tsx', check]
  const { stdout } = await promisify(execFile)('unshare', [...args, image, rig.live, promises, log], {
    timeout: CHECK_TIMEOUT_MS
  })
  rmSync(log, { recursive: true })
  rig.discard(image)
  return JSON.parse(stdout) as CutReport
}

function makeRig(): Rig {
  try {
    return new Rig(place)
  } catch (error) {
    rmSync(place, { recursive: true, force: true })
    return skip(`loop mounts do not work here: ${reasonOf(error)}`)
  }
}

function skip(why: string): never {
  process.stdout.write(`power cuts skipped: ${why}\n`)
  process.exit(0)
}

/** A small generator of numbers in [0, 1) that a seed repeats. */
function random(): number {
  seed = (seed + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

/**
 * Numbers every write, fsync, rename and other change of files that a daemon makes during a script of 200 changes, and
 * judges what a kill before, in the middle of and after each of them leaves, partly with a second kill during recovery.
 *
 *   npm run crash-points -- [--part N] [--stride N] [--offset N] [--length 200] [--judges 2]
 *   npm run crash-points -- --again PLACE
 *   npm run crash-points -- --kills [--stride 50] [--offset N] [--length 200]
 *
 * The script is played once and an image taken at each point; that needs root and btrfs-progs, which is installed when
 * missing. Images that fail are kept in PLACE, and `--again` judges them once more. `--kills` needs nothing: it really
 * kills a daemon at each point it tries, which takes seconds each. Ends with 1 when anything was lost, half or slow.
 */
import '../src/polyfill.js'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { judgeAgain, readKept, writeKept } from '../test/e2e/crash-again.js'
import { installForImages, Places, whyNoImages } from '../test/e2e/crash-images.js'
import { sweepByKills } from '../test/e2e/crash-kills.js'
import { PART_LENGTH } from '../test/e2e/crash-recorder.js'
import { MAX_START_CPU_MS, sweep, type Failure, type SweepResult } from '../test/e2e/crash-sweep.js'
import { summaryOf } from '../test/e2e/crash-summary.js'
import { atExit } from '../test/e2e/program.js'

const PROGRESS_EVERY_MS = 10_000
/** Points between two reports of a sweep by kills. */
const PROGRESS_EVERY_KILLS = 25
const SECONDS_A_MINUTE = 60
/** A file system in memory, where there is one: images are many, and no power is cut. */
const MEMORY = '/dev/shm'

const { values } = parseArgs({
  options: {
    part: { type: 'string' },
    stride: { type: 'string' },
    offset: { type: 'string', default: '0' },
    length: { type: 'string', default: '200' },
    judges: { type: 'string', default: '2' },
    again: { type: 'string' },
    kills: { type: 'boolean', default: false }
  }
})
const offset = Number(values.offset)
const length = Number(values.length)
let told = 0

function tellFailures(failures: readonly (Failure | string)[]): void {
  for (; told < failures.length; told++) {
    const failure = failures[told]!
    const text = typeof failure === 'string' ? failure : `${failure.image} (${failure.points} points): ${failure.what}`
    process.stdout.write(`FAILED ${text}\n`)
  }
}

async function byImages(): Promise<boolean> {
  const place = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'gv-crash-'))
  const places = new Places(place)
  let keep = false
  atExit(() => {
    places.unmount()
    // judges that were just killed may have it in use for a moment longer
    if (!keep) rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  })
  const began = performance.now()
  let next = began
  const progress = (result: SweepResult, waiting: number): void => {
    tellFailures(result.failures)
    if (performance.now() < next) return
    next = performance.now() + PROGRESS_EVERY_MS
    process.stdout.write(`${progressOf(result, waiting, performance.now() - began)}\n`)
  }
  const part = values.part === undefined ? {} : { part: Number(values.part) }
  const judges = Number(values.judges)
  const result = await sweep({ place, ...part, stride: Number(values.stride ?? 1), offset, length, judges, progress })
  process.stdout.write(`${JSON.stringify(summaryOf(result, performance.now() - began), null, 2)}\n`)
  if (result.failures.length > 0) {
    keep = true
    writeKept(place, result.failures)
    process.stdout.write(`the images that failed are kept: npm run crash-points -- --again ${place}\n`)
  }
  return result.failures.length === 0 && Math.max(0, ...result.starts.realCpu) <= MAX_START_CPU_MS
}

function progressOf(result: SweepResult, waiting: number, ms: number): string {
  const { points, looked, images, judged, judgedPoints, failures } = result
  const perSecond = (judgedPoints / ms) * 1_000
  const whole = values.part === undefined ? length / PART_LENGTH : 1
  // parts are about as long as each other
  const seconds = ((points / result.parts) * whole * (looked / points) - judgedPoints) / perSecond
  const left = (seconds / SECONDS_A_MINUTE).toFixed(1)
  const counts = `${points} points recorded, ${images} images, ${judged} judged, ${waiting} wait`
  return `${counts}, ${failures.length} failures; ${perSecond.toFixed(1)} points/s, ${left} min left`
}

async function byKills(): Promise<boolean> {
  const place = mkdtempSync(join(tmpdir(), 'gv-crash-'))
  atExit(() => rmSync(place, { recursive: true, force: true }))
  const result = await sweepByKills({
    place,
    stride: Number(values.stride ?? 50),
    offset,
    length,
    progress: (swept, of, { failures }) => {
      tellFailures(failures)
      if (swept % PROGRESS_EVERY_KILLS === 0)
        process.stdout.write(`${swept} of ${of} points, ${failures.length} failures\n`)
    }
  })
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  return result.failures.length === 0 && result.slowestStartCpuMs <= MAX_START_CPU_MS
}

async function again(place: string): Promise<boolean> {
  atExit(() => new Places(place).unmount())
  const kept = readKept(place)
  const failures = await judgeAgain(place, kept, Number(values.judges))
  tellFailures(failures)
  process.stdout.write(`${failures.length} of ${2 * kept.length} starts fail again, two of each image\n`)
  return failures.length === 0
}

if (!values.kills) installForImages()
const reason = values.kills ? 'asked for kills' : whyNoImages()
if (reason !== undefined) process.stdout.write(`${reason}: a daemon is killed at some of the points instead\n`)
const held = await (reason !== undefined ? byKills() : values.again === undefined ? byImages() : again(values.again))
process.exit(held ? 0 : 1)

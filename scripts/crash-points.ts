/**
 * Numbers every write, fsync, rename and other change of files that a daemon makes during a script of 200 changes, kills
 * it before, in the middle of and after each, partly a second time during recovery, and checks what it comes back with.
 *
 *   npm run crash-points -- [--stride N] [--offset N] [--length 200]
 *
 * `--stride` tries every so many points (1: all of them, which takes hours). Ends with 1 when anything was lost, half
 * or slow.
 */
import '../src/polyfill.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sweep } from '../test/e2e/crash-sweep.js'
import { atExit } from '../test/e2e/program.js'

/** CPU time a start may take, ms: on an idle machine this is also its time on the clock. */
const MAX_START_CPU_MS = 2_000
const PROGRESS_EVERY = 25

const { values } = parseArgs({
  options: {
    stride: { type: 'string', default: '50' },
    offset: { type: 'string', default: '0' },
    length: { type: 'string', default: '200' }
  }
})
const place = mkdtempSync(join(tmpdir(), 'gv-crash-'))
atExit(() => rmSync(place, { recursive: true, force: true }))
let reported = 0
const result = await sweep({
  place,
  stride: Number(values.stride),
  offset: Number(values.offset),
  length: Number(values.length),
  progress: (swept, of, { failures }) => {
    for (; reported < failures.length; reported++) process.stdout.write(`FAILED ${failures[reported]}\n`)
    if (swept % PROGRESS_EVERY === 0) process.stdout.write(`${swept} of ${of} points, ${failures.length} failures\n`)
  }
})
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
process.exit(result.failures.length > 0 || result.slowestStartCpuMs > MAX_START_CPU_MS ? 1 : 0)

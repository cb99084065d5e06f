/**
 * Measures a cluster on this machine, and writes one file of JSON a run.
 *
 *   npm run bench -- [--only micro,W1,...,W8] [--runs 5] [--nodes 3] [--scale 10000] [--batch 1] [--mib 256] [--out FILE]
 *   npm run bench -- --with DIR --peers nats,tcp [--only W1,W2]     beside the peers of another benchmark (bench-peers.ts)
 *   npm run bench -- compare A.json B.json [--disturbed]            medians of both and their ratio; refuses what means nothing
 *   npm run bench -- table A.json                                   the table of the README
 *
 * As root all nodes run in a network namespace of their own with nothing but loopback, so that the bytes on the wire are
 * theirs alone; otherwise (or with --no-namespace) on the loopback of this machine, whose other traffic is counted with it.
 * `--nodes` are receivers. The shape of a line and what each workload does: bench-result.ts, bench-workloads.ts.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { buildIfNeeded } from './build.mjs'
import { Cluster } from './bench-cluster.js'
import { compare, comparisonText } from './bench-compare.js'
import { files } from './bench-files.js'
import { ForeignLoad, machine, versionMeasured } from './bench-machine.js'
import { micro } from './bench-micro.js'
import { besidePeers } from './bench-peers.js'
import { readResult, RESULT_FORMAT, type Line, type ResultFile } from './bench-result.js'
import { tableText } from './bench-table.js'
import { bigFile, load, propagation, writers, type Measured, type Sizes } from './bench-workloads.js'

const WORKLOADS = ['micro', 'W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8']
/** These share one load. */
const OF_ONE_LOAD = ['W2', 'W3', 'W4', 'W6']
const IN_NAMESPACE = 'GRAPEVINE_BENCH_NAMESPACE'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: WORKLOADS.join(',') },
    runs: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '3' },
    scale: { type: 'string', default: '10000' },
    batch: { type: 'string', default: '1' },
    changes: { type: 'string', default: '200' },
    writes: { type: 'string', default: '500' },
    files: { type: 'string', default: '1000' },
    edits: { type: 'string', default: '50' },
    mib: { type: 'string', default: '256' },
    idle: { type: 'string', default: '30' },
    limit: { type: 'string', default: '600' },
    with: { type: 'string' },
    peers: { type: 'string', default: '' },
    out: { type: 'string' },
    disturbed: { type: 'boolean', default: false },
    'no-namespace': { type: 'boolean', default: false }
  }
})

function wholeNumber(name: 'runs' | 'limit' | keyof typeof SIZES): number {
  const flag = name in SIZES ? SIZES[name as keyof typeof SIZES] : (name as 'runs' | 'limit')
  const number = Number(options[flag])
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${flag} needs a whole number above 0`)
  return number
}

/** Which flag sets which size. */
const SIZES = {
  n: 'nodes',
  scale: 'scale',
  batch: 'batch',
  changes: 'changes',
  writes: 'writes',
  mib: 'mib',
  files: 'files',
  edits: 'edits',
  idleS: 'idle'
} as const satisfies Record<keyof Sizes, keyof typeof options>

const sizes = (): Sizes =>
  Object.fromEntries(Object.keys(SIZES).map((name) => [name, wholeNumber(name as keyof Sizes)])) as unknown as Sizes

function wantedWorkloads(): string[] {
  const wanted = options.only.split(',')
  const unknown = wanted.find((name) => !WORKLOADS.includes(name))
  if (unknown !== undefined) throw new Error(`there is no workload ${unknown}; there are ${WORKLOADS.join(', ')}`)
  return wanted
}

class Run {
  readonly #lines: Line[] = []
  readonly #at = new Date()
  readonly #version = versionMeasured()
  readonly #foreign = new ForeignLoad()
  readonly #out = options.out ?? `bench-results/${this.#at.toISOString().replaceAll(':', '-').slice(0, 19)}.json`

  /** Everything so far is in the file after each line: a run of hours may end early. */
  add(line: Line): void {
    this.#lines.push(line)
    process.stdout.write(`${JSON.stringify(line)}\n`)
    const file: ResultFile = {
      format: RESULT_FORMAT,
      at: this.#at.toISOString(),
      version: this.#version,
      node: process.version,
      machine: machine(),
      alone: process.env[IN_NAMESPACE] !== undefined,
      command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
      lines: this.#lines
    }
    mkdirSync(dirname(this.#out), { recursive: true })
    writeFileSync(this.#out, `${JSON.stringify(file, null, 1)}\n`)
  }

  measured(peer: string, measured: Measured): void {
    this.add({ peer, version: this.#version, ...measured, foreign: this.#foreign.percent() })
  }

  end(): void {
    process.stdout.write(this.#lines.length === 0 ? 'nothing was measured\n' : `written to ${this.#out}\n`)
    if (this.#lines.length === 0 || this.#lines.some(({ ok }) => !ok)) process.exitCode = 1
  }
}

/** One cluster for some workloads; what fails, or takes too long, is a line as well, and the rest goes on. */
async function inCluster(run: Run, name: string, wanted: readonly string[]): Promise<void> {
  const peer = name === 'files' ? 'grapevine:files' : 'grapevine'
  const cluster = new Cluster(name === 'files' ? 'files' : undefined)
  const reported = new Set<string>()
  const report = (measured: Measured): void => {
    reported.add(measured.workload)
    run.measured(peer, measured)
  }
  const limitS = wholeNumber('limit')
  try {
    const work: Record<string, () => Promise<void>> = {
      W1: () => propagation(cluster, sizes(), report),
      load: () => load(cluster, sizes(), report, new Set(wanted)),
      W5: () => bigFile(cluster, sizes(), report),
      files: () => files(cluster, sizes(), report),
      W8: () => writers(cluster, sizes(), report)
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`cut off after ${limitS} s`)), limitS * 1_000)
    })
    await Promise.race([work[name]!(), late]).finally(() => clearTimeout(timer))
  } catch (error) {
    const workload = wanted.find((each) => !reported.has(each)) ?? wanted[0]!
    const notes = (error as Error).message
    run.measured(peer, { workload, n: sizes().n, params: {}, result: {}, ok: false, notes })
  } finally {
    await cluster.stop()
  }
}

async function ourselves(run: Run): Promise<void> {
  const wanted = wantedWorkloads()
  for (let round = 0; round < wholeNumber('runs'); round++) {
    if (wanted.includes('micro')) await micro((measured) => run.measured('grapevine', measured))
    if (wanted.includes('W1')) await inCluster(run, 'W1', ['W1'])
    const loads = OF_ONE_LOAD.filter((name) => wanted.includes(name))
    if (loads.length > 0) await inCluster(run, 'load', loads)
    if (wanted.includes('W5')) await inCluster(run, 'W5', ['W5'])
    if (wanted.includes('W7')) await inCluster(run, 'files', ['W7'])
    if (wanted.includes('W8')) await inCluster(run, 'W8', ['W8'])
  }
}

async function withPeers(run: Run, harness: string): Promise<void> {
  const workloads = wantedWorkloads().filter((name) => name !== 'micro')
  const { n, scale, batch, mib, idleS } = sizes()
  const flags = Object.entries({
    n,
    scale,
    batch,
    mib,
    idle: idleS,
    runs: wholeNumber('runs'),
    limit: wholeNumber('limit')
  })
  await besidePeers(
    {
      harness,
      workloads,
      peers: options.peers.split(',').filter((peer) => peer !== ''),
      flags: flags.flatMap(([name, value]) => [`--${name}`, String(value)])
    },
    (line) => run.add(line)
  )
}

/** Runs this command again where nothing but its own nodes is on the loopback. False: it cannot be had here. */
async function inNamespaceOfItsOwn(): Promise<boolean> {
  if (options['no-namespace'] || process.env[IN_NAMESPACE] !== undefined || process.getuid?.() !== 0) return false
  const prepare = 'ip link set lo up && exec "$@"'
  if (spawnSync('unshare', ['--net', 'sh', '-c', prepare, 'sh', 'true'], { stdio: 'ignore' }).status !== 0) return false
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', ['--net', 'sh', '-c', prepare, 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [IN_NAMESPACE]: '1' }
  })
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
  return true
}

async function measure(): Promise<void> {
  wantedWorkloads()
  sizes()
  if (options.with === undefined && (await inNamespaceOfItsOwn())) return
  if (!buildIfNeeded()) throw new Error('it does not build')
  const run = new Run()
  if (options.with === undefined) await ourselves(run)
  else await withPeers(run, options.with)
  run.end()
}

async function main(): Promise<void> {
  const [command, ...paths] = positionals
  if (command === undefined) return measure()
  if (command === 'compare' && paths.length === 2) {
    const [a, b] = paths as [string, string]
    process.stdout.write(comparisonText(compare(readResult(a), readResult(b), options), [a, b]))
  } else if (command === 'table' && paths.length === 1) process.stdout.write(tableText(readResult(paths[0]!)))
  else throw new Error(`"${positionals.join(' ')}" is not understood: say nothing, "compare A B" or "table A"`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 2
})

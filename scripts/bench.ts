/**
 * Measures a cluster on this machine, and writes one file of JSON a run: `npm run bench -- --help`.
 *
 * As root all nodes run in a network namespace of their own with nothing but loopback, so that the bytes on the wire are
 * theirs alone; otherwise (or with --no-namespace) on the loopback of this machine, whose other traffic is counted with it.
 * `--nodes` are receivers. The shape of a line and what each workload does: bench-result.ts, bench-workloads.ts; what is run
 * beside others, and how often: bench-plan.ts.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { buildIfNeeded } from './build.mjs'
import { Cluster, Profiling } from './bench-cluster.js'
import { compare, comparisonText } from './bench-compare.js'
import { files } from './bench-files.js'
import { ForeignLoad, machine, versionMeasured } from './bench-machine.js'
import { heapText } from './bench-heap.js'
import { micro } from './bench-micro.js'
import { HELP, readOptions, UsageError, type Options } from './bench-options.js'
import { besidePeers, checkHarness } from './bench-peers.js'
import { LOAD, nameOf, OURS, PLANS, planText, restricted, stagesOf, stepsOf, type Step } from './bench-plan.js'
import { profileText } from './bench-profile.js'
import { readResult, RESULT_FORMAT, type Line, type ResultFile } from './bench-result.js'
import { TABLE_MARKERS, tableText } from './bench-table.js'
import { bigFile, load, propagation, W8_WRITERS, writers, type Measured, type Sizes } from './bench-workloads.js'
import { replaceBetween } from './markdown.js'

const IN_NAMESPACE = 'GRAPEVINE_BENCH_NAMESPACE'

/** To run it again: without the places of this machine. */
function commandOf(args: readonly string[]): string {
  const words = args.flatMap((word, at) => {
    if (word === '--resume' || word === '--out' || args[at - 1] === '--out') return []
    return [args[at - 1] === '--with' ? 'DIR' : word]
  })
  return ['npm run bench --', ...words].join(' ')
}

class Run {
  readonly #lines: Line[] = []
  readonly #at: string
  readonly #version = versionMeasured()
  readonly #foreign = new ForeignLoad()
  readonly #out: string

  constructor(
    readonly options: Options,
    /** Whether nothing else is on the loopback. */
    readonly alone: boolean,
    before?: ResultFile
  ) {
    this.#at = before?.at ?? new Date().toISOString()
    this.#out = options.out ?? `bench-results/${this.#at.replaceAll(':', '-').slice(0, 19)}.json`
    this.#lines.push(...(before?.lines ?? []))
  }

  /** Everything so far is in the file after each line: a run of hours may end early. */
  add(line: Line): void {
    this.#lines.push(line)
    process.stdout.write(`${JSON.stringify(line)}\n`)
    const file: ResultFile = {
      format: RESULT_FORMAT,
      at: this.#at,
      version: this.#version,
      node: process.version,
      machine: machine(),
      alone: this.alone,
      command: commandOf(process.argv.slice(2)),
      lines: this.#lines
    }
    mkdirSync(dirname(this.#out), { recursive: true })
    // whole or not at all: it may be ended at any time, and gone on with
    writeFileSync(`${this.#out}.new`, `${JSON.stringify(file, null, 1)}\n`)
    renameSync(`${this.#out}.new`, this.#out)
  }

  measured(peer: string, measured: Measured): void {
    this.add({ peer, version: this.#version, ...measured, foreign: this.#foreign.percent() })
  }

  /** What others could not do is a result; what we could not is a failure. */
  end(): void {
    process.stdout.write(this.#lines.length === 0 ? 'nothing was measured\n' : `written to ${this.#out}\n`)
    if (this.#lines.length === 0 || this.#lines.some(({ ok, peer }) => !ok && OURS.test(peer))) process.exitCode = 1
  }
}

/** One cluster for some workloads; what fails, or takes too long, is a line as well, and the rest goes on. */
async function inCluster(run: Run, name: string, wanted: readonly string[], profiling?: Profiling): Promise<void> {
  const { sizes, limitS } = run.options
  const peer = name === 'files' ? 'grapevine:files' : 'grapevine'
  const cluster = new Cluster(name === 'files' ? 'files' : undefined, profiling)
  const reported = new Set<string>()
  const report = (measured: Measured): void => {
    reported.add(measured.workload)
    run.measured(peer, measured)
  }
  try {
    const work: Record<string, () => Promise<void>> = {
      W1: () => propagation(cluster, sizes, report),
      load: () => load(cluster, sizes, report, new Set(wanted)),
      W5: () => bigFile(cluster, sizes, report),
      files: () => files(cluster, sizes, report),
      W8: () => writers(cluster, sizes, report)
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`cut off after ${limitS} s`)), limitS * 1_000)
    })
    await Promise.race([work[name]!(), late]).finally(() => clearTimeout(timer))
    await Promise.all(profiling?.found ?? [])
  } catch (error) {
    const workload = wanted.find((each) => !reported.has(each)) ?? wanted[0]!
    const notes = (error as Error).message
    run.measured(peer, { workload, n: sizes.n, params: {}, result: {}, ok: false, notes })
  } finally {
    await cluster.stop()
  }
}

async function ourselves(run: Run): Promise<void> {
  const { workloads: wanted, runs } = run.options
  for (let round = 0; round < runs; round++) {
    if (wanted.includes('micro')) await micro((measured) => run.measured('grapevine', measured))
    if (wanted.includes('W1')) await inCluster(run, 'W1', ['W1'])
    const loads = LOAD.filter((name) => wanted.includes(name))
    if (loads.length > 0) await inCluster(run, 'load', loads)
    if (wanted.includes('W5')) await inCluster(run, 'W5', ['W5'])
    if (wanted.includes('W7')) await inCluster(run, 'files', ['W7'])
    if (wanted.includes('W8')) await inCluster(run, 'W8', ['W8'])
  }
}

function stepsAskedFor({ plan, workloads, peers, sizes, limitS, runs }: Options): Step[] {
  if (plan !== undefined) return stepsOf(restricted(PLANS[plan]!, workloads, peers), runs)
  return stepsOf(stagesOf(workloads, sizes, limitS, peers ?? []), runs)
}

/** What an earlier run left, to go on with. Throws when what comes now could not be compared with it. */
function earlier(out: string): ResultFile | undefined {
  if (!existsSync(out)) return undefined
  const before = readResult(out)
  const now = { version: versionMeasured(), node: process.version, machine: machine() }
  for (const what of ['version', 'node', 'machine'] as const)
    if (JSON.stringify(before[what]) !== JSON.stringify(now[what]))
      throw new UsageError(
        `${out} was measured with another ${what} (${JSON.stringify(before[what])}) than this would be ` +
          `(${JSON.stringify(now[what])}): name another --out, and begin anew`
      )
  return before
}

async function withPeers(options: Options, harness: string): Promise<void> {
  const all = stepsAskedFor(options)
  if (options.dryRun) return void process.stdout.write(planText(all))
  const before = options.resume ? earlier(options.out!) : undefined
  const done = new Set(before?.lines.map(({ peer, stage, round }) => [peer, stage, round].join()))
  const steps = all.filter(({ entrant, stage, round }) => !done.has([entrant.peer, nameOf(stage), round].join()))
  // the other benchmark makes a namespace for each of its runs where it may
  const run = new Run(options, process.getuid?.() === 0 && !options.noNamespace, before)
  await besidePeers({ harness, steps, noNamespace: options.noNamespace }, (line) => run.add(line))
  run.end()
}

/** Runs this command again where nothing but its own nodes is on the loopback. False: it cannot be had here. */
async function inNamespaceOfItsOwn({ noNamespace }: Options): Promise<boolean> {
  if (noNamespace || process.env[IN_NAMESPACE] !== undefined || process.getuid?.() !== 0) return false
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

async function measure(options: Options): Promise<void> {
  if (options.with !== undefined) checkHarness(options.with)
  else if (await inNamespaceOfItsOwn(options)) return
  if (!options.dryRun && !buildIfNeeded()) throw new Error('it does not build')
  if (options.with !== undefined) return withPeers(options, options.with)
  const run = new Run(options, process.env[IN_NAMESPACE] !== undefined)
  await ourselves(run)
  run.end()
}

/** What is done how often in a workload, to say what one takes. */
const UNITS: Readonly<Record<string, readonly [name: string, count: (sizes: Sizes) => number]>> = {
  W1: ['a change', ({ changes }) => changes],
  W2: ['an entry', ({ scale }) => scale],
  W3: ['an entry', ({ scale }) => scale],
  W4: ['a node', () => 1],
  W5: ['a MiB', ({ mib }) => mib],
  W6: ['a node', () => 1],
  W7: ['a file or edit', ({ files: count, edits }) => count + edits],
  W8: ['a change', ({ writes }) => W8_WRITERS * writes]
}

/** Runs one workload once, and tells where the processor time of its nodes went. */
async function profile(options: Options, workload: string | undefined): Promise<void> {
  const unit = UNITS[workload ?? '']
  if (workload === undefined || unit === undefined)
    throw new UsageError(`"profile" needs a workload behind it, one of ${Object.keys(UNITS).join(', ')}`)
  if (await inNamespaceOfItsOwn(options)) return
  if (!buildIfNeeded()) throw new Error('it does not build')
  const directory = resolve(options.out ?? `bench-results/profile-${workload}`)
  mkdirSync(directory, { recursive: true })
  const profiling = new Profiling(workload, directory)
  const run = new Run({ ...options, out: join(directory, 'result.json') }, true)
  const cluster = LOAD.includes(workload) ? 'load' : workload === 'W7' ? 'files' : workload
  await inCluster(run, cluster, [workload], profiling)
  const nodes = (await Promise.all(profiling.found)).toSorted((a, b) => a.node - b.node)
  run.end()
  const [name, count] = unit
  const { n } = options.sizes
  // the node that comes new, or back, is what is looked at
  const special = workload === 'W3' ? n + 1 : workload === 'W4' ? n : 0
  const columns = [
    { title: special === 0 ? 'writer' : 'the one that comes', nodes: nodes.filter(({ node }) => node === special) },
    { title: 'others', nodes: nodes.filter(({ node }) => node !== special) }
  ].filter((column) => column.nodes.length > 0)
  if (columns.length > 0) process.stdout.write(`\n${profileText(columns, { name, count: count(options.sizes) })}\n`)
  if (profiling.heap !== undefined) process.stdout.write(`${await heapText(profiling.heap)}\n`)
  process.stdout.write(`more in the developer tools of a browser: ${directory}/*profile, *snapshot\n`)
}

function table(path: string, into: string | undefined): void {
  const text = tableText(readResult(path))
  if (into === undefined) process.stdout.write(text)
  else writeFileSync(into, replaceBetween(readFileSync(into, 'utf8'), TABLE_MARKERS, text))
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  const [command, ...paths] = options.positionals
  if (options.help) process.stdout.write(HELP)
  else if (command === undefined) await measure(options)
  else if (command === 'profile' && paths.length <= 1) await profile(options, paths[0])
  else if (command === 'compare' && paths.length === 2) {
    const [a, b] = paths as [string, string]
    process.stdout.write(comparisonText(compare(readResult(a), readResult(b), options), [a, b]))
  } else if (command === 'table' && paths.length === 1) table(paths[0]!, options.into)
  else
    throw new UsageError(
      `"${options.positionals.join(' ')}" is not understood: say nothing, "profile W2", "compare A B" or "table A"; --help tells more`
    )
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 2
})

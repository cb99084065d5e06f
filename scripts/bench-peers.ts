/**
 * Our node beside the peers of another benchmark: one that keeps an adapter a peer in `adapters/`, prints a line of JSON a
 * workload, and is called `node bench.mjs --peer A --workload W1,W2`. It is copied, with our adapter among its own, so that
 * nothing is written where it lies.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { UsageError } from './bench-options.js'
import { minutes, nameOf, secondsOf, type Step } from './bench-plan.js'
import type { Line } from './bench-result.js'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
/** Besides what a step may take by its own limit: starting, comparing and stopping its nodes, s. */
const GRACE_S = 120
/** Signals closer together are one request, ms. */
const SAME_REQUEST_MS = 1_000
/** What the other benchmark calls our sizes. */
const FLAG: Readonly<Record<string, string>> = { idleS: 'idle' }

export interface PeersOptions {
  /** Where the other benchmark lies. */
  readonly harness: string
  readonly steps: readonly Step[]
  /** On the loopback of this machine, also as root. */
  readonly noNamespace: boolean
}

/** Throws when the other benchmark is not there. */
export function checkHarness(harness: string): void {
  if (!existsSync(join(harness, 'bench.mjs')) || !existsSync(join(harness, 'adapters')))
    throw new UsageError(`${harness} holds no benchmark: bench.mjs and adapters/ are looked for there`)
}

/**
 * Runs the steps one after the other; `line` is told each result as it comes. What a step does not bring is a line as well.
 * Asked to end (SIGINT, SIGTERM) it ends after the step under way; asked again, at once.
 */
export async function besidePeers(options: PeersOptions, line: (line: Line) => void): Promise<void> {
  checkHarness(options.harness)
  const copy = mkdtempSync(join(tmpdir(), 'grapevine-bench-peers-'))
  const end = new EndAsked()
  try {
    cpSync(options.harness, copy, { recursive: true })
    copyFileSync(join(REPOSITORY, 'scripts', 'bench-adapter.mjs'), join(copy, 'adapters', 'grapevine.mjs'))
    const progress = new Progress(options.steps)
    for (const step of options.steps) {
      if (end.asked) break
      progress.begins(step)
      const lines = await run(join(copy, 'bench.mjs'), step, options, end)
      if (end.atOnce) break
      progress.ended(step, lines)
      lines.forEach(line)
    }
  } finally {
    end.dispose()
    rmSync(copy, { recursive: true, force: true })
  }
}

/** Everything this step was to bring, by the names it has in the plan. */
async function run(script: string, step: Step, options: PeersOptions, end: EndAsked): Promise<Line[]> {
  const { stage, entrant, round } = step
  const sizes = Object.entries(stage.sizes).flatMap(([name, value]) => [`--${FLAG[name] ?? name}`, String(value)])
  const args = ['--peer', entrant.peer, '--workload', stage.workloads.join(','), '--limit', String(stage.limitS)]
  const { found, notes } = await called([script, ...args, ...sizes, ...(options.noNamespace ? ['--no-netns'] : [])], {
    limitS: stage.limitS + GRACE_S,
    end
  })
  const { n = 0, ...sized } = stage.sizes
  const lines = found.map((line) => ({
    ...line,
    // what was not done comes with fewer parameters, or none
    params: line.ok ? line.params : { ...sized, ...line.params },
    stage: nameOf(stage),
    round
  }))
  const missing = stage.workloads.filter((workload) => !lines.some((line) => line.workload === workload))
  return [
    ...lines,
    ...missing.map((workload) => ({
      peer: entrant.peer,
      version: lines[0]?.version ?? '',
      workload,
      n,
      params: sized,
      result: {},
      ok: false,
      notes,
      foreign: 0,
      stage: nameOf(stage),
      round
    }))
  ]
}

/** The lines it printed, and why there are no more. */
function called(args: readonly string[], { limitS, end }: { limitS: number; end: EndAsked }) {
  return new Promise<{ found: Line[]; notes: string }>((resolve, reject) => {
    // a group of its own: a Ctrl-C is for us, and a step that hangs is ended with all it started
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, GRAPEVINE_ROOT: REPOSITORY }
    })
    const found: Line[] = []
    let notes = 'the other benchmark said nothing of it'
    const timer = setTimeout(() => {
      notes = `ended after ${limitS} s without an answer`
      kill(child)
    }, limitS * 1_000)
    end.kill = () => kill(child)
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (text.startsWith('{')) found.push(JSON.parse(text) as Line)
      else process.stderr.write(`${text}\n`)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      if (code !== 0 && found.length === 0 && !end.atOnce)
        notes = `the other benchmark ended with ${code ?? 'a signal'}`
      resolve({ found, notes })
    })
  })
}

/** With all it started, and the network namespace it made for them. */
function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    return
  }
  spawnSync('ip', ['netns', 'del', `bn-${pid}`], { stdio: 'ignore' })
}

class EndAsked {
  asked = false
  atOnce = false
  kill: () => void = () => undefined
  #askedAt = 0
  readonly #hear = (): void => {
    // one Ctrl-C comes to all processes of a terminal, and whoever started us hands theirs on
    if (this.asked && performance.now() - this.#askedAt < SAME_REQUEST_MS) return
    this.atOnce = this.asked
    this.asked = true
    this.#askedAt = performance.now()
    if (this.atOnce) this.kill()
    else process.stderr.write('bench: ends after this step; asked again, at once\n')
  }

  constructor() {
    process.on('SIGINT', this.#hear).on('SIGTERM', this.#hear)
  }

  dispose(): void {
    process.off('SIGINT', this.#hear).off('SIGTERM', this.#hear)
  }
}

/** On stderr: what runs, how long it took, and how long the rest will by what the plan says and how it was so far. */
class Progress {
  readonly #began = performance.now()
  #beganStep = 0
  #done = 0

  constructor(readonly steps: readonly Step[]) {}

  begins({ round, stage, entrant }: Step): void {
    this.#beganStep = performance.now()
    process.stderr.write(`[${this.#done + 1}/${this.steps.length}] round ${round}, ${stage.name}: ${entrant.peer} ... `)
  }

  ended(step: Step, lines: readonly Line[]): void {
    this.#done = this.steps.indexOf(step) + 1
    const [took, all] = [this.#beganStep, this.#began].map((since) => (performance.now() - since!) / 1_000)
    const planned = secondsOf(this.steps.slice(0, this.#done))
    const left = secondsOf(this.steps.slice(this.#done)) * (all! / planned)
    const failed = lines
      .filter(({ ok }) => !ok)
      .map(({ workload, notes }) => `\n    ${workload}: ${notes.split('\n', 1)[0]}`)
    process.stderr.write(
      `${took!.toFixed(1)} s; ${left > 0 ? `about ${minutes(left)} left` : 'done'}${failed.join('')}\n`
    )
  }
}

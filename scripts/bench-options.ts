/** What the benchmark is told on its command line. */
import { parseArgs } from 'node:util'
import { PLANS } from './bench-plan.js'
import type { Sizes } from './bench-workloads.js'

export const WORKLOADS = ['micro', 'W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8'] as const

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
} as const satisfies Record<keyof Sizes, string>

const FLAGS = {
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
  peers: { type: 'string' },
  plan: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  resume: { type: 'boolean', default: false },
  out: { type: 'string' },
  into: { type: 'string' },
  disturbed: { type: 'boolean', default: false },
  'no-namespace': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false }
} as const

export const HELP = `Measures a cluster on this machine, alone or beside the peers of another benchmark.

  npm run bench -- [--only micro,W1,...,W8]           our nodes alone; one file of JSON a run
  npm run bench -- --with DIR --peers A,B [--only W1] the same workloads, in turns with the peers of the benchmark in DIR
  npm run bench -- --with DIR --plan ${Object.keys(PLANS).join('|').padEnd(16)} a named plan: stages, sizes, peers and how often each
  npm run bench -- profile W2                         which part of the program takes the processor time of a workload
  npm run bench -- compare A.json B.json              medians of both and their ratio; refuses what means nothing
  npm run bench -- table A.json [--into README.md]    Markdown, printed or put between the markers of a file

Sizes:
  --nodes 3         receivers beside the writer
  --scale 10000     entries of the loads W2, W3, W4 and W6
  --batch 1         entries a call while loading
  --changes 200     changes of W1         --writes 500   changes of each writer of W8
  --mib 256         the file of W5        --files 1000   files of W7, then --edits 50
  --idle 30         seconds of W6
  --limit 600       seconds after which a workload is cut off

A run:
  --runs 1          how often; with a plan: at most so often
  --out FILE        the result (default bench-results/<time>.json); it holds everything so far after each step
  --resume          go on with --out FILE where it ended
  --dry-run         only say what would be run and about how long it would take
  --plan, --peers   with both, only these peers of the plan
  --no-namespace    on the loopback of this machine even as root; bytes on the wire are then not the nodes' alone
  --disturbed       compare also what was measured while others kept the machine busy
`

/** The command line was not understood; the message says what to do instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface Options {
  readonly positionals: readonly string[]
  readonly workloads: readonly string[]
  readonly sizes: Sizes
  readonly runs: number
  readonly limitS: number
  readonly with: string | undefined
  /** Undefined: those of the plan. */
  readonly peers: readonly string[] | undefined
  readonly plan: string | undefined
  readonly dryRun: boolean
  readonly resume: boolean
  readonly out: string | undefined
  readonly into: string | undefined
  readonly disturbed: boolean
  readonly noNamespace: boolean
  readonly help: boolean
}

export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parsed(args)
  const whole = (flag: 'runs' | 'limit' | (typeof SIZES)[keyof Sizes]): number => {
    const number = Number(values[flag])
    if (!Number.isSafeInteger(number) || number < 1) throw new UsageError(`--${flag} needs a whole number above 0`)
    return number
  }
  const sizes = Object.fromEntries(Object.entries(SIZES).map(([name, flag]) => [name, whole(flag)]))
  const options: Options = {
    positionals,
    workloads: named(values.only, WORKLOADS, 'workload'),
    sizes: sizes as unknown as Sizes,
    runs: whole('runs'),
    limitS: whole('limit'),
    with: values.with,
    peers: values.peers?.split(',').filter((peer) => peer !== ''),
    plan: values.plan,
    dryRun: values['dry-run'],
    resume: values.resume,
    out: values.out,
    into: values.into,
    disturbed: values.disturbed,
    noNamespace: values['no-namespace'],
    help: values.help
  }
  check(options)
  return options
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: FLAGS })
  } catch (error) {
    // its second sentence tells how to pass such a word as a name, which nobody wants here
    const [what] = (error as Error).message.split('. ')
    throw new UsageError(`${what}; --help lists what there is`, { cause: error })
  }
}

function named(list: string, known: readonly string[], what: string): string[] {
  const wanted = list.split(',')
  const unknown = wanted.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UsageError(`there is no ${what} ${unknown}; there are ${known.join(', ')}`)
  return wanted
}

function check(options: Options): void {
  const { plan, peers, resume, out, into, positionals } = options
  if (plan !== undefined) named(plan, Object.keys(PLANS), 'plan')
  const alone = options.with === undefined
  for (const [flag, given] of Object.entries({ plan, peers, 'dry-run': options.dryRun || undefined }))
    if (alone && given !== undefined) throw new UsageError(`--${flag} needs --with DIR, where the other benchmark lies`)
  if (resume && (alone || out === undefined))
    throw new UsageError('--resume needs --with DIR and --out FILE, the result to go on with')
  if (into !== undefined && positionals[0] !== 'table') throw new UsageError('--into belongs to the command table')
}

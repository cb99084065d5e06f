/**
 * What is run beside the peers of another benchmark, in which order and how often. Peers take turns within each round, so
 * that a drift of the machine hits all alike, and a run that ends early has measured everybody equally often.
 */
import type { Sizes } from './bench-workloads.js'

/** One peer in one stage. */
export interface Entrant {
  readonly peer: string
  /** Not more often than this: slow ones would take all of the time. */
  readonly rounds: number
  /** About how long one run takes, s: only to say so beforehand. */
  readonly seconds: number
}

/** What one call of the other benchmark runs for one peer. */
export interface Stage {
  readonly name: string
  readonly workloads: readonly string[]
  readonly sizes: Partial<Pick<Sizes, 'n' | 'scale' | 'batch' | 'mib' | 'edits' | 'idleS'>>
  /** Cut off after this, s. */
  readonly limitS: number
  readonly entrants: readonly Entrant[]
}

export interface Step {
  /** From 1. */
  readonly round: number
  readonly stage: Stage
  readonly entrant: Entrant
}

/** What tells its results apart from those of other stages, also of other plans. */
export const nameOf = ({ name, sizes }: Stage): string =>
  [name, ...Object.entries(sizes).map(([size, value]) => `${size}=${value}`)].join(' ')

/** Ours has two names: the catalog alone, and with a shared directory. */
export const OURS = /^grapevine(:|$)/

/** These share one load, in this order. */
export const LOAD = ['W2', 'W6', 'W3', 'W4']

/** `seconds` by peer; a number behind it says how many rounds instead of five. */
function entrants(of: Readonly<Record<string, number | readonly [seconds: number, rounds: number]>>): Entrant[] {
  return Object.entries(of).map(([peer, each]) => {
    const [seconds, rounds] = typeof each === 'number' ? [each, 5] : each
    return { peer, seconds, rounds }
  })
}

/**
 * The table of the README: under an hour on two cores. Five rounds for those our figures are measured against, fewer for
 * those that take minutes. Who cannot do something at all is not asked.
 */
const TABLE: readonly Stage[] = [
  {
    name: 'one change',
    workloads: ['W1'],
    sizes: { n: 7 },
    limitS: 100,
    entrants: entrants({
      tcp: 12,
      grapevine: 17,
      nats: 12,
      redis: 12,
      etcd: 13,
      hocuspocus: 13,
      gossipsub: [18, 2],
      activemq: [16, 3],
      automerge: [15, 1],
      syncthing: [28, 1],
      orbitdb: [45, 1]
    })
  },
  {
    name: 'load',
    workloads: LOAD,
    sizes: { n: 3, scale: 10_000, batch: 1, idleS: 10 },
    limitS: 200,
    entrants: entrants({
      tcp: 15,
      grapevine: 28,
      nats: 18,
      redis: [17, 3],
      etcd: 20,
      hocuspocus: 18,
      activemq: [45, 1],
      automerge: [45, 1],
      syncthing: [120, 1]
    })
  },
  {
    name: 'load, gossip alone',
    workloads: ['W2'],
    sizes: { n: 3, scale: 10_000, batch: 1 },
    limitS: 100,
    entrants: entrants({ gossipsub: [18, 3], limits: [3, 3] })
  },
  {
    name: 'small load',
    workloads: LOAD,
    sizes: { n: 3, scale: 2_000, batch: 1, idleS: 10 },
    limitS: 200,
    entrants: entrants({ grapevine: [22, 1], orbitdb: [80, 1] })
  },
  {
    name: 'large load',
    workloads: LOAD,
    sizes: { n: 3, scale: 100_000, batch: 100, idleS: 10 },
    limitS: 240,
    entrants: entrants({ tcp: [22, 3], grapevine: [80, 3], nats: [35, 2], etcd: [45, 2], hocuspocus: [35, 2] })
  },
  {
    name: 'rest of eight',
    workloads: ['W6'],
    sizes: { n: 7, scale: 10_000, batch: 1, idleS: 30 },
    limitS: 120,
    entrants: entrants({ grapevine: [60, 2] })
  },
  {
    name: 'big file',
    workloads: ['W5'],
    sizes: { n: 3, mib: 256 },
    limitS: 100,
    entrants: entrants({
      tcp: 6,
      grapevine: 15,
      nats: 7,
      redis: 7,
      etcd: 11,
      hocuspocus: 14,
      limits: 3,
      activemq: [13, 3],
      gossipsub: [22, 1],
      syncthing: [35, 2]
    })
  },
  {
    name: 'files',
    workloads: ['W7'],
    sizes: { n: 3, edits: 50 },
    limitS: 150,
    entrants: entrants({ 'grapevine:files': 24, lsyncd: 17, limits: [6, 2], unison: [62, 1], syncthing: [75, 1] })
  },
  {
    name: 'four writers',
    workloads: ['W8'],
    sizes: { n: 3 },
    limitS: 100,
    entrants: entrants({
      grapevine: 15,
      nats: 8,
      redis: 7,
      etcd: 10,
      hocuspocus: 7,
      activemq: [18, 2],
      automerge: [10, 2],
      syncthing: [30, 1],
      orbitdb: [60, 1]
    })
  }
]

export const PLANS: Readonly<Record<string, readonly Stage[]>> = { table: TABLE }

/** Stages of the sizes and workloads that were asked for, where no plan is named. */
export function stagesOf(
  workloads: readonly string[],
  sizes: Sizes,
  limitS: number,
  peers: readonly string[]
): Stage[] {
  const { n, scale, batch, mib, edits, idleS } = sizes
  const stage = (name: string, of: readonly string[], which: Stage['sizes']): Stage[] => {
    const wanted = of.filter((workload) => workloads.includes(workload))
    if (wanted.length === 0) return []
    const ours = wanted.includes('W7') ? 'grapevine:files' : 'grapevine'
    const all = [ours, ...peers].map((peer) => ({ peer, rounds: Number.POSITIVE_INFINITY, seconds: 30 }))
    return [{ name, workloads: wanted, sizes: which, limitS, entrants: all }]
  }
  return [
    ...stage('W1', ['W1'], { n }),
    ...stage('load', LOAD, { n, scale, batch, idleS }),
    ...stage('W5', ['W5'], { n, mib }),
    ...stage('W7', ['W7'], { n, edits }),
    ...stage('W8', ['W8'], { n })
  ]
}

/** Those of the plan that were asked for; ours always. */
export function restricted(
  stages: readonly Stage[],
  workloads: readonly string[],
  peers: readonly string[] | undefined
): Stage[] {
  return stages
    .map((stage) => ({
      ...stage,
      workloads: stage.workloads.filter((workload) => workloads.includes(workload)),
      entrants: stage.entrants.filter(({ peer }) => OURS.test(peer) || peers === undefined || peers.includes(peer))
    }))
    .filter((stage) => stage.workloads.length > 0)
}

/** Round after round, and all of a stage after each other in it. */
export function stepsOf(stages: readonly Stage[], runs: number): Step[] {
  return Array.from({ length: runs }, (_, at) => at + 1).flatMap((round) =>
    stages.flatMap((stage) =>
      stage.entrants.filter(({ rounds }) => round <= rounds).map((entrant) => ({ round, stage, entrant }))
    )
  )
}

export const secondsOf = (steps: readonly Step[]): number =>
  steps.reduce((sum, { entrant }) => sum + entrant.seconds, 0)

export const minutes = (seconds: number): string => `${Math.max(1, Math.round(seconds / 60))} min`

/** What a run of these would do, and for how long. */
export function planText(steps: readonly Step[]): string {
  const stages = [...new Set(steps.map(({ stage }) => stage))]
  const lines = stages.map((stage) => {
    const own = steps.filter((step) => step.stage === stage)
    const times = stage.entrants.flatMap(({ peer }) => {
      const rounds = own.filter(({ entrant }) => entrant.peer === peer).length
      return rounds === 0 ? [] : [`${peer} ${rounds}x`]
    })
    return `${nameOf(stage)} (${stage.workloads.join(', ')}), about ${minutes(secondsOf(own))}:\n    ${times.join(', ')}`
  })
  return [
    ...lines,
    `${steps.length} steps, about ${minutes(secondsOf(steps))} on a machine with nothing else to do`,
    ''
  ].join('\n')
}

/** What one run leaves behind: a file of JSON, and the numbers in it by name. */
import { readFileSync } from 'node:fs'
import type { Machine } from './bench-machine.js'

/** Grows when the file means something else. */
export const RESULT_FORMAT = 1
/** A line during which others took more than this share of a core, percent, is used only where there is no other. */
export const MAX_FOREIGN_PERCENT = 30

export type Parameters = Readonly<Record<string, number | string | null>>

export interface Line {
  readonly peer: string
  readonly version: string
  readonly workload: string
  /** Receivers; for W8 writers. */
  readonly n: number
  readonly params: Parameters
  /** Numbers by name, in groups or not; what is no number is only shown. */
  readonly result: Readonly<Record<string, unknown>>
  /** False: not done, cut off, or the nodes differ at the end; `notes` says which. */
  readonly ok: boolean
  readonly notes: string
  /** What others took of one core meanwhile, percent. */
  readonly foreign: number
  /** Beside other peers: the stage of the plan with its sizes, and the round from 1 (bench-plan.ts). */
  readonly stage?: string
  readonly round?: number
}

export interface ResultFile {
  readonly format: number
  readonly at: string
  readonly version: string
  readonly node: string
  readonly machine: Machine
  readonly command: string
  /** Whether nothing else was on the loopback: otherwise bytes on the wire are not the nodes' alone. */
  readonly alone: boolean
  readonly lines: readonly Line[]
}

/** Reads one. Throws with a sentence when it is no such file. */
export function readResult(path: string): ResultFile {
  let found: unknown
  try {
    found = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Error(`${path} is no result of the benchmark: ${(error as Error).message}`, { cause: error })
  }
  const file = found as Partial<ResultFile> | null
  if (typeof file !== 'object' || file === null || !Array.isArray(file.lines) || file.machine === undefined)
    throw new Error(`${path} is no result of the benchmark: it has no lines or no machine`)
  if (file.format !== RESULT_FORMAT)
    throw new Error(`${path} has format ${file.format} and this version reads ${RESULT_FORMAT}: run the benchmark anew`)
  return file as ResultFile
}

/** Lines that may be compared with each other: same peer, workload, receivers and parameters. */
export interface Cell {
  readonly peer: string
  readonly workload: string
  readonly n: number
  readonly params: Parameters
  /** Runs that count, those that were done as they should, and all. */
  readonly runs: number
  readonly done: number
  readonly of: number
  /** Others kept the machine busy during each of the runs. */
  readonly disturbed: boolean
  /** Not done in any run; the values are then of what came of it all the same. */
  readonly failed: boolean
  readonly notes: string
  /** Values of each number, one a run, by its dotted name. */
  readonly values: ReadonlyMap<string, readonly number[]>
}

export function cellsOf(lines: readonly Line[]): Map<string, Cell> {
  const groups = new Map<string, Line[]>()
  for (const line of lines) {
    const name = cellName(line)
    groups.set(name, [...(groups.get(name) ?? []), line])
  }
  return new Map([...groups].map(([name, group]) => [name, cellOf(group)]))
}

function cellName({ peer, workload, n, params, stage }: Line): string {
  // what was not done has fewer parameters, and belongs to the same stage
  if (stage !== undefined) return [workload, stage, peer].join(' ')
  const named = Object.entries(params)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
  return [workload, `n=${n}`, ...named, peer].join(' ')
}

function cellOf(all: readonly Line[]): Cell {
  const done = all.filter(({ ok }) => ok)
  const { peer, workload, n, params } = done[0] ?? all[0]!
  // single steps count CPU time, which others take little of
  const quiet = done.filter(({ foreign }) => workload === 'micro' || foreign <= MAX_FOREIGN_PERCENT)
  const used = quiet.length > 0 ? quiet : done.length > 0 ? done : all
  const values = new Map<string, number[]>()
  for (const { result } of used)
    for (const [name, value] of numbersOf(result)) values.set(name, [...(values.get(name) ?? []), value])
  return {
    peer,
    workload,
    n,
    params,
    runs: Math.min(used.length, done.length),
    done: done.length,
    of: all.length,
    disturbed: done.length > 0 && quiet.length === 0,
    failed: done.length === 0,
    notes: all.find(({ notes }) => notes !== '')?.notes ?? '',
    values
  }
}

export function numbersOf(result: object, prefix = ''): Array<[name: string, value: number]> {
  return Object.entries(result).flatMap(([name, value]): Array<[string, number]> => {
    if (typeof value === 'number' && Number.isFinite(value)) return [[prefix + name, value]]
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? numbersOf(value as object, `${prefix}${name}.`)
      : []
  })
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** The nearest rank: a value that was measured, never one between two. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)])
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

export function round(value: number | undefined, digits = 2): number {
  return value === undefined ? Number.NaN : Number(value.toFixed(digits))
}

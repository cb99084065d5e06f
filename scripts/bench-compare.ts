/** Two results beside each other, and when that would be nonsense. */
import { cellsOf, median, type Cell, type ResultFile } from './bench-result.js'

/** Where more is better; everywhere else less is. */
const MORE_IS_BETTER = /Per(S|Core)$/
/** Not what is compared: how it was measured, or what no ratio makes sense of. */
const LEFT_OUT = /^(lost|sizes|keysThatDiffer)/
/** Means something only where nothing else was on the loopback. */
const ON_THE_WIRE = /^(wireMB|idleKBps|idleBytesNodeSecond)$/

export interface Comparison {
  readonly cell: string
  readonly metric: string
  readonly before: number
  readonly after: number
  /** after / before; undefined when there is nothing to divide by. */
  readonly ratio: number | undefined
  /** `same`: the runs of both overlap. */
  readonly verdict: 'better' | 'worse' | 'same'
  readonly runs: readonly [number, number]
}

export interface Compared {
  readonly rows: readonly Comparison[]
  /** Why a cell is not among them, one sentence each. */
  readonly left: readonly string[]
}

/**
 * Throws with a sentence when nothing of the two can be compared: another machine or Node, or nothing in common.
 * `disturbed`: also what was measured while others kept the machine busy.
 */
export function compare(before: ResultFile, after: ResultFile, options: { disturbed?: boolean } = {}): Compared {
  const differs = (what: string, a: string | number, b: string | number): void => {
    if (a !== b)
      throw new Error(`measured on different ${what} (${a}, and ${b}): no ratio of these would mean anything`)
  }
  differs('machines', before.machine.cpu, after.machine.cpu)
  differs('numbers of cores', before.machine.cores, after.machine.cores)
  differs('versions of Node', before.node, after.node)
  const [a, b] = [cellsOf(before.lines), cellsOf(after.lines)]
  const alone = before.alone && after.alone
  const rows: Comparison[] = []
  const left: string[] = []
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const why = notComparable(a.get(name), b.get(name), options.disturbed === true)
    if (why !== undefined) left.push(`${name}: ${why}`)
    else
      rows.push(...rowsOf(name, a.get(name)!, b.get(name)!).filter(({ metric }) => alone || !ON_THE_WIRE.test(metric)))
  }
  if (rows.length === 0)
    throw new Error(`nothing of these two can be compared:\n${left.map((line) => `  ${line}`).join('\n')}`)
  return { rows, left }
}

function notComparable(a: Cell | undefined, b: Cell | undefined, disturbed: boolean): string | undefined {
  if (a === undefined || b === undefined) return `only in the ${a === undefined ? 'second' : 'first'}`
  for (const [cell, which] of [
    [a, 'first'],
    [b, 'second']
  ] as const) {
    if (cell.failed) return `not done in the ${which}${cell.notes === '' ? '' : ` (${cell.notes})`}`
    if (cell.disturbed && !disturbed)
      return `others kept the machine busy during every run of the ${which} (--disturbed compares it all the same)`
  }
  return undefined
}

function rowsOf(name: string, a: Cell, b: Cell): Comparison[] {
  return [...a.values].flatMap(([metric, befores]): Comparison[] => {
    const afters = b.values.get(metric)
    if (afters === undefined || LEFT_OUT.test(metric)) return []
    const [before, after] = [median(befores), median(afters)]
    return [
      {
        cell: name,
        metric,
        before,
        after,
        ratio: before === 0 ? undefined : after / before,
        verdict: verdictOf(metric, befores, afters),
        runs: [befores.length, afters.length]
      }
    ]
  })
}

/** Better or worse is said only when no run of one is as good as any run of the other. */
function verdictOf(metric: string, befores: readonly number[], afters: readonly number[]): Comparison['verdict'] {
  const allBelow = Math.max(...afters) < Math.min(...befores)
  const allAbove = Math.min(...afters) > Math.max(...befores)
  if (!allBelow && !allAbove) return 'same'
  return allAbove === MORE_IS_BETTER.test(metric) ? 'better' : 'worse'
}

export function comparisonText({ rows, left }: Compared, names: readonly [string, string]): string {
  const lines = [`ratio = ${names[1]} / ${names[0]}, of medians`]
  let cell = ''
  for (const row of rows) {
    if (row.cell !== cell) lines.push('', row.cell)
    cell = row.cell
    const ratio = row.ratio === undefined ? '' : `x${row.ratio.toFixed(2)}`
    const numbers = `${shown(row.before).padStart(12)} ${shown(row.after).padStart(12)} ${ratio.padStart(8)}`
    const runs = Math.min(...row.runs) < 3 ? `  (runs: ${row.runs.join(' and ')})` : ''
    lines.push(`  ${row.metric.padEnd(24)}${numbers}  ${row.verdict === 'same' ? '' : row.verdict}${runs}`.trimEnd())
  }
  if (left.length > 0) lines.push('', 'Left out:', ...left.map((line) => `  ${line}`))
  return `${lines.join('\n')}\n`
}

function shown(value: number): string {
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}

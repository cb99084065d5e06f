/** What we want to reach, for the table: per workload and size. Our nodes encrypt, sign and fsync; not all peers do. */
import { median, round, type Cell } from './bench-result.js'

/** Entries from which a load is a large one. */
const MANY = 100_000
/** Of each node at rest. */
const IDLE_CPU_PERCENT = 0.3
const IDLE_KB_A_SECOND = 0.5

/** As the cells of its column are written; undefined where nothing was set. */
export function figureWanted({ workload, n, params }: Pick<Cell, 'workload' | 'n' | 'params'>): string | undefined {
  const many = Number(params.scale) >= MANY
  switch (workload) {
    case 'W1':
      return '≤ 6 / ≤ 25'
    case 'W2':
      return Number(params.batch) > 1 ? '≥ 15,000' : '≥ 9,000'
    case 'W3':
      return many ? '≤ 4' : '≤ 1.2'
    case 'W4':
      return many ? '≤ 0.9, < 0.06' : undefined
    case 'W5':
      return '≤ ×2.5'
    case 'W6':
      return `≤ ${many ? 160 : 110}, < ${round(IDLE_CPU_PERCENT * (n + 1))}, < ${round(IDLE_KB_A_SECOND * (n + 1))}`
    case 'W7':
      return '≤ 2.5; ≤ 60 / ≤ 150'
    case 'W8':
      return '≤ 0.3'
    default:
      return undefined
  }
}

/** Three digits that count. */
export function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '?'
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** How many times longer than the floor of the same run; undefined when one of both was not measured. */
export function timesOf(floor: Cell | undefined, cell: Cell, metric: string): number | undefined {
  const [base, own] = [floor, cell].map((of) => of?.values.get(metric))
  if (base === undefined || own === undefined) return undefined
  const ratio = median(own) / median(base)
  return /Per(S|Core)$/.test(metric) ? 1 / ratio : ratio
}

/** The table of the README, from a result: what was measured, with which command, where, and what is unfair to whom. */
import { cellsOf, median, type Cell, type ResultFile } from './bench-result.js'

interface Column {
  readonly title: string
  readonly workload: string
  show(value: (name: string) => string): string
}

const COLUMNS: readonly Column[] = [
  {
    title: 'W1 change seen by all: ms p50 / p99',
    workload: 'W1',
    show: (value) => `${value('fromCallMs.p50')} / ${value('fromCallMs.p99')}`
  },
  { title: 'W2 load: entries/s', workload: 'W2', show: (value) => value('entriesPerS') },
  { title: 'W3 cold join: s, MB', workload: 'W3', show: (value) => `${value('seconds')}, ${value('wireMB')}` },
  { title: 'W4 100 changes behind: s, MB', workload: 'W4', show: (value) => `${value('seconds')}, ${value('wireMB')}` },
  { title: 'W5 big file: MB/s', workload: 'W5', show: (value) => value('mbPerS') },
  {
    title: 'W6 at rest: MiB a node, CPU % of all',
    workload: 'W6',
    show: (value) => `${value('receiverRssMiB')}, ${value('idleCpuPercentAll')}`
  },
  {
    title: 'W7 files: s; edit ms p50 / p95',
    workload: 'W7',
    show: (value) => `${value('seconds')}; ${value('editMs.p50')} / ${value('editMs.p95')}`
  },
  { title: 'W8 four writers: settled after s', workload: 'W8', show: (value) => value('settleS') }
]

const UNFAIR = `All nodes share the cores of one machine: whoever works once, in a broker, looks better here than where every node
verifies and stores for itself, which on machines of their own costs no more time. Loopback has no latency and no loss: protocols with
many round trips look better than in a network. What is on disk when a change is accepted differs: here the writer has signed
and fsynced it, and a receiver has verified, fsynced and indexed it before it shows; brokers keep a receiver's copy in memory.
W3 and W4 count from the start of a process, with Node's own 0.2 s. \`~\`: others kept the machine busy during all runs.`

const GROUPS: readonly (readonly [title: string, workloads: readonly string[]])[] = [
  ['One by one', ['W1', 'W5', 'W7', 'W8']],
  ['After a load', ['W2', 'W3', 'W4', 'W6']]
]

/** Markdown; throws when the result holds no workload. */
export function tableText(file: ResultFile): string {
  const cells = [...cellsOf(file.lines).values()]
  const tables = GROUPS.flatMap(([title, workloads]) => groupText(title, workloads, cells))
  const micro = cells.filter(({ workload }) => workload === 'micro')
  if (tables.length === 0 && micro.length === 0) throw new Error('this result holds no workload')
  const { machine } = file
  const where = `${machine.cores} cores of ${machine.cpu}, ${Math.round(machine.memoryMiB / 1_024)} GiB, Node ${file.node}`
  return [
    `\`${file.command}\` with version ${file.version} on ${where}; medians.`,
    ...tables,
    ...(micro.length > 0 ? [microText(micro)] : []),
    UNFAIR,
    ''
  ].join('\n\n')
}

/** One table for each size a workload was run with: sizes are in the heading, peers in the rows. */
function groupText(title: string, workloads: readonly string[], cells: readonly Cell[]): string[] {
  const here = cells.filter(({ workload }) => workloads.includes(workload))
  return [...new Set(here.map(sizeOf))].map((size) => {
    const sized = here.filter((cell) => sizeOf(cell) === size)
    const columns = COLUMNS.filter(({ workload }) => sized.some((cell) => cell.workload === workload))
    const peers = [...new Set(sized.map(({ peer }) => nameOf(peer)))]
    const rows = peers.map((peer) => {
      const shown = columns.map((column) =>
        cellText(
          column,
          sized.find((cell) => cell.workload === column.workload && nameOf(cell.peer) === peer)
        )
      )
      return `| ${[peer, ...shown].join(' | ')} |`
    })
    const head = `| ${['', ...columns.map((column) => column.title)].join(' | ')} |`
    const rule = `|${' --- |'.repeat(columns.length + 1)}`
    return [`${title}, ${size}:`, '', head, rule, ...rows].join('\n')
  })
}

/** W7 needs the shared directory, which is another way to run the same node. */
const nameOf = (peer: string): string => (peer === 'grapevine:files' ? 'grapevine' : peer)

function sizeOf({ n, params, workload }: Cell): string {
  const nodes = workload === 'W8' ? 'four nodes' : `one node to ${n} others`
  if (params.scale === undefined) return workload === 'W8' ? 'one node to 3 others' : nodes
  const batch = Number(params.batch) > 1 ? `${params.batch} a call` : 'one a call'
  return `${nodes}, ${Number(params.scale).toLocaleString('en')} entries, ${batch}`
}

function cellText(column: Column, cell: Cell | undefined): string {
  if (cell === undefined) return ''
  if (cell.failed) return 'not done'
  const value = (name: string): string => shown(cell.values.get(name))
  return `${column.show(value)}${cell.disturbed ? ' ~' : ''}`
}

function microText(cells: readonly Cell[]): string {
  const rows = cells.map(
    (cell) => `| ${cell.params.step} | ${shown(cell.values.get('cpuUs'))} | ${shown(cell.values.get('perSCore'))} |`
  )
  return ['| one step | µs of CPU | a second and core |', '| --- | --- | --- |', ...rows].join('\n')
}

function shown(values: readonly number[] | undefined): string {
  if (values === undefined || values.length === 0) return '?'
  const value = median(values)
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

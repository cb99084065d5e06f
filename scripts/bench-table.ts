/** The table of the README, from a result: what was measured, with which command, where, and what is unfair to whom. */
import { figureWanted, shown, timesOf } from './bench-figures.js'
import { OURS } from './bench-plan.js'
import { cellsOf, MAX_FOREIGN_PERCENT, median, type Cell, type ResultFile } from './bench-result.js'
import { markdownTable, type Markers } from './markdown.js'

export const TABLE_MARKERS: Markers = { begin: '<!-- bench:begin -->', end: '<!-- bench:end -->' }

/** What a machine can do at all: bytes over sockets, nothing kept, nothing checked. */
const FLOOR = 'tcp'
/** A peer that is no peer: cp, rsync, LevelDB alone, by names of its own. */
const LIMITS = 'limits'
/** As much of why something was not done as fits below a table. */
const MAX_NOTE = 100

interface Column {
  readonly title: (cell: Cell) => string
  readonly workload: string
  /** Compared with the floor of the same run. */
  readonly metric?: string
  show(value: (name: string) => string, cell: Cell): string
}

const COLUMNS: readonly Column[] = [
  {
    title: ({ n }) => `W1 change seen by all ${n}: ms p50 / p99`,
    workload: 'W1',
    metric: 'fromCallMs.p50',
    show: (value) => `${value('fromCallMs.p50')} / ${value('fromCallMs.p99')}`
  },
  { title: () => 'W2 load: entries/s', workload: 'W2', metric: 'entriesPerS', show: (value) => value('entriesPerS') },
  {
    title: () => 'W3 cold join: s, MB',
    workload: 'W3',
    metric: 'seconds',
    show: (value) => `${value('seconds')}, ${value('wireMB')}`
  },
  {
    title: () => 'W4 100 changes behind: s, MB',
    workload: 'W4',
    show: (value) => `${value('seconds')}, ${value('wireMB')}`
  },
  {
    title: ({ n, params }) => `W5 ${params.mib} MiB to ${n}: MB/s`,
    workload: 'W5',
    metric: 'mbPerS',
    show: (value) => value('mbPerS')
  },
  {
    title: () => 'W6 at rest: MiB a node (+ hub), CPU % and kB/s of all',
    workload: 'W6',
    show: (value, { values }) => {
      const hub = median(values.get('hubRssMiB') ?? [0])
      const nodes = `${value('receiverRssMiB')}${hub > 0 ? ` + ${shown(hub)}` : ''}`
      return `${nodes}, ${value('idleCpuPercentAll')}, ${value('idleKBps')}`
    }
  },
  {
    title: ({ n, params }) => `W7 ${params.files} files to ${n}: s; edit ms p50 / p95`,
    workload: 'W7',
    show: (value) => `${value('seconds')}; ${value('editMs.p50')} / ${value('editMs.p95')}`
  },
  { title: () => 'W8 four writers: settled after s', workload: 'W8', show: (value) => value('settleS') }
]

const LEGEND = `Medians. \`×\`: so many times as long as raw TCP in the same run, which stores nothing, checks nothing and
acknowledges nothing. \`[3]\`: of so many runs only, where others had more. \`(3 of 5)\`: not done, or not with the same result on all
nodes, in the others. \`~\`: other processes took more than ${MAX_FOREIGN_PERCENT} % of a core during all runs; elsewhere such runs are left
out.`

const UNFAIR = `All nodes share the cores of one machine: whoever works once, in a broker, looks better here than where every node
verifies and stores for itself, which on machines of their own costs no more time. Loopback has no latency and no loss: protocols with
many round trips look better than in a network. What is on disk when a change is accepted differs: here the writer has signed
and fsynced it, and a receiver has verified, fsynced and indexed it before it shows; brokers keep a receiver's copy in memory.
W3 and W4 count from the start of a process, with Node's own 0.2 s.`

const GROUPS: readonly (readonly [title: string, workloads: readonly string[]])[] = [
  ['Single changes and files', ['W1', 'W5', 'W7', 'W8']],
  ['A load, and after it', ['W2', 'W3', 'W4', 'W6']]
]

/** Markdown; throws when the result holds no workload. */
export function tableText(file: ResultFile): string {
  const all = [...cellsOf(file.lines).values()]
  const cells = all.filter(({ peer }) => peer !== LIMITS)
  const tables = GROUPS.flatMap(([title, workloads]) => {
    const here = cells.filter(({ workload }) => workloads.includes(workload))
    return [...new Set(here.map(loadOf))].map((load) =>
      groupText(
        load === '' ? title : `${title}: ${load}`,
        here.filter((cell) => loadOf(cell) === load)
      )
    )
  })
  const micro = cells.filter(({ workload }) => workload === 'micro')
  if (tables.length === 0 && micro.length === 0) throw new Error('this result holds no workload')
  const { machine } = file
  const where = `${machine.cores} cores of ${machine.cpu}, ${Math.round(machine.memoryMiB / 1_024)} GiB, Node ${file.node}`
  return [
    `\`${file.command}\` with version ${file.version} on ${where}, ${file.at.slice(0, 10)}.`,
    ...tables,
    ...(micro.length > 0 ? [microText(micro)] : []),
    ...limitsText(all.filter(({ peer }) => peer === LIMITS)),
    LEGEND,
    UNFAIR,
    ''
  ].join('\n\n')
}

/** Loads of different sizes have a table each. */
function loadOf({ n, params }: Cell): string {
  if (params.scale === undefined) return ''
  const batch = Number(params.batch) > 1 ? `${params.batch} a call` : 'one a call'
  return `${Number(params.scale).toLocaleString('en')} entries, ${batch}, from one node to ${n} others`
}

/** Peers in the rows, workloads in the columns, and above all what is wanted. */
function groupText(title: string, cells: readonly Cell[]): string {
  // a cell of each column, to name it by: the same workload may have been run with several sizes
  const columns = COLUMNS.flatMap((column) => {
    const own = cells.filter(({ workload }) => workload === column.workload)
    return [...new Map(own.map((cell) => [column.title(cell), cell]))].map(([name, cell]) => ({
      ...column,
      name,
      cell
    }))
  })
  const cellOf = (name: string, peer: string, { workload, title: titleOf }: Column): Cell | undefined =>
    cells.find((cell) => cell.workload === workload && titleOf(cell) === name && nameOf(cell.peer) === peer)
  const most = Math.max(...cells.map(({ runs }) => runs))
  const all = [...new Set(cells.map(({ peer }) => nameOf(peer)))]
  const peers = [...all.filter((peer) => OURS.test(peer)), ...all.filter((peer) => !OURS.test(peer))]
  const rows = peers.map((peer) => [
    peer,
    ...columns.map((column) => {
      const floor = peer === FLOOR ? undefined : cellOf(column.name, FLOOR, column)
      return cellText(column, cellOf(column.name, peer, column), floor, most)
    })
  ])
  const wanted = columns.map(({ cell }) => figureWanted(cell) ?? '')
  const notes = new Map<string, string[]>()
  for (const { peer, workload, notes: why, failed } of cells) {
    if (!failed || why === '') continue
    const said = why
      .split('\n', 1)[0]!
      .slice(0, MAX_NOTE)
      .replace(/[;,\s]+$/, '')
    notes.set(`${nameOf(peer)}: ${said}`, [...(notes.get(`${nameOf(peer)}: ${said}`) ?? []), workload])
  }
  const notDone = [...notes].map(([said, of]) => `${of.join(', ')} of ${said}`)
  const table = markdownTable(['', ...columns.map(({ name }) => name)], [['_wanted_', ...wanted], ...rows])
  return [`${title}:`, '', table, ...(notDone.length > 0 ? ['', `Not done: ${notDone.join('; ')}.`] : [])].join('\n')
}

/** W7 needs the shared directory, which is another way to run the same node. */
const nameOf = (peer: string): string => (peer === 'grapevine:files' ? 'grapevine' : peer)

function cellText(column: Column, cell: Cell | undefined, floor: Cell | undefined, most: number): string {
  if (cell === undefined) return ''
  const value = (name: string): string => shown(cell.values.has(name) ? median(cell.values.get(name)!) : undefined)
  // to lose something, or to end differently, is a result
  if (cell.failed && cell.workload === 'W1' && cell.values.has('lost'))
    return `${column.show(value, cell)}, ${value('lost')} lost`
  if (cell.failed) return cell.workload === 'W8' && cell.values.has('settleS') ? 'not equal' : 'not done'
  const times = column.metric === undefined ? undefined : timesOf(floor, cell, column.metric)
  const marks = [
    times === undefined ? '' : ` ×${times >= 100 ? shown(times) : Number(times.toPrecision(2))}`,
    cell.done < cell.of ? ` (${cell.done} of ${cell.of})` : '',
    cell.runs < most ? ` [${cell.runs}]` : '',
    cell.disturbed ? ' ~' : ''
  ]
  return `${column.show(value, cell)}${marks.join('')}`
}

/** What this machine does without any peer. */
function limitsText(cells: readonly Cell[]): string[] {
  const numbers = cells.flatMap(({ workload, values }) =>
    [...values].map(([name, found]) => `${workload} ${name} ${shown(median(found))}`)
  )
  return numbers.length === 0 ? [] : [`The machine by itself, without any peer: ${numbers.join(', ')}.`]
}

function microText(cells: readonly Cell[]): string {
  const value = (cell: Cell, name: string): string => shown(median(cell.values.get(name) ?? [Number.NaN]))
  const rows = cells.map((cell) => [String(cell.params.step), value(cell, 'cpuUs'), value(cell, 'perSCore')])
  return markdownTable(['one step', 'µs of CPU', 'a second and core'], rows)
}

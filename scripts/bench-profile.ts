/**
 * Where the processor time of a workload goes: the time that functions take themselves, summed by the part of the program,
 * the package or the part of Node they belong to. `dist/` is bundled; its source maps tell where a function came from.
 */
import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Profiled } from './bench-cluster.js'
import { markdownTable } from './markdown.js'

/** Not the program's: the time in which it waited. */
const IDLE = '(idle)'
/** Less than this of all, in percent, is summed up as one row. */
const SMALL_PERCENT = 0.7

/** Packages that are of one thing. */
const OF_PACKAGES: ReadonlyArray<readonly [part: string, packages: RegExp]> = [
  ['yjs, lib0', /^(yjs|lib0)$/],
  ['gossipsub', /^@(libp2p|chainsafe)\/(libp2p-)?gossipsub$/],
  ['noise', /^@(libp2p|chainsafe)\/(libp2p-)?noise$|^@noble\//],
  ['yamux', /^@(libp2p|chainsafe)\/(libp2p-)?yamux$/],
  ['level', /level|^(abstract-level|module-error|queue-microtask)$/],
  ['cborg', /^cborg$/],
  [
    'libp2p, other',
    /^(libp2p|@libp2p\/.*|@chainsafe\/.*|@multiformats\/.*|it-.*|uint8.*|multiformats|protons.*|p-.*|race-.*|abort-.*|progress-.*|main-event|weald|datastore.*|interface-.*|byte-.*|get-iterator|delay|any-signal|mortice|observable-.*|hashlru|merge-options)$/
  ]
]

/** Parts of Node by the modules they are made of. */
const OF_NODE: ReadonlyArray<readonly [part: string, modules: RegExp]> = [
  [
    'node: sockets and streams',
    /^(net|_tls|tls|dgram|internal\/(stream|dgram|net|socket)|stream|internal\/webstreams)/
  ],
  ['node: files', /^(fs|internal\/fs)/],
  ['node: crypto', /^(crypto|internal\/crypto)/],
  ['node: buffers', /^(buffer|internal\/buffer|string_decoder|internal\/encoding)/],
  [
    'node: timers, events, promises',
    /^(events|timers|internal\/(timers|process|async_hooks|event_target|abort|promise))/
  ]
]

interface ProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
    readonly columnNumber: number
  }
  readonly children?: readonly number[]
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Milliseconds by part. */
export type Parts = ReadonlyMap<string, number>

/** What a profile says of one process; its waiting left out. */
export function partsOf(profile: CpuProfile): Parts {
  const ownUs = new Map<number, number>()
  profile.samples.forEach((id, at) => ownUs.set(id, (ownUs.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0)))
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const parts = new Map<string, number>()
  const walk = (node: ProfileNode, callers: string): void => {
    const part = partOf(node.callFrame) ?? callers
    const ms = (ownUs.get(node.id) ?? 0) / 1_000
    if (node.callFrame.functionName !== IDLE && ms > 0) parts.set(part, (parts.get(part) ?? 0) + ms)
    for (const child of node.children ?? []) walk(byId.get(child)!, part)
  }
  if (profile.nodes[0] !== undefined) walk(profile.nodes[0], 'not told')
  return parts
}

/** Undefined: something built in, which is its caller's. */
function partOf({ functionName, url, lineNumber, columnNumber }: ProfileNode['callFrame']): string | undefined {
  if (functionName === '(garbage collector)') return 'garbage collection'
  // system calls that block, compiling, and what else V8 does outside of functions
  if (functionName === '(program)') return 'V8 and system calls'
  if (url === '') return undefined
  if (url.startsWith('node:')) {
    const name = url.slice('node:'.length)
    return OF_NODE.find(([, modules]) => modules.test(name))?.[0] ?? 'node: other'
  }
  return partOfSource(url.startsWith('file:') ? sourceOf(fileURLToPath(url), lineNumber, columnNumber) : url)
}

export function partOfSource(path: string): string {
  const name =
    path.split('/node_modules/').length > 1 ? /^(@[^/]+\/)?[^/]+/.exec(path.split('/node_modules/').at(-1)!)![0] : ''
  if (name !== '') return OF_PACKAGES.find(([, packages]) => packages.test(name))?.[0] ?? name
  if (/\/scripts\/bench-[^/]*$/.test(path)) return 'the benchmark itself'
  const own = /\/src\/([^/]+)(\/|$)/.exec(path)
  return own === null ? 'other' : `src/${own[1]}`
}

const maps = new Map<string, SourceMap | undefined>()

/** The file a place of a bundle came from; where there is no map, the file itself. */
function sourceOf(file: string, line: number, column: number): string {
  if (!maps.has(file)) {
    const path = `${file}.map`
    maps.set(file, existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as never) : undefined)
  }
  const entry = maps.get(file)?.findEntry(line, column)
  return entry !== undefined && 'originalSource' in entry ? resolve(dirname(file), entry.originalSource) : file
}

const sumOf = (parts: Parts): number => [...parts.values()].reduce((sum, ms) => sum + ms, 0)

/** Samples are of the time on the wall, also while others had the processor: their shares hold, their sum does not. */
function scaled(parts: Parts, ms: number): Parts {
  const all = sumOf(parts)
  return new Map([...parts].map(([part, sampled]) => [part, (sampled / all) * ms]))
}

export interface Column {
  readonly title: string
  readonly nodes: readonly Profiled[]
}

/**
 * Markdown: a row a part, a column a kind of node with the mean of its nodes. `units`: how many of what was done, to say what
 * one of them takes.
 */
export function profileText(
  columns: readonly Column[],
  units: { readonly count: number; readonly name: string }
): string {
  const measured = columns.map(({ title, nodes }) => {
    const each = nodes.map((node) =>
      scaled(partsOf(JSON.parse(readFileSync(node.file, 'utf8')) as CpuProfile), node.mainMs)
    )
    const mean = new Map<string, number>()
    for (const parts of each) for (const [part, ms] of parts) mean.set(part, (mean.get(part) ?? 0) + ms / nodes.length)
    const main = sumOf(mean)
    const meanOf = (name: 'cpuMs' | 'v8Ms'): number => nodes.reduce((sum, node) => sum + node[name], 0) / nodes.length
    const [cpuMs, v8Ms] = [meanOf('cpuMs'), meanOf('v8Ms')]
    mean.set('threads of V8: compiling, garbage', v8Ms)
    mean.set('other threads: disk, LevelDB', Math.max(0, cpuMs - main - v8Ms))
    return { title, mean, all: Math.max(main, cpuMs) }
  })
  const share = (part: string): number =>
    Math.max(...measured.map(({ mean, all }) => ((mean.get(part) ?? 0) / all) * 100))
  const parts = [...new Set(measured.flatMap(({ mean }) => [...mean.keys()]))].toSorted((a, b) => share(b) - share(a))
  const large = parts.filter((part) => share(part) >= SMALL_PERCENT)
  const cells = (of: (each: (typeof measured)[number]) => number): string[] =>
    measured.map((each) => {
      const ms = of(each)
      return `${Math.round((ms * 1_000) / units.count).toLocaleString('en')} (${((ms / each.all) * 100).toFixed(1)} %)`
    })
  const rows = large.map((part) => [part, ...cells(({ mean }) => mean.get(part) ?? 0)])
  const small = parts.slice(large.length)
  rows.push([
    `${small.length} smaller ones`,
    ...cells(({ mean }) => small.reduce((sum, part) => sum + (mean.get(part) ?? 0), 0))
  ])
  rows.push(['all', ...cells(({ all }) => all)])
  const head = [
    `µs of processor time ${units.name}`,
    ...columns.map(({ title, nodes }) => (nodes.length > 1 ? `${title}, each of ${nodes.length}` : title))
  ]
  return `${markdownTable(head, rows)}\n`
}

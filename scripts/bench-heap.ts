/** What a node holds in memory: its heap by what made the objects, and what a process holds that does nothing of ours. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Heap } from './bench-cluster.js'
import { markdownTable } from './markdown.js'

const ROWS = 20
const MIB = 2 ** 20

interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: readonly string[]; readonly node_types: ReadonlyArray<readonly string[]> }
  }
  readonly nodes: readonly number[]
  readonly strings: readonly string[]
}

/** Bytes by constructor, or by what V8 calls it. */
export function heapByConstructor({ snapshot, nodes, strings }: Snapshot): Map<string, number> {
  const fields = snapshot.meta.node_fields
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field)) as [
    number,
    number,
    number
  ]
  const types = snapshot.meta.node_types[type] as readonly string[]
  const found = new Map<string, number>()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[nodes[at + type]!]!
    // of strings, code and arrays the name is the content
    const of = kind === 'object' || kind === 'native' ? strings[nodes[at + name]!]! : `(${kind})`
    found.set(of, (found.get(of) ?? 0) + nodes[at + size]!)
  }
  return found
}

/** Resident memory of a process that holds so much of the program and does nothing, MiB. */
export function residentOf(what: 'node' | 'libp2p' | 'program'): Promise<number> {
  const script = fileURLToPath(new URL('./bench-baseline.mjs', import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', script, what], { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    let printed = ''
    child.stdout.on('data', (part: Buffer) => (printed += part.toString()))
    child.once('error', reject)
    child.once('close', (code) =>
      code === 0 ? resolve(Number(printed)) : reject(new Error(`${what}: ended with ${code}`))
    )
  })
}

export async function heapText({ file, memory }: Heap): Promise<string> {
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1)
  const heap = [...heapByConstructor(JSON.parse(readFileSync(file, 'utf8')) as Snapshot)].toSorted(
    ([, a], [, b]) => b - a
  )
  const rest = heap.slice(ROWS).reduce((sum, [, bytes]) => sum + bytes, 0)
  const resident: Array<readonly [string, string]> = [
    ['a node at rest, of the benchmark', mib(memory.rss)],
    ['of it: files that are mapped, Node itself among them, which processes share', mib(memory.mapped)],
    ['of it: heap', `${mib(memory.heapTotal)}, ${mib(memory.heapUsed)} in use`],
    ['of it: buffers', mib(memory.external)],
    [
      'of it: LevelDB, compiled code, stacks, and what the allocator keeps',
      mib(memory.rss - memory.mapped - memory.heapTotal - memory.external)
    ],
    ['Node alone', (await residentOf('node')).toFixed(1)],
    ['libp2p alone, listening', (await residentOf('libp2p')).toFixed(1)],
    ['this program loaded, no node', (await residentOf('program')).toFixed(1)]
  ]
  const tables = [
    markdownTable(['resident', 'MiB'], resident),
    markdownTable(
      ['heap, by constructor', 'MiB'],
      [...heap.slice(0, ROWS).map(([of, bytes]) => [of, mib(bytes)]), [`${heap.length - ROWS} smaller ones`, mib(rest)]]
    )
  ]
  return `${tables.join('\n\n')}\n`
}

/** Files too large for memory: made, shared, and what they cost the daemons. */
import { closeSync, existsSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import type { Cluster } from './cluster.js'
import type { Node } from './node.js'
import { TreeHasher } from './tree.js'
import { until } from './until.js'

const PIECE_BYTES = 1024 * 1024
const MEMORY_EVERY_MS = 100

/** Writes a file of pseudo-random bytes, the same for a seed, piece by piece, and renames it into place. */
export function makeFile(file: string, bytes: number, seed = 1): void {
  const handle = openSync(`${file}.0d3f6c52-40f4-4d0b-8f0e-5f3f5b6c7d8e.tmp`, 'w')
  const piece = new Uint32Array(PIECE_BYTES / 4)
  let state = seed
  for (let written = 0; written < bytes; written += PIECE_BYTES) {
    for (let at = 0; at < piece.length; at++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      piece[at] = state
    }
    writeSync(handle, new Uint8Array(piece.buffer, 0, Math.min(PIECE_BYTES, bytes - written)))
  }
  closeSync(handle)
  renameSync(`${file}.0d3f6c52-40f4-4d0b-8f0e-5f3f5b6c7d8e.tmp`, file)
}

export interface Shared {
  readonly seconds: number
  /** Highest resident memory while the file travelled, above that before, by node; bytes. */
  readonly growth: Readonly<Record<string, number>>
}

/** Puts a file of `bytes` into the first node's directory and waits until all others hold it, byte for byte. */
export async function share(cluster: Cluster, name: string, bytes: number, ms: number): Promise<Shared> {
  const [writer, ...others] = cluster.nodes as [Node, ...Node[]]
  const before = new Map(cluster.nodes.map((node) => [node, node.memory().now]))
  const highest = new Map(before)
  const watch = setInterval(() => {
    for (const node of cluster.nodes) highest.set(node, Math.max(highest.get(node)!, node.memory().now))
  }, MEMORY_EVERY_MS)
  const began = performance.now()
  try {
    makeFile(join(writer.dir, name), bytes)
    await until(`all hold ${name}`, () => others.every((node) => sizeOf(join(node.dir, name)) === bytes), ms, 100)
  } finally {
    clearInterval(watch)
  }
  const seconds = Math.round((performance.now() - began) / 100) / 10
  const growth = Object.fromEntries(cluster.nodes.map((node) => [node.name, highest.get(node)! - before.get(node)!]))
  const trees = await Promise.all(cluster.nodes.map((node) => new TreeHasher().hash(node.dir)))
  if (new Set(trees).size !== 1) throw new Error(`${name} is not the same everywhere`)
  return { seconds, growth }
}

/** A small change on each node reaches every other one; resolves with the slowest, ms. */
export async function changesFlow(cluster: Cluster, round: string): Promise<number> {
  let slowest = 0
  for (const node of cluster.nodes) {
    const name = `${round} small by ${node.name}.txt`
    const began = performance.now()
    writeFileSync(join(node.dir, name), `${round} ${node.name}`)
    await until(`${name} is everywhere`, () => cluster.nodes.every((other) => existsSync(join(other.dir, name))))
    slowest = Math.max(slowest, performance.now() - began)
  }
  return Math.round(slowest)
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1
}

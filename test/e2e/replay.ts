/** A history played through a cluster: after every step all nodes must hold exactly the recorded tree. */
import type { History, Step, Writing } from './history.js'
import type { Node } from './node.js'
import { PATIENCE_MS, until } from './until.js'

export interface ReplayOptions {
  readonly writing: Writing
  /** The writer of a step by its place: always the first node, or one after the other. */
  readonly rotate: boolean
  /** A step whose trees are not equal after this long is a mismatch, ms. */
  readonly patienceMs?: number
  readonly progress?: (done: number, of: number, ms: number) => void
}

export interface ReplaySummary {
  readonly steps: number
  readonly mismatches: number
  readonly folderRenames: number
  readonly seconds: number
  /** From the last write of a step until all other nodes hold it, changing steps only. */
  readonly msPerStep: { readonly p50: number; readonly p99: number; readonly max: number }
}

export async function replay(
  nodes: readonly Node[],
  history: History,
  steps: readonly Step[],
  options: ReplayOptions
): Promise<ReplaySummary> {
  const began = performance.now()
  const times: number[] = []
  let mismatches = 0
  let folderRenames = 0
  for (const [at, step] of steps.entries()) {
    const writer = nodes[options.rotate ? at % nodes.length : 0]!
    folderRenames += history.play(writer.dir, step, options.writing)
    const written = performance.now()
    try {
      await until(
        `step ${step.step} is everywhere`,
        () => holdAll(nodes, history, step),
        options.patienceMs ?? PATIENCE_MS,
        5
      )
    } catch (error) {
      mismatches++
      process.stderr.write(
        `step ${step.step}, written by ${writer.name}: ${await describe(nodes, step)} (${String(error)})\n`
      )
    }
    const ms = performance.now() - written
    if (step.put.length + step.del.length > 0) times.push(ms)
    options.progress?.(at + 1, steps.length, ms)
  }
  times.sort((a, b) => a - b)
  const share = (part: number): number =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0)
  const seconds = Math.round((performance.now() - began) / 100) / 10
  return {
    steps: steps.length,
    mismatches,
    folderRenames,
    seconds,
    msPerStep: { p50: share(0.5), p99: share(0.99), max: share(1) }
  }
}

async function holdAll(nodes: readonly Node[], history: History, step: Step): Promise<boolean> {
  for (const node of nodes.toReversed()) {
    if (!history.looksDone(node.dir, step)) return false
    if ((await node.treeHash()) !== step.tree) return false
  }
  return true
}

async function describe(nodes: readonly Node[], step: Step): Promise<string> {
  const found = await Promise.all(nodes.map(async (node) => `${node.name} ${(await node.treeHash()).slice(0, 8)}`))
  return `${step.tree.slice(0, 8)} was expected, found ${found.join(', ')}`
}

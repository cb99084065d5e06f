/** What each node said it durably holds; kept when it leaves, because it still does. */
import type { NodeId } from '../runtime.js'
import type { VectorEntry } from '../wire/index.js'

export class Durable {
  readonly #nodes = new Map<NodeId, Map<string, number>>()

  said(node: NodeId, vector: readonly VectorEntry[]): void {
    let logs = this.#nodes.get(node)
    if (logs === undefined) {
      logs = new Map()
      this.#nodes.set(node, logs)
    }
    for (const { log, seq } of vector) logs.set(log, seq)
  }

  /** Whether a node said that it holds (log, seq). */
  holds(node: NodeId, log: string, seq: number): boolean {
    return (this.#nodes.get(node)?.get(log) ?? 0) >= seq
  }

  /** How many nodes said that they hold a log up to `seq`. */
  replicas(log: string, seq: number): number {
    let count = 0
    for (const logs of this.#nodes.values()) if ((logs.get(log) ?? 0) >= seq) count += 1
    return count
  }

  /** The newest seq of a log that any of them holds. */
  replicated(log: string): number {
    let newest = 0
    for (const logs of this.#nodes.values()) newest = Math.max(newest, logs.get(log) ?? 0)
    return newest
  }
}

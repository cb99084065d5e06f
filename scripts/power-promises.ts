/** Contents that prove themselves, and what was promised for each path at the moment of a power cut. */
import { createHash } from 'node:crypto'

/** What was written to one path, in order: a generation, or null for its removal. */
export interface Promised {
  readonly tried: Array<number | null>
  /** Index in `tried` of what was acknowledged last; -1: nothing yet. */
  acknowledged: number
}

/** What a power cut must leave: for each path its promise as it stood when the cut began, with all tried until its end. */
export type Promises = Readonly<Record<string, Promised>>

export class Ledger {
  readonly #paths = new Map<string, Promised>()
  acknowledgements = 0

  /** Notes that a value is on its way; returns what to call when it is acknowledged. */
  tries(path: string, value: number | null): () => void {
    const promise = this.#paths.get(path) ?? { tried: [], acknowledged: -1 }
    this.#paths.set(path, promise)
    const index = promise.tried.push(value) - 1
    return () => {
      promise.acknowledged = Math.max(promise.acknowledged, index)
      this.acknowledgements += 1
    }
  }

  /** What holds now: taken before a cut it says what must be there. */
  acknowledged(): Map<string, number> {
    return new Map([...this.#paths].map(([path, { acknowledged }]) => [path, acknowledged]))
  }

  /** Everything tried by now, with what `before` says was acknowledged. */
  promises(before: ReadonlyMap<string, number>): Promises {
    const all = [...this.#paths].map(([path, { tried }]) => [path, { tried, acknowledged: before.get(path) ?? -1 }])
    return Object.fromEntries(all) as Promises
  }
}

/** Whether a path may show this: what was acknowledged, or anything tried after it. */
export function keeps({ tried, acknowledged }: Promised, found: number | null): boolean {
  if (acknowledged < 0 && found === null) return true
  return tried.slice(Math.max(0, acknowledged)).includes(found)
}

/** A content that names its path and generation and ends with a checksum over both. */
export function contentOf(path: string, generation: number, bytes: number): string {
  const head = `${path}|${generation}|`
  const body = head.padEnd(Math.max(head.length, bytes), String(generation))
  return `${body}|${checksum(body)}\n`
}

/** The generation a content is of; undefined when it is not whole, or not of this path. */
export function generationOf(path: string, content: string): number | undefined {
  const at = content.lastIndexOf('|')
  const body = content.slice(0, at)
  const [named, generation] = body.split('|')
  if (at < 0 || named !== path || content.slice(at + 1) !== `${checksum(body)}\n`) return undefined
  return Number(generation)
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Secrets of the cluster, as the members space tells of them; the secrets themselves are in boxes for each member. */
import { hexOf, type SecretOp, type SignedRecord } from '../wire/index.js'
import type { Place } from './revocations.js'

export interface ClusterSecret {
  /** 32 hex. */
  readonly id: string
  readonly generation: number
  /** Of the record that told of it first. */
  readonly depth: number
  /** Records that hold boxes of it. */
  readonly places: readonly Place[]
  /** Members, in hex, that have a box. */
  readonly holders: readonly string[]
}

export class ClusterSecrets {
  readonly #all = new Map<string, ClusterSecret>()
  readonly #retired = new Set<string>()

  add({ id, generation, boxes }: SecretOp, { log, body }: SignedRecord): void {
    const known = this.#all.get(id)
    this.#all.set(id, {
      id,
      generation: Math.min(generation, known?.generation ?? generation),
      depth: Math.min(body.depth, known?.depth ?? body.depth),
      places: [...(known?.places ?? []), { log, seq: body.seq }],
      holders: [...new Set([...(known?.holders ?? []), ...boxes.map(({ key }) => hexOf(key))])]
    })
  }

  load(secret: ClusterSecret): void {
    this.#all.set(secret.id, secret)
  }

  retire(ids: Iterable<string>): void {
    for (const id of ids) this.#retired.add(id)
  }

  isRetired(id: string): boolean {
    return this.#retired.has(id)
  }

  get(id: string): ClusterSecret | undefined {
    return this.#all.get(id)
  }

  get retired(): ReadonlySet<string> {
    return this.#retired
  }

  /** Not retired, the newest first: of one generation the one told of first, so that all prefer the same. */
  list(): ClusterSecret[] {
    return [...this.#all.values()]
      .filter(({ id }) => !this.#retired.has(id))
      .toSorted((a, b) => b.generation - a.generation || a.depth - b.depth || (a.id < b.id ? -1 : 1))
  }

  all(): IterableIterator<ClusterSecret> {
    return this.#all.values()
  }
}

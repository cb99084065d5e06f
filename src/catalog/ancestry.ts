/**
 * Where the contents of one file came from: each version with those it replaced, from the records that wrote them. Versions
 * that say the same and replaced the same are one, whoever wrote them, so that two nodes that made the same merge meet in it.
 * A pure function of the records.
 */
import { sha256, type BodyRef, type SignedRecord } from '../wire/index.js'
import { seenKey } from './draft.js'
import { tuplesOf } from './doc.js'
import type { EntryState } from './entry.js'
import { decodeUpdate, TOMBSTONE, type DeleteRange, type Value } from './update.js'
import { BODY, readBody, type Stamp } from './view.js'

/** Records read of one entry; of one that changed more often nothing is said. */
export const MAX_ANCESTRY_RECORDS = 2_000

export interface Version {
  /** `client:clock` of its tuple. */
  readonly key: string
  /** Null where the file was deleted. */
  readonly body: BodyRef | null
  readonly stamp: Stamp
  /** Keys of those versions it replaced that are known. */
  readonly parents: readonly string[]
  /** It replaced nothing at all, known or not. */
  readonly first: boolean
}

export class Ancestry {
  readonly #versions: ReadonlyMap<string, Version>
  /** Key -> a name that versions share which say the same and replaced the same. */
  readonly #names = new Map<string, string>()
  /** Name -> those it replaced. */
  readonly #replaced = new Map<string, readonly string[]>()

  constructor(versions: readonly Version[]) {
    this.#versions = new Map(versions.map((version) => [version.key, version]))
    for (const version of this.#inOrder()) this.#name(version)
  }

  /** Versions that replaced nothing: what nodes made without knowing of each other. */
  roots(): Version[] {
    return [...this.#versions.values()].filter(({ first, body }) => first && body !== null)
  }

  /**
   * The newest content that all these versions go back to; undefined when there is none, more than one, or one of them is
   * itself an ancestor of another.
   */
  common(keys: readonly string[]): BodyRef | undefined {
    const sides = keys.map((key) => this.#names.get(key))
    if (sides.length === 0 || sides.some((name) => name === undefined)) return undefined
    const [first, ...others] = sides.map((name) => this.#above([name!]))
    const shared = [...first!].filter((name) => others.every((above) => above.has(name)))
    const older = this.#above(shared.flatMap((name) => this.#replaced.get(name)!))
    const newest = shared.filter((name) => !older.has(name))
    if (newest.length !== 1 || sides.includes(newest[0])) return undefined
    const [key] = [...this.#names].find(([, name]) => name === newest[0])!
    return this.#versions.get(key)!.body ?? undefined
  }

  /** Ancestors first. What would be its own ancestor, which no honest records make, is left out. */
  #inOrder(): Version[] {
    const ordered: Version[] = []
    const placed = new Set<string>()
    const waiting = new Map<string, Version[]>()
    const ready: Version[] = []
    const missing = new Map<string, number>()
    for (const version of this.#versions.values()) {
      missing.set(version.key, version.parents.length)
      if (version.parents.length === 0) ready.push(version)
      for (const parent of version.parents) waiting.set(parent, [...(waiting.get(parent) ?? []), version])
    }
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      ordered.push(next)
      placed.add(next.key)
      for (const child of waiting.get(next.key) ?? []) {
        const left = missing.get(child.key)! - 1
        missing.set(child.key, left)
        if (left === 0) ready.push(child)
      }
    }
    return ordered
  }

  #name({ key, body, parents, first }: Version): void {
    const from = [...new Set(parents.map((parent) => this.#names.get(parent)!))].toSorted()
    // what replaced something unknown is like nothing else
    const alike = first || from.length > 0 ? [] : [key]
    const name = sha256(Buffer.from([body?.hash ?? 'deleted', ...from, ...alike].join('\n'))).toString('hex')
    this.#names.set(key, name)
    this.#replaced.set(name, from)
  }

  /** These and all they go back to. */
  #above(names: readonly string[]): ReadonlySet<string> {
    const found = new Set(names)
    for (const name of found) for (const parent of this.#replaced.get(name)!) found.add(parent)
    return found
  }
}

interface Written extends Stamp {
  readonly key: string
  readonly client: number
  readonly clock: number
  /** Undefined where nobody knows any more. */
  readonly deletes: readonly DeleteRange[] | undefined
  readonly field: string
  readonly value: Value
}

/**
 * The versions of an entry's content: from the records that wrote to it, in any order, and from its doc, which still tells
 * of some whose records a checkpoint took the place of.
 */
export function versionsIn(
  records: Iterable<SignedRecord>,
  { id, state }: { readonly id: string; readonly state: Pick<EntryState, 'doc' | 'clients'> }
): Version[] {
  const written = new Map<string, Written>()
  const add = (each: Omit<Written, 'key'>): void => {
    const key = seenKey(each)
    if ((each.field === BODY || each.field === TOMBSTONE) && !written.has(key)) written.set(key, { ...each, key })
  }
  for (const { body, log } of records) {
    for (const op of body.ops) {
      if (op.k !== 'edit' || op.entry !== id) continue
      const { client, clock, tuples, deletes } = decodeUpdate(op.update)
      for (const [at, [field, value, time, seq]] of tuples.entries())
        add({ client, clock: clock + at, deletes, field, value, time, seq, log })
    }
  }
  for (let end = 1; end <= state.doc.length; end++) {
    for (const { client, clock, content } of tuplesOf(state.doc.slice(0, end))) {
      const [field, value, time, seq] = content
      const log = state.clients.find((row) => row.client === client)?.log ?? ''
      add({ client, clock, deletes: undefined, field, value, time, seq, log })
    }
  }
  const all = [...written.values()]
  return all.map((each) => versionOf(each, all))
}

function versionOf({ key, field, value, deletes, time, seq, log }: Written, all: readonly Written[]): Version {
  const parents = all.filter((other) => other.key !== key && isWithin(other, deletes ?? [])).map((other) => other.key)
  return {
    key,
    body: field === BODY ? readBody(value) : null,
    stamp: { time, seq, log },
    parents,
    first: deletes?.length === 0
  }
}

function isWithin({ client, clock }: { client: number; clock: number }, ranges: readonly DeleteRange[]): boolean {
  return ranges.some((range) => range.client === client && range.clock <= clock && clock < range.clock + range.length)
}

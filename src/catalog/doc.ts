/** The Yjs doc behind an entry: hydrate, compact, and read it as the array of tuples it is. */
import * as Y from 'yjs'
import type { EntryState } from './entry.js'
import { frozenDoc } from './frozen.js'
import { ARRAY_NAME, type TupleContent } from './update.js'

/**
 * Updates after which an entry's doc is merged into one state (with 16 an overwrite costs as much, because the row is longer
 * each time it is written, and an index whose entries were overwritten often is a third larger), */
const MAX_TAIL_UPDATES = 4
/** and one more for so many who wrote to it: merging costs what they all wrote, so that each update costs the same. */
const CLIENTS_PER_UPDATE = 16
/**
 * Of an entry that more wrote to, the state is written from what the entry holds, which comes to the same (`frozenDoc`):
 * Yjs would keep the event loop for as long as it takes to order what they all wrote.
 */
export const MAX_MERGED_CLIENTS = 256
/** Updates merged at once: with each struct Yjs sorts those that are being merged. */
const MERGED_AT_ONCE = 16

/** Everything merged first and applied once: one by one can get stuck (YJS.md, section 4). */
export function hydrate(updates: readonly Uint8Array[]): Y.Doc {
  // a guid of our own: the default one costs 60 us of randomness
  const doc = new Y.Doc({ guid: 'entry' })
  doc.getArray(ARRAY_NAME)
  if (updates.length > 0) Y.applyUpdate(doc, merged(updates))
  return doc
}

function merged(updates: readonly Uint8Array[]): Uint8Array {
  let rest = [...updates]
  while (rest.length > 1) {
    const next: Uint8Array[] = []
    for (let at = 0; at < rest.length; at += MERGED_AT_ONCE)
      next.push(Y.mergeUpdates(rest.slice(at, at + MERGED_AT_ONCE)))
    rest = next
  }
  return rest[0]!
}

export function compactIfLong(state: EntryState): void {
  if (state.doc.length <= MAX_TAIL_UPDATES + state.clients.length / CLIENTS_PER_UPDATE) return
  const crowded = state.clients.length > MAX_MERGED_CLIENTS
  state.doc = [crowded ? frozenDoc(state) : Y.encodeStateAsUpdate(hydrate(state.doc))]
}

export interface DocTuple {
  readonly client: number
  readonly clock: number
  readonly content: TupleContent
}

export interface DocInspection {
  readonly stateVector: ReadonlyMap<number, number>
  readonly tuples: readonly DocTuple[]
  readonly tombstones: ReadonlyArray<{ client: number; clock: number; length: number }>
  readonly structs: number
  readonly bytes: number
  readonly pending: boolean
}

/** The live tuples of a doc made of these updates. */
export function tuplesOf(updates: readonly Uint8Array[]): DocTuple[] {
  const tuples: DocTuple[] = []
  for (const [client, list] of hydrate(updates).store.clients)
    for (const struct of list)
      if (struct instanceof Y.Item && !struct.deleted && struct.content instanceof Y.ContentAny)
        struct.content.arr.forEach((content, at) =>
          tuples.push({ client, clock: struct.id.clock + at, content: content as TupleContent })
        )
  return tuples
}

/** What the doc holds, read from the doc itself and not from our row beside it. */
export function inspectDoc(state: EntryState): DocInspection {
  const doc = hydrate(state.doc)
  const tuples: DocTuple[] = []
  const tombstones: Array<{ client: number; clock: number; length: number }> = []
  let structs = 0
  const stateVector = new Map<number, number>()
  for (const [client, list] of doc.store.clients) {
    for (const struct of list) {
      structs += 1
      stateVector.set(client, struct.id.clock + struct.length)
      if (struct instanceof Y.Item && !struct.deleted && struct.content instanceof Y.ContentAny) {
        struct.content.arr.forEach((content, index) =>
          tuples.push({ client, clock: struct.id.clock + index, content: content as TupleContent })
        )
      } else if (struct.deleted) tombstones.push({ client, clock: struct.id.clock, length: struct.length })
    }
  }
  return {
    stateVector,
    tuples,
    tombstones,
    structs,
    bytes: Y.encodeStateAsUpdate(doc).length,
    pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null
  }
}

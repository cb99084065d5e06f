/**
 * What an index that contradicts the log says for the last time, before it is made again: how far it held each log, whose
 * paths the newest records wrote to, who the members are. Kept in the home until the losses it tells of are noted there:
 * a crash in between must not make them forgotten.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CatalogReader, IndexRows } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import { MEMBER_ROWS, Members } from '../identity/index.js'
import { storedHeads } from '../log/index.js'
import { openStore, Overlay, prefixRange, type LevelStore } from '../store/index.js'
import { bytesOf, hexOf } from '../wire/index.js'
import { readJsonOr, writePrivate } from './home.js'

const LAST_WORDS_FILE = 'held-before.json'
/** Newest records of each log of which the paths are remembered. */
const MAX_NAMED_RECORDS = 1_000
/** Paths remembered of one record. */
const MAX_PATHS = 100

/** How one log was held. */
export interface HeldBefore {
  readonly log: string
  readonly author: Uint8Array
  readonly seq: number
  /** Of the newest records: the paths whose values came from them. */
  readonly paths: ReadonlyMap<number, readonly string[]>
}

export interface LastWords {
  readonly heldBefore: readonly HeldBefore[]
  readonly membersBefore: Members
}

interface Told extends HeldBefore {
  readonly paths: Map<number, string[]>
}

/** What the index at `path` says; as much as reads back. */
export async function readLastWords(path: string, cluster: string): Promise<LastWords> {
  const held = new Map<string, Told>()
  const membersBefore = new Members(cluster)
  const { store } = await openStore(path)
  try {
    for await (const head of storedHeads(store)) held.set(head.log, { ...head, paths: new Map() })
    await membersBefore.load(store.iterate(prefixRange(MEMBER_ROWS)))
    await namePaths(store, held)
  } catch (error) {
    if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
  } finally {
    await store.close()
  }
  return { heldBefore: [...held.values()], membersBefore }
}

async function namePaths(store: LevelStore, held: ReadonlyMap<string, Told>): Promise<void> {
  const authorOf = (log: string): string => hexOf(held.get(log)?.author ?? new Uint8Array())
  const reader = new CatalogReader({ rows: new IndexRows(new Overlay({ store }), authorOf), store, authorOf })
  for await (const id of reader.ids()) {
    for (const { log, seq } of reader.entry(id)?.state.tuples ?? []) {
      const head = held.get(log)
      if (head === undefined || seq <= head.seq - MAX_NAMED_RECORDS) continue
      const paths = head.paths.get(seq) ?? []
      const path = reader.lastPathOf(id)
      if (paths.length < MAX_PATHS && !paths.includes(path)) paths.push(path)
      head.paths.set(seq, paths)
    }
  }
}

const SHAPE = z.object({
  version: z.literal(1),
  held: z.array(
    z.object({
      log: z.string(),
      author: z.string(),
      seq: z.number(),
      paths: z.array(z.tuple([z.number(), z.array(z.string())]))
    })
  )
})
type LastWordsFile = z.output<typeof SHAPE>

/** Durable when it resolves. */
export async function keepHeldBefore(home: string, held: readonly HeldBefore[]): Promise<void> {
  const file: LastWordsFile = {
    version: 1,
    held: held.map((head) => ({
      ...head,
      author: hexOf(head.author),
      paths: [...head.paths].map(([seq, paths]) => [seq, [...paths]])
    }))
  }
  await writePrivate(join(home, LAST_WORDS_FILE), `${JSON.stringify(file)}\n`)
}

/** Empty when nothing is kept, or what is kept is damaged. */
export async function heldBeforeOf(home: string): Promise<HeldBefore[]> {
  const file = await readJsonOr(join(home, LAST_WORDS_FILE), SHAPE, undefined)
  return (file?.held ?? []).map((head) => ({ ...head, author: bytesOf(head.author), paths: new Map(head.paths) }))
}

/** The losses are noted. */
export async function forgetHeldBefore(home: string): Promise<void> {
  await rm(join(home, LAST_WORDS_FILE), { force: true })
}

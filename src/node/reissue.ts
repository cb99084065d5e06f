/**
 * Records of ours that nobody else has and that cannot stand where they were written: what they said is kept in a file of
 * the home, and written again once this node may write.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BODY, clientIdOf, decodeUpdate, deleteRanges, encodeUpdate, type Tuple, type Value } from '../catalog/index.js'
import { GrapevineError, reasonOf } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Logger } from '../runtime.js'
import {
  bytesOf,
  decodeCborRaw,
  decodeOp,
  encodeCbor,
  encodeOp,
  hexOf,
  type Op,
  type SignedRecord
} from '../wire/index.js'
import { readJson, writePrivate } from './home.js'

const REISSUE_FILE = 'reissue.json'
/** What a change of one entry adds to a record, besides its bodies. */
const EDIT_BYTES = 1_024

interface ReissueFile {
  readonly version: 1
  /** Entry, the edit that says its values again (hex), and small bodies they name (hex). */
  readonly edits: ReadonlyArray<{ readonly entry: string; readonly update: string; readonly bodies: readonly string[] }>
  /** Ops of the members space, CBOR in hex. */
  readonly members: readonly string[]
}

/** Log -> seq from which on its records go. */
export type Dropped = ReadonlyMap<string, number>

const isDropped = (dropped: Dropped, log: string, seq: number): boolean =>
  seq >= (dropped.get(log) ?? Number.POSITIVE_INFINITY)

/**
 * Puts down what the dropped records of `author` said, as the fold has it now: the values of theirs that stand, and what
 * they replaced of others. Returns how many entries that are. Call it before the records go.
 */
export async function rememberForReissue(
  home: string,
  replica: Replica,
  author: Uint8Array,
  dropped: Dropped
): Promise<number> {
  const records = ownRecords(replica, author, dropped)
  const touched = new Map<string, Touched>()
  const members: string[] = []
  for (const record of records) {
    if (record.body.space === 'members') members.push(...record.body.ops.map((op) => hexOf(encodeCbor(encodeOp(op)))))
    else for (const op of record.body.ops) if (op.k === 'edit') touch(touched, op.entry, op.update, record)
  }
  const edits = [...touched].flatMap(([entry, what]) => editOf(replica, entry, what, author, dropped) ?? [])
  if (edits.length + members.length > 0) {
    // what an earlier attempt put down is not written again yet
    const before = await readJson<ReissueFile>(join(home, REISSUE_FILE))
    const file: ReissueFile = {
      version: 1,
      edits: [...(before?.edits ?? []), ...edits],
      members: [...(before?.members ?? []), ...members]
    }
    await writePrivate(join(home, REISSUE_FILE), `${JSON.stringify(file)}\n`)
  }
  return edits.length
}

function ownRecords(replica: Replica, author: Uint8Array, dropped: Dropped): SignedRecord[] {
  const records: SignedRecord[] = []
  for (const [log, from] of dropped) {
    const head = replica.log.get(log)
    if (head === undefined || Buffer.compare(head.author, author) !== 0) continue
    for (let seq = from; seq <= head.seq; seq++) records.push(replica.log.read(log, seq))
  }
  return records
}

interface Touched {
  /** What the dropped records deleted. */
  readonly deletes: Array<{ client: number; clock: number; length: number }>
  /** Client ids of dropped records, and the clock from which on what they wrote goes. */
  readonly clients: Map<number, number>
}

function touch(touched: Map<string, Touched>, entry: string, update: Uint8Array, record: SignedRecord): void {
  const what = touched.get(entry) ?? { deletes: [], clients: new Map<number, number>() }
  const { clock, tuples, deletes } = decodeUpdate(update)
  what.deletes.push(...deletes)
  const client = clientIdOf(record.body.author, record.body.epoch, entry)
  if (tuples.length > 0) what.clients.set(client, Math.min(what.clients.get(client) ?? clock, clock))
  touched.set(entry, what)
}

/** Undefined when nothing of what was written stands. */
function editOf(
  replica: Replica,
  id: string,
  what: Touched,
  author: Uint8Array,
  dropped: Dropped
): ReissueFile['edits'][number] | undefined {
  const entry = replica.reader.entry(id)
  const own = (tuple: Tuple): boolean =>
    isDropped(dropped, tuple.log, tuple.seq) && replica.authorOf(tuple.log) === hexOf(author)
  const values = (entry?.state.tuples ?? []).filter(own)
  if (entry === undefined || values.length === 0) return undefined
  // what they replaced of each other goes with them; at those places others may stand by now
  const replaced = what.deletes.flatMap(({ client, clock, length }) => {
    const end = Math.min(clock + length, what.clients.get(client) ?? Number.POSITIVE_INFINITY)
    return Array.from({ length: Math.max(0, end - clock) }, (_, at) => ({ client, clock: clock + at }))
  })
  const update = encodeUpdate({
    client: 1,
    clock: 0,
    tuples: values.map(({ field, value, time, seq }) => [field, value, time, seq] as const),
    deletes: deleteRanges(unique(replaced) as Tuple[])
  })
  return { entry: id, update: hexOf(update), bodies: values.flatMap((tuple) => inlineBody(replica, tuple) ?? []) }
}

function unique(places: ReadonlyArray<{ client: number; clock: number }>): Array<{ client: number; clock: number }> {
  return [...new Map(places.map((place) => [`${place.client}:${place.clock}`, place])).values()]
}

function inlineBody(replica: Replica, { field, value }: { field: string; value: Value }): string | undefined {
  if (field !== BODY) return undefined
  const [hash, size] = value as unknown as [Uint8Array, number]
  const bytes = replica.reader.inlineBody({ hash: hexOf(hash), size })
  return bytes === undefined ? undefined : hexOf(bytes)
}

/** Writes again what is remembered, and forgets it. May be interrupted: a value that stands already is not written twice. */
export async function reissue(home: string, replica: Replica, logger: Logger): Promise<void> {
  const path = join(home, REISSUE_FILE)
  const file = await readJson<ReissueFile>(path).catch((error: unknown) => setAside(path, error, logger))
  if (file === undefined) return
  await Promise.all(file.edits.map((edit) => reissueEdit(replica, edit, logger)))
  if (file.members.length > 0) await reissueMembers(replica, file.members.map(opOf), logger)
  await rm(path, { force: true })
  logger.info('What nobody else had was written again.', { entries: file.edits.length, members: file.members.length })
}

/** A list that is damaged holds up nothing; the records it was made from are in the home. */
async function setAside(path: string, error: unknown, logger: Logger): Promise<undefined> {
  if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
  logger.error('What was to be written again cannot be read; it is set aside.', { file: `${path}.damaged` })
  await rename(path, `${path}.damaged`)
  return undefined
}

async function reissueEdit(
  replica: Replica,
  { entry, update, bodies }: ReissueFile['edits'][number],
  logger: Logger
): Promise<void> {
  const { tuples, deletes } = decodeUpdate(bytesOf(update))
  const bytes = EDIT_BYTES + update.length / 2 + bodies.reduce((sum, body) => sum + body.length / 2, 0)
  try {
    await replica.change((draft) => {
      for (const body of bodies) draft.body(bytesOf(body))
      draft.rewrite(
        entry,
        tuples.map(([field, value]) => [field, value] as const),
        deletes
      )
    }, bytes)
  } catch (error) {
    // this one cannot be said any more (its node has another role now); the records themselves are set aside
    if (!(error instanceof GrapevineError) || !['role-forbids', 'too-large'].includes(error.code)) throw error
    logger.error('A change that nobody else had could not be written again.', { entry, reason: error.message })
  }
}

async function reissueMembers(replica: Replica, ops: readonly Op[], logger: Logger): Promise<void> {
  try {
    await replica.writeMembers(() => ops)
  } catch (error) {
    if (!(error instanceof GrapevineError)) throw error
    logger.error('Admissions that nobody else had could not be written again.', { reason: reasonOf(error) })
  }
}

function opOf(hex: string): Op {
  return decodeOp(decodeCborRaw(bytesOf(hex)))
}

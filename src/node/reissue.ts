/**
 * Records of ours that nobody else has and that cannot stand where they were written: what they said is kept in a file of
 * the home, and written again once this node may write.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  BODY,
  decodeUpdate,
  deleteRanges,
  encodeUpdate,
  type DeleteRange,
  type Tuple,
  type Value
} from '../catalog/index.js'
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

export const REISSUE_FILE = 'reissue.json'
/** What a change of one entry adds to a record, besides its bodies. */
const EDIT_BYTES = 1_024

const hexText = z.string()
const EDIT_SHAPE = z.object({
  entry: z.string(),
  /** The values that stand, as one edit (hex). */
  update: hexText,
  /** Ids of the records these values stood in, at the same places. Absent in files of before it was kept. */
  records: z.array(z.string()).optional(),
  /** What each dropped record said of the entry (hex). */
  said: z.array(z.object({ record: z.string(), update: hexText })).optional(),
  /** Small bodies the values name (hex). */
  bodies: z.array(hexText)
})
const REISSUE_SHAPE = z.object({
  version: z.literal(1),
  edits: z.array(EDIT_SHAPE),
  /** Ops of the members space, CBOR in hex. */
  members: z.array(hexText),
  /** Ids of the records they stood in, at the same places. Absent in files of before it was kept. */
  memberRecords: z.array(z.string()).optional()
})
type ReissueFile = z.output<typeof REISSUE_SHAPE>
type Edit = z.output<typeof EDIT_SHAPE>

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
  const touched = new Map<string, Array<{ record: string; update: string }>>()
  const members: string[] = []
  const memberRecords: string[] = []
  for (const { id, body } of records)
    for (const op of body.ops) {
      if (op.k === 'edit')
        touched.set(op.entry, [...(touched.get(op.entry) ?? []), { record: id, update: hexOf(op.update) }])
      if (body.space !== 'members') continue
      members.push(hexOf(encodeCbor(encodeOp(op))))
      memberRecords.push(id)
    }
  const edits = [...touched].flatMap(([entry, said]) => editOf(replica, entry, said, author, dropped) ?? [])
  if (edits.length + members.length > 0) {
    // what an earlier attempt put down is not written again yet
    const before = await readJson(join(home, REISSUE_FILE), REISSUE_SHAPE)
    const file: ReissueFile = {
      version: 1,
      edits: [...(before?.edits ?? []), ...edits],
      members: [...(before?.members ?? []), ...members],
      memberRecords: [...(before?.members.map((_, at) => before.memberRecords?.[at] ?? '') ?? []), ...memberRecords]
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

/** Undefined when nothing of what was written stands. */
function editOf(
  replica: Replica,
  id: string,
  said: NonNullable<Edit['said']>,
  author: Uint8Array,
  dropped: Dropped
): Edit | undefined {
  const own = (tuple: Tuple): boolean =>
    isDropped(dropped, tuple.log, tuple.seq) && replica.authorOf(tuple.log) === hexOf(author)
  const values = (replica.reader.entry(id)?.state.tuples ?? []).filter(own)
  if (values.length === 0) return undefined
  const tuples = values.map(({ field, value, time, seq }) => [field, value, time, seq] as const)
  return {
    entry: id,
    update: hexOf(encodeUpdate({ client: 1, clock: 0, tuples, deletes: [] })),
    records: values.map(({ log, seq }) => replica.log.row(log, seq)!.id),
    said,
    bodies: values.flatMap((tuple) => inlineBody(replica, tuple) ?? [])
  }
}

/** What these updates replaced of others. What they replaced of each other goes with them: there others may stand by now. */
function replacedBy(said: ReadonlyArray<{ readonly update: string }>): DeleteRange[] {
  const updates = said.map(({ update }) => decodeUpdate(bytesOf(update)))
  /** Client id -> the clock from which on what it wrote is no more. */
  const from = new Map<number, number>()
  for (const { client, clock, tuples } of updates)
    if (tuples.length > 0) from.set(client, Math.min(from.get(client) ?? clock, clock))
  const places = updates.flatMap(({ deletes }) =>
    deletes.flatMap(({ client, clock, length }) => {
      const end = Math.min(clock + length, from.get(client) ?? Number.POSITIVE_INFINITY)
      return Array.from({ length: Math.max(0, end - clock) }, (_, at) => ({ client, clock: clock + at }))
    })
  )
  return deleteRanges(unique(places) as Tuple[])
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

/**
 * Writes again what is remembered, and forgets it. May be interrupted: a value that stands already is not written twice.
 * A record that has come back from others is not said again: its values may have been replaced since.
 */
export async function reissue(home: string, replica: Replica, logger: Logger): Promise<void> {
  const path = join(home, REISSUE_FILE)
  const file = await readJson(path, REISSUE_SHAPE).catch((error: unknown) => setAside(path, error, logger))
  if (file === undefined) return
  await Promise.all(file.edits.map((edit) => reissueEdit(replica, edit, logger)))
  const members = file.members.filter((_, at) => !isBack(replica, file.memberRecords?.[at]))
  if (members.length > 0) await reissueMembers(replica, members.map(opOf), logger)
  await rm(path, { force: true })
  logger.info('What nobody else had was written again.', { entries: file.edits.length, members: members.length })
}

/** A list that is damaged holds up nothing; the records it was made from are in the home. */
async function setAside(path: string, error: unknown, logger: Logger): Promise<undefined> {
  if (!(error instanceof GrapevineError) || error.code !== 'store-damaged') throw error
  logger.error('What was to be written again cannot be read; it is set aside.', { file: `${path}.damaged` })
  await rename(path, `${path}.damaged`)
  return undefined
}

function isBack(replica: Replica, record: string | undefined): boolean {
  const found = record === undefined ? undefined : replica.log.find(record)
  if (found === undefined) return false
  const state = replica.log.row(found.log, found.seq)?.state
  return state === 'applied' || (state === 'waiting' && !waitsInVain(replica, found))
}

/** Whether it builds, by whatever lies between, on the branch of a fork that is not the one held here. */
function waitsInVain({ log }: Replica, record: { log: string; seq: number }): boolean {
  const open = new Map([[`${record.log}/${record.seq}`, record]])
  for (const at of open.values()) {
    const { deps } = log.read(at.log, at.seq).body
    if (deps.some((dep) => (log.row(dep.log, dep.seq)?.id ?? dep.id) !== dep.id)) return true
    for (const before of [{ log: at.log, seq: at.seq - 1 }, ...deps])
      if (log.row(before.log, before.seq)?.state === 'waiting') open.set(`${before.log}/${before.seq}`, before)
  }
  return false
}

async function reissueEdit(
  replica: Replica,
  { entry, update, records, said, bodies }: Edit,
  logger: Logger
): Promise<void> {
  const edit = decodeUpdate(bytesOf(update))
  const tuples = edit.tuples.filter((_, at) => !isBack(replica, records?.[at]))
  if (tuples.length === 0) return
  const deletes = [...edit.deletes, ...replacedBy((said ?? []).filter(({ record }) => !isBack(replica, record)))]
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

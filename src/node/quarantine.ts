/**
 * What this node could not apply, for people: records that a fault of this version keeps from being folded, and entries
 * that the adapter could not write to the target.
 */
import { decodeUpdate, PLACE, readPlace, ROOT_ID, type CatalogReader } from '../catalog/index.js'
import type { HeldRecordView, QuarantineView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { TargetSync } from '../publish/index.js'
import { quarantined, type HeldRecord, type Replica } from '../replica/index.js'
import { bytesOf, type Op } from '../wire/index.js'

type Place = Pick<ReturnType<typeof readPlace>, 'parent' | 'name'>
type Target = Pick<TargetSync, 'failing' | 'retry' | 'drop'>

/** Paths named for one record. */
const MAX_PATHS = 100
/** Records named in the status; the listing has them all. */
const MAX_PROBLEMS = 100
/** An id that is cut shorter than this may as well be a path, hex digits. */
const MIN_ID_DIGITS = 8

export function quarantineOf(replica: Replica, target?: Target): QuarantineView {
  return {
    records: replica.quarantine.list().map((held) => recordView(replica, held)),
    entries: (target?.failing.list() ?? []).map((entry) => ({ ...entry, since: new Date(entry.since).toISOString() }))
  }
}

/** As problems of the status. */
export function heldProblems(replica: Replica): Array<{ error: GrapevineError; since: number }> {
  const held = replica.quarantine.list().slice(0, MAX_PROBLEMS)
  return held.map((record) => ({ error: quarantined(record), since: record.since }))
}

/** Throws `not-found` when nothing here is named so. */
export async function retryQuarantined(
  replica: Replica,
  target: Target | undefined,
  what?: string
): Promise<QuarantineView> {
  const record = what === undefined ? undefined : recordNamed(replica, what)
  if (what === undefined) {
    await replica.retryHeld()
    target?.retry()
  } else if (record !== undefined) await replica.retryHeld(record.log)
  else if (target?.retry(what) !== true) throw notFound(what)
  return quarantineOf(replica, target)
}

/** Throws `drop-refused` for a record, `not-found` when nothing here is named so. */
export async function dropQuarantined(
  replica: Replica,
  target: Target | undefined,
  what: string
): Promise<QuarantineView> {
  const record = recordNamed(replica, what)
  if (record !== undefined) throw refused(replica, record)
  if ((await target?.drop(what)) !== true) throw notFound(what)
  return quarantineOf(replica, target)
}

function recordNamed(replica: Replica, what: string): HeldRecord | undefined {
  if (what.length < MIN_ID_DIGITS) return undefined
  const found = replica.quarantine.list().filter(({ id }) => id.startsWith(what))
  return found.length === 1 ? found[0] : undefined
}

/**
 * Left out here alone, the record would make this node show another catalog than all others, judge what its author wrote
 * since otherwise than they do, and write on from a state nobody else ever had.
 */
function refused(replica: Replica, { id, log, seq }: HeldRecord): GrapevineError {
  const node = nodeIdOf(bytesOf(replica.authorOf(log)))
  return new GrapevineError('drop-refused', `record ${id} cannot be left out on this node alone`, {
    next: `run a version of grapevine that folds it. To take it out on every node alike, an admin can remove its author from that record on: "grapevine revoke ${node} --since ${seq}"; what that drops is listed by "grapevine salvage"`,
    facts: { record: id, log, seq }
  })
}

function notFound(what: string): GrapevineError {
  return new GrapevineError('not-found', `nothing in quarantine is called ${JSON.stringify(what)}`, {
    next: 'see "grapevine quarantine ls"',
    facts: { what }
  })
}

function recordView(replica: Replica, { id, log, seq, reason, since }: HeldRecord): HeldRecordView {
  return {
    record: id,
    space: replica.log.get(log)!.space,
    author: nodeIdOf(bytesOf(replica.authorOf(log))),
    log,
    seq,
    reason,
    since: new Date(since).toISOString(),
    waiting: replica.quarantine.waitingFor(log),
    paths: pathsOf(replica, log, seq)
  }
}

/** Where its entries are, or would be by what the record says. */
function pathsOf({ log, reader }: Replica, id: string, seq: number): string[] {
  const edits = opsAt(log, id, seq).filter((op) => op.k === 'edit')
  const places = new Map(edits.map(({ entry, update }) => [entry, placeIn(update)]))
  const paths = [...places.keys()].map((entry) => pathOf(entry, reader, places) || `id:${entry}`)
  return paths.slice(0, MAX_PATHS)
}

/** None where the record no longer reads back: that is a problem of its own. */
function opsAt(log: Replica['log'], id: string, seq: number): readonly Op[] {
  try {
    return log.read(id, seq).body.ops
  } catch (error) {
    if (error instanceof GrapevineError && error.code === 'store-damaged') return []
    throw error
  }
}

function pathOf(entry: string, reader: CatalogReader, places: ReadonlyMap<string, Place | undefined>): string {
  const names: string[] = []
  let id = entry
  // a record may name places that lead back to themselves
  for (const seen = new Set<string>(); id !== ROOT_ID && !seen.has(id);) {
    const above = reader.lastPathOf(id)
    const place = places.get(id)
    if (above !== '' || place === undefined) return [above, ...names].filter((name) => name !== '').join('/')
    names.unshift(place.name)
    seen.add(id)
    id = place.parent
  }
  return names.join('/')
}

function placeIn(update: Uint8Array): Place | undefined {
  try {
    const tuple = decodeUpdate(update).tuples.find(([field]) => field === PLACE)
    return tuple === undefined ? undefined : readPlace(tuple[1])
  } catch {
    // what does not decode may be just what the fault is about
    return undefined
  }
}

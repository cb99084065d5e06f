/**
 * The catalog folded once more, from the records alone and as plainly as it can be said: a value lives unless a record
 * that knew of it deleted it. Slow, without index, tree, order of arrival or Yjs; the nodes must come to the same.
 */
import assert from 'node:assert/strict'
import {
  BODY,
  clientIdOf,
  decodeUpdate,
  PLACE,
  TOMBSTONE,
  type DeleteRange,
  type Value
} from '../../src/catalog/index.js'
import type { Replica } from '../../src/replica/index.js'
import { hexOf, sha256, type SignedRecord } from '../../src/wire/index.js'

type Past = ReadonlyMap<string, number>

interface Value4 {
  readonly client: number
  readonly clock: number
  readonly record: SignedRecord
  readonly field: string
  readonly value: Value
}

interface Deletion {
  readonly ranges: readonly DeleteRange[]
  readonly record: SignedRecord
  readonly past: Past
}

interface ReferenceEntry {
  readonly values: Value4[]
  readonly deletions: Deletion[]
}

/** Throws unless every entry of the replica has the values, winners and conflicts that its records give it, and no other. */
export async function checkAgainstReference(
  replica: Replica,
  invalid: ReadonlySet<string>,
  archive: ReadonlyMap<string, SignedRecord>
): Promise<void> {
  const records = recordsOf(replica, archive)
  const voids = voidRecords(records, invalid)
  checkVerdicts(replica, records, invalid, voids)
  const entries = foldAll(records, new Set([...invalid, ...voids]))
  for (const [id, reference] of entries) checkEntry(replica, id, reference)
  for await (const id of replica.reader.ids())
    if (!entries.has(id)) checkEntry(replica, id, { values: [], deletions: [] })
}

/** Every record is rejected exactly when its author lied in it, and void when a removal says so. */
function checkVerdicts(
  replica: Replica,
  records: readonly SignedRecord[],
  invalid: ReadonlySet<string>,
  voids: ReadonlySet<string>
): void {
  for (const { id, log, body } of records) {
    if (replica.log.isSettled(log, body.seq)) continue
    const expected = invalid.has(id) ? 'rejected' : voids.has(id) ? 'void' : 'applied'
    const row = replica.log.row(log, body.seq)!
    assert.equal(row.state, expected, `record ${id} is ${row.state} where it should be ${expected}: ${row.reason}`)
  }
}

/**
 * Records of removed keys beyond their cuts that no honest record built on. The founder alone removes here, so that
 * removals count in the order of its log.
 */
function voidRecords(records: readonly SignedRecord[], invalid: ReadonlySet<string>): Set<string> {
  const pasts = new Map<string, Past>()
  for (const record of records) pasts.set(record.id, new Map(pastOf(record, pasts)).set(record.log, record.body.seq))
  const removals = records.flatMap((record) =>
    record.body.ops.flatMap((op) => (op.k === 'revoke' ? [{ record, op }] : []))
  )
  const removalOf = ({ log, body }: SignedRecord): SignedRecord | undefined =>
    removals.find(
      ({ op }) => hexOf(op.key) === hexOf(body.author) && body.seq > (op.cuts.find((cut) => cut.log === log)?.seq ?? 0)
    )?.record
  const beyond = records.filter((record) => !invalid.has(record.id) && removalOf(record) !== undefined)
  const honest = records.filter((record) => !invalid.has(record.id) && removalOf(record) === undefined)
  const knows = (record: SignedRecord, other: SignedRecord): boolean =>
    (pasts.get(record.id)!.get(other.log) ?? 0) >= other.body.seq
  const kept = new Set<string>()
  for (const record of beyond) {
    const edited = editedBy(record)
    const builtOn = honest.some(
      (other) =>
        hexOf(other.body.author) !== hexOf(record.body.author) &&
        knows(other, record) &&
        !knows(other, removalOf(record)!) &&
        [...editedBy(other), ...parentsIn(other)].some((id) => edited.has(id))
    )
    if (builtOn) keepWith(record, beyond, kept)
  }
  return new Set(beyond.map(({ id }) => id).filter((id) => !kept.has(id)))
}

/** A record that counts needs what its log wrote to its entries before. */
function keepWith(record: SignedRecord, beyond: readonly SignedRecord[], kept: Set<string>): void {
  if (kept.has(record.id)) return
  kept.add(record.id)
  const edited = editedBy(record)
  for (const other of beyond)
    if (
      other.log === record.log &&
      other.body.seq < record.body.seq &&
      [...editedBy(other)].some((id) => edited.has(id))
    )
      keepWith(other, beyond, kept)
}

function editedBy({ body }: SignedRecord): Set<string> {
  return new Set(body.ops.flatMap((op) => (op.k === 'edit' ? [op.entry] : [])))
}

function parentsIn({ body }: SignedRecord): string[] {
  return body.ops.flatMap((op) =>
    op.k === 'edit'
      ? decodeUpdate(op.update)
          .tuples.filter(([field]) => field === PLACE)
          .map(([, value]) => hexOf((value as readonly Uint8Array[])[0]!))
      : []
  )
}

/** Every record after all that it names. */
function recordsOf({ log }: Replica, archive: ReadonlyMap<string, SignedRecord>): SignedRecord[] {
  const records = new Map<string, SignedRecord>(archive)
  for (const head of log.logs())
    for (let seq = head.floor + 1; seq <= head.seq; seq++) {
      const record = log.read(head.log, seq)
      records.set(record.id, record)
    }
  const depths = depthsOf(records)
  const depth = ({ id }: SignedRecord): number => depths.get(id)!
  for (const record of records.values())
    if (!log.isSettled(record.log, record.body.seq))
      assert.equal(log.row(record.log, record.body.seq)!.depth, depth(record), `record ${record.id} stands elsewhere`)
  return [...records.values()].toSorted((a, b) => depth(a) - depth(b) || (a.log < b.log ? -1 : 1))
}

/** How deep each record stands, whatever it says: it grows along every edge. Without recursion, for logs are long. */
function depthsOf(records: ReadonlyMap<string, SignedRecord>): Map<string, number> {
  const depths = new Map<string, number>()
  const stack = [...records.values()]
  for (let record = stack.at(-1); record !== undefined; record = stack.at(-1)) {
    const before = namedBy(record)
    const open = before.filter((id) => !depths.has(id))
    stack.push(...open.map((id) => records.get(id)!))
    if (open.length > 0) continue
    stack.pop()
    depths.set(record.id, 1 + Math.max(0, ...before.map((id) => depths.get(id)!)))
  }
  return depths
}

function namedBy({ body }: SignedRecord): string[] {
  return [...(body.prev === null ? [] : [body.prev]), ...body.deps.map((dep) => dep.id)]
}

function foldAll(records: readonly SignedRecord[], invalid: ReadonlySet<string>): Map<string, ReferenceEntry> {
  const entries = new Map<string, ReferenceEntry>()
  const pasts = new Map<string, Past>()
  for (const record of records) {
    const past = pastOf(record, pasts)
    pasts.set(record.id, new Map(past).set(record.log, record.body.seq))
    if (!invalid.has(record.id)) foldRecord(entries, record, past)
  }
  return entries
}

function pastOf(record: SignedRecord, pasts: ReadonlyMap<string, Past>): Past {
  const past = new Map<string, number>()
  for (const id of namedBy(record))
    for (const [log, seq] of pasts.get(id) ?? []) past.set(log, Math.max(seq, past.get(log) ?? 0))
  return past
}

function foldRecord(entries: Map<string, ReferenceEntry>, record: SignedRecord, past: Past): void {
  const { author, epoch, ops } = record.body
  for (const op of ops) {
    if (op.k !== 'edit') continue
    const entry = entries.get(op.entry) ?? { values: [], deletions: [] }
    entries.set(op.entry, entry)
    const { clock, tuples, deletes } = decodeUpdate(op.update)
    const client = clientIdOf(author, epoch, op.entry)
    tuples.forEach(([field, value], at) => entry.values.push({ client, clock: clock + at, record, field, value }))
    if (deletes.length > 0) entry.deletions.push({ ranges: deletes, record, past })
  }
}

/** A record also deletes what it wrote itself before, in this entry or an earlier op: its own clock tells. */
function isDeleted({ client, clock, record }: Value4, deletions: readonly Deletion[]): boolean {
  return deletions.some(
    (deletion) =>
      (deletion.record === record || (deletion.past.get(record.log) ?? 0) >= record.body.seq) &&
      deletion.ranges.some(
        (range) => range.client === client && range.clock <= clock && clock < range.clock + range.length
      )
  )
}

function checkEntry(replica: Replica, id: string, { values, deletions }: ReferenceEntry): void {
  const entry = replica.reader.entry(id)
  const live = values.filter((value) => !isDeleted(value, deletions))
  const dot = (client: number, clock: number, field: string): string => `${field} ${client}:${clock}`
  assert.deepEqual(
    (entry?.state.tuples ?? []).map((tuple) => dot(tuple.client, tuple.clock, tuple.field)).toSorted(),
    live.map((value) => dot(value.client, value.clock, value.field)).toSorted(),
    `entry ${id} does not hold the values its records give it`
  )
  if (entry === undefined) return
  const fields = new Set(live.map((value) => value.field))
  fields.delete(TOMBSTONE)
  const winner = winnerOf(live.filter((value) => value.field === BODY))
  if (winner !== undefined)
    assert.equal(
      entry.meaning.body?.hash,
      hexOf((winner.value as unknown as [Uint8Array])[0]),
      `entry ${id} has another winner`
    )
  const conflicts = [...fields].filter((field) => distinct(live, field) > 1).toSorted()
  assert.deepEqual(
    entry.meaning.conflicts.map((conflict) => conflict.field),
    conflicts,
    `entry ${id} does not show its conflicts`
  )
  checkBodies(replica, live)
}

/** The greatest of time, author, log, seq and clock. */
function winnerOf(values: readonly Value4[]): Value4 | undefined {
  const rank = ({ record, clock }: Value4): [number, string, string, number, number] => [
    record.body.time,
    hexOf(record.body.author),
    record.log,
    record.body.seq,
    clock
  ]
  return values.toSorted((a, b) => compareRanks(rank(b), rank(a)))[0]
}

function compareRanks(a: ReadonlyArray<number | string>, b: ReadonlyArray<number | string>): number {
  const at = a.findIndex((each, index) => each !== b[index])
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1
}

/** Two moves to one place agree, wherever they came from. */
function distinct(values: readonly Value4[], field: string): number {
  const said = values
    .filter((value) => value.field === field)
    .map(({ value }) => (field === PLACE ? (value as readonly Value[]).slice(0, 3) : value))
  return new Set(
    said.map((value) => JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? hexOf(part) : part)))
  ).size
}

/** The bytes of every value that lives are here, a conflict's losers included, and are the right ones. */
function checkBodies(replica: Replica, live: readonly Value4[]): void {
  for (const { field, value } of live) {
    if (field !== BODY) continue
    const [hash, size] = value as unknown as [Uint8Array, number]
    const bytes = replica.reader.inlineBody({ hash: hexOf(hash), size })
    assert.ok(bytes !== undefined, `the bytes of body ${hexOf(hash)} are missing`)
    assert.equal(hexOf(sha256(bytes)), hexOf(hash), 'the bytes of a body are not what its hash says')
  }
}

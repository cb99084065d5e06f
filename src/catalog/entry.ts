/**
 * One entry as the fold keeps it: who wrote to it, its live tuples with their dots, and the Yjs doc behind them. The
 * tuples are what the doc's array holds, read without hydrating it; `doc.ts` proves that both agree.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { bytesOf, hexOf, refuseRecord, sha256 } from '../wire/index.js'
import { byClient } from './by-client.js'
import { encoded, scratched, writeBytes } from './scratch.js'
import { encodeUpdate, writeValue, type DeleteRange, type EditUpdate, type Value } from './update.js'

export interface ClientRow {
  /** Yjs client id. */
  readonly client: number
  /** The log whose author writes under it. */
  readonly log: string
  /** Tuples it has ever written here. */
  readonly clock: number
}

export interface Tuple {
  readonly client: number
  readonly clock: number
  /** Log and seq of the record that wrote it: the dot. */
  readonly log: string
  readonly seq: number
  readonly field: string
  readonly value: Value
  readonly time: number
}

/** A record, by where it stands. */
export interface Dot {
  readonly log: string
  readonly seq: number
  readonly time: number
}

/** What it holds is replaced and never changed in place: the same lists may be those of an older state. */
export interface EntryState {
  clients: readonly ClientRow[]
  tuples: readonly Tuple[]
  /** Yjs v1 updates that make up the doc: a state, then those applied since. */
  doc: readonly Uint8Array[]
  /** Live children, by effective place. */
  kids: number
  /** The record that wrote here first, as far as this node's order of arrival goes: the beginning of its history. */
  born: Dot | undefined
  /** 0: where its place says; 1: where it came from; 2: at the root. Raised to break a cycle. */
  level: number
}

const ROW_VERSION = 1

export function emptyEntry(): EntryState {
  return { clients: [], tuples: [], doc: [], kids: 0, born: undefined, level: 0 }
}

export function encodeEntry(state: EntryState): Uint8Array {
  return encoded((out) => writeEntry(out, state))
}

function writeEntry(out: encoding.Encoder, state: EntryState): void {
  encoding.writeVarUint(out, ROW_VERSION)
  encoding.writeVarUint(out, state.kids)
  encoding.writeVarUint(out, state.level)
  encoding.writeVarUint(out, state.born === undefined ? 0 : 1)
  if (state.born !== undefined) {
    writeBytes(out, logBytes(state.born.log))
    encoding.writeVarUint(out, state.born.seq)
    encoding.writeVarUint(out, state.born.time)
  }
  encoding.writeVarUint(out, state.clients.length)
  for (const row of state.clients) {
    encoding.writeVarUint(out, row.client)
    encoding.writeVarUint(out, row.clock)
    writeBytes(out, logBytes(row.log))
  }
  const places = new Map(state.clients.map(({ client }, at) => [client, at]))
  encoding.writeVarUint(out, state.tuples.length)
  for (const tuple of state.tuples) {
    encoding.writeVarUint(out, places.get(tuple.client)!)
    encoding.writeVarUint(out, tuple.clock)
    encoding.writeVarUint(out, tuple.seq)
    encoding.writeVarUint(out, tuple.time)
    encoding.writeVarString(out, tuple.field)
    encoding.writeAny(out, tuple.value as encoding.AnyEncodable)
  }
  encoding.writeVarUint(out, state.doc.length)
  for (const update of state.doc) writeSized(out, update)
}

function writeSized(out: encoding.Encoder, bytes: Uint8Array): void {
  encoding.writeVarUint(out, bytes.length)
  writeBytes(out, bytes)
}

/** Few logs write many entries: the bytes of the last ids are kept. */
const logIds = new Map<string, Uint8Array>()
const MAX_KEPT_LOG_IDS = 1_024

function logBytes(log: string): Uint8Array {
  let bytes = logIds.get(log)
  if (bytes === undefined) {
    bytes = bytesOf(log)
    if (logIds.size >= MAX_KEPT_LOG_IDS) logIds.clear()
    logIds.set(log, bytes)
  }
  return bytes
}

export function decodeEntry(bytes: Uint8Array): EntryState {
  const input = decoding.createDecoder(bytes)
  if (decoding.readVarUint(input) !== ROW_VERSION) throw new Error('an entry row of an unknown version')
  const state = emptyEntry()
  const clients: ClientRow[] = []
  const tuples: Tuple[] = []
  const doc: Uint8Array[] = []
  state.kids = decoding.readVarUint(input)
  state.level = decoding.readVarUint(input)
  if (decoding.readVarUint(input) === 1) {
    state.born = {
      log: hexOf(decoding.readUint8Array(input, 16)),
      seq: decoding.readVarUint(input),
      time: decoding.readVarUint(input)
    }
  }
  for (let left = decoding.readVarUint(input); left > 0; left--) {
    const client = decoding.readVarUint(input)
    const clock = decoding.readVarUint(input)
    clients.push({ client, clock, log: hexOf(decoding.readUint8Array(input, 16)) })
  }
  for (let left = decoding.readVarUint(input); left > 0; left--) {
    const { client, log } = clients[decoding.readVarUint(input)]!
    const clock = decoding.readVarUint(input)
    const seq = decoding.readVarUint(input)
    const time = decoding.readVarUint(input)
    tuples.push({
      client,
      clock,
      log,
      seq,
      time,
      field: decoding.readVarString(input),
      value: decoding.readAny(input) as Value
    })
  }
  for (let left = decoding.readVarUint(input); left > 0; left--) doc.push(decoding.readVarUint8Array(input))
  return Object.assign(state, { clients, tuples, doc })
}

/** The record an update came in, as far as an entry must know it. */
export interface UpdateContext {
  readonly log: string
  readonly seq: number
  readonly time: number
  /** The client id this author must write under, computed by the receiver. */
  readonly client: number
  /** Whether the record has (log, seq) in its past. */
  knows(log: string, seq: number): boolean
}

/**
 * Applies a checked update (`bytes` is its encoding) to `state`, or throws `record-malformed` and leaves it as it was. Deleting what the record
 * cannot have seen is ignored, tuple by tuple: then every order of arrival ends the same (see README).
 */
export function applyUpdate(state: EntryState, update: EditUpdate, context: UpdateContext, bytes: Uint8Array): void {
  const own = state.clients.find((row) => row.client === context.client)
  if (own !== undefined && own.log !== context.log) throw refuseRecord('writes under a client id of another log')
  if (update.tuples.length > 0) checkOwnStruct(update, own?.clock ?? 0, context)
  const gone = new Set(seenTuples(state.tuples, update.deletes, context))
  const left = gone.size === 0 ? state.tuples : state.tuples.filter((tuple) => !gone.has(tuple))
  const added = update.tuples.map(([field, value, time, seq], index): Tuple => ({
    client: context.client,
    clock: update.clock + index,
    log: context.log,
    seq,
    field,
    value,
    time
  }))
  const asWritten = gone.size === countDeleted(update.deletes)
  state.doc = [...state.doc, asWritten ? bytes : encodeUpdate({ ...update, deletes: deleteRanges([...gone]) })]
  // a new list each time: what is made of the tuples is remembered for as long as they are the same
  state.tuples = [...left, ...added]
  if (added.length === 0) return
  const row = { client: context.client, log: context.log, clock: (own?.clock ?? 0) + added.length }
  if (own === undefined) state.clients = [...state.clients, row]
  else state.clients = state.clients.map((each) => (each === own ? row : each))
}

function checkOwnStruct(update: EditUpdate, clock: number, context: UpdateContext): void {
  if (update.client !== context.client) throw refuseRecord("writes under a client id that is not its author's")
  if (update.clock !== clock) throw refuseRecord(`continues an entry at clock ${update.clock} where ${clock} is next`)
  for (const [, , time, seq] of update.tuples) {
    if (time !== context.time || seq !== context.seq)
      throw refuseRecord('stamps a value with something else than its own time and seq')
  }
}

/** The live tuples within `deletes` that the record can have seen. */
function seenTuples(tuples: readonly Tuple[], deletes: readonly DeleteRange[], context: UpdateContext): Tuple[] {
  if (deletes.length === 0) return []
  const ranges = byClient(deletes)
  const isNamed = ({ client, clock }: Tuple): boolean =>
    ranges.get(client)?.some((range) => range.clock <= clock && clock < range.clock + range.length) === true
  const isSeen = ({ log, seq }: Tuple): boolean => (log === context.log ? seq <= context.seq : context.knows(log, seq))
  return tuples.filter((tuple) => isNamed(tuple) && isSeen(tuple))
}

function countDeleted(deletes: readonly DeleteRange[]): number {
  return deletes.reduce((sum, { length }) => sum + length, 0)
}

/** Delete ranges over `tuples`, in the order Yjs writes them. */
export function deleteRanges(tuples: readonly Tuple[]): DeleteRange[] {
  const ordered = tuples.toSorted((a, b) => b.client - a.client || a.clock - b.clock)
  const ranges: Array<{ client: number; clock: number; length: number }> = []
  for (const { client, clock } of ordered) {
    const last = ranges.at(-1)
    if (last !== undefined && last.client === client && last.clock + last.length === clock) last.length += 1
    else ranges.push({ client, clock, length: 1 })
  }
  return ranges
}

/** The canonical hash: what the entry means, not how its doc happens to be encoded. 32 bytes. */
export function entryHash(id: string, { tuples }: EntryState): Buffer {
  const ends: number[] = []
  return scratched(
    (out) => {
      for (const tuple of tuples) {
        writeTuple(out, tuple)
        ends.push(encoding.length(out))
      }
    },
    (bytes) => {
      const rows = ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end))
      if (rows.length > 1) rows.sort(Buffer.compare)
      return sha256(Buffer.concat([bytesOf(id), ...rows]))
    }
  )
}

function writeTuple(out: encoding.Encoder, tuple: Tuple): void {
  encoding.writeVarString(out, tuple.field)
  writeBytes(out, logBytes(tuple.log))
  encoding.writeVarUint(out, tuple.seq)
  encoding.writeVarUint(out, tuple.clock)
  encoding.writeVarUint(out, tuple.time)
  scratched(
    (inner) => writeValue(inner, tuple.value),
    (value) => writeSized(out, value)
  )
}

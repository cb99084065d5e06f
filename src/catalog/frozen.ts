/**
 * Entries as a checkpoint holds them: what every node with the same records writes byte for byte, whatever the order in
 * which they came. SPEC.md, "Checkpoint". An entry is who wrote to it and what lives of it; the Yjs doc behind it follows
 * from that, and so do the tree and the sums.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { GrapevineError } from '../errors.js'
import { bytesOf, hexOf, malformed, type BodyRef, type SignedRecord } from '../wire/index.js'
import { byClient } from './by-client.js'
import { emptyEntry, type ClientRow, type EntryState, type Tuple } from './entry.js'
import {
  checkValue,
  CONTENT_ANY,
  decodeUpdate,
  encodeValue,
  TOMBSTONE,
  writeDeletes,
  writeItemHead,
  type DeleteRange,
  type Value
} from './update.js'
import { BODY, checkField, readBody } from './view.js'

const CHUNK_VERSION = 1
const CONTENT_DELETED = 1

/** One entry of a checkpoint. `id` 32 hex. */
export interface FrozenEntry {
  readonly id: string
  readonly state: EntryState
}

/** Gathers entries, in the order of their ids, into one piece of a checkpoint. */
export class ChunkWriter {
  #out = encoding.createEncoder()
  #entries = 0

  constructor() {
    encoding.writeVarUint(this.#out, CHUNK_VERSION)
  }

  get entries(): number {
    return this.#entries
  }

  /** Bytes so far. */
  get bytes(): number {
    return encoding.length(this.#out)
  }

  add(id: string, state: EntryState): void {
    writeEntry(this.#out, id, state)
    this.#entries += 1
  }

  /** The piece; the next one begins. */
  take(): Uint8Array {
    const bytes = encoding.toUint8Array(this.#out)
    this.#out = encoding.createEncoder()
    this.#entries = 0
    encoding.writeVarUint(this.#out, CHUNK_VERSION)
    return bytes
  }
}

function writeEntry(out: encoding.Encoder, id: string, state: EntryState): void {
  const clients = state.clients.toSorted((a, b) => a.client - b.client)
  const places = new Map(clients.map(({ client }, at) => [client, at]))
  encoding.writeUint8Array(out, bytesOf(id))
  encoding.writeVarUint(out, clients.length)
  for (const { client, clock, log } of clients) {
    encoding.writeVarUint(out, client)
    encoding.writeVarUint(out, clock)
    encoding.writeUint8Array(out, bytesOf(log))
  }
  const tuples = state.tuples.toSorted((a, b) => a.client - b.client || a.clock - b.clock)
  encoding.writeVarUint(out, tuples.length)
  for (const tuple of tuples) {
    encoding.writeVarUint(out, places.get(tuple.client)!)
    encoding.writeVarUint(out, tuple.clock)
    encoding.writeVarUint(out, tuple.seq)
    encoding.writeVarUint(out, tuple.time)
    encoding.writeVarString(out, tuple.field)
    encoding.writeUint8Array(out, encodeValue(tuple.value))
  }
}

/** The entries of one piece; throws `message-malformed`. Each is checked for shape, and made an entry of the fold. */
export function* readChunk(bytes: Uint8Array): Generator<FrozenEntry> {
  const input = decoding.createDecoder(bytes)
  try {
    if (decoding.readVarUint(input) !== CHUNK_VERSION) throw new Error('is of an unknown version')
    let last = ''
    while (decoding.hasContent(input)) {
      const entry = readEntry(input)
      if (entry.id <= last) throw new Error('holds entries out of order')
      last = entry.id
      yield entry
    }
  } catch (error) {
    throw malformed('is a piece of a checkpoint that cannot be read', error)
  }
}

function readEntry(input: decoding.Decoder): FrozenEntry {
  const id = hexOf(decoding.readUint8Array(input, 16))
  const clients: ClientRow[] = []
  for (let left = decoding.readVarUint(input); left > 0; left--) {
    const client = decoding.readVarUint(input)
    const clock = decoding.readVarUint(input)
    clients.push({ client, clock, log: hexOf(decoding.readUint8Array(input, 16)) })
  }
  const tuples: Tuple[] = []
  for (let left = decoding.readVarUint(input); left > 0; left--) tuples.push(readTuple(input, clients))
  return { id, state: { ...emptyEntry(), clients, tuples, doc: [frozenDoc({ clients, tuples })] } }
}

function readTuple(input: decoding.Decoder, clients: readonly ClientRow[]): Tuple {
  const owner = clients[decoding.readVarUint(input)]
  const clock = decoding.readVarUint(input)
  const seq = decoding.readVarUint(input)
  const time = decoding.readVarUint(input)
  const field = decoding.readVarString(input)
  const value = decoding.readAny(input) as Value
  if (owner === undefined || clock >= owner.clock) throw new Error('holds a value nobody wrote')
  checkValue(value, field === TOMBSTONE ? -1 : 0)
  checkField(field, value)
  return { client: owner.client, clock, log: owner.log, seq, time, field, value }
}

/**
 * The Yjs doc that holds these tuples, as one update: of each client one chain of items, in which what is gone is
 * deleted content. What its author writes next continues that chain.
 */
export function frozenDoc({ clients, tuples }: Pick<EntryState, 'clients' | 'tuples'>): Uint8Array {
  const out = encoding.createEncoder()
  const writers = clients.filter(({ clock }) => clock > 0).toSorted((a, b) => b.client - a.client)
  const gone: DeleteRange[] = []
  const live = byClient(tuples)
  encoding.writeVarUint(out, writers.length)
  for (const { client, clock: end } of writers) {
    const own = live.get(client) ?? []
    const runs = runsOf(
      own.toSorted((a, b) => a.clock - b.clock),
      end
    )
    encoding.writeVarUint(out, runs.length)
    encoding.writeVarUint(out, client)
    encoding.writeVarUint(out, 0)
    for (const run of runs) {
      writeRun(out, client, run)
      if (run.tuples === undefined) gone.push({ client, clock: run.from, length: run.to - run.from })
    }
  }
  writeDeletes(out, gone)
  return encoding.toUint8Array(out)
}

interface Run {
  readonly from: number
  readonly to: number
  /** Absent: deleted. */
  readonly tuples?: readonly Tuple[]
}

/** The clocks 0 to `end` as runs of what lives and what is gone. */
function runsOf(live: readonly Tuple[], end: number): Run[] {
  const runs: Run[] = []
  let at = 0
  for (let index = 0; index < live.length;) {
    const from = live[index]!.clock
    if (from > at) runs.push({ from: at, to: from })
    let to = index + 1
    while (to < live.length && live[to]!.clock === live[to - 1]!.clock + 1) to += 1
    runs.push({ from, to: from + to - index, tuples: live.slice(index, to) })
    at = from + to - index
    index = to
  }
  if (at < end) runs.push({ from: at, to: end })
  return runs
}

function writeRun(out: encoding.Encoder, client: number, { from, to, tuples }: Run): void {
  writeItemHead(out, tuples === undefined ? CONTENT_DELETED : CONTENT_ANY, client, from)
  encoding.writeVarUint(out, to - from)
  for (const { field, value, time, seq } of tuples ?? [])
    encoding.writeAny(out, [field, value, time, seq] as unknown as encoding.AnyEncodable)
}

/** Bodies an entry's live values name, and those that a deletion keeps for whoever brings it back. */
export function bodiesOf({ tuples }: { readonly tuples: ReadonlyArray<Pick<Tuple, 'field' | 'value'>> }): BodyRef[] {
  return tuples.flatMap(({ field, value }) => {
    if (field === BODY) return [readBody(value)]
    if (field !== TOMBSTONE) return []
    const kept = (value as Readonly<Record<string, Value>>)[BODY]
    return kept === undefined ? [] : [readBody(kept)]
  })
}

/** The same of what a record writes; an edit that cannot be read writes nothing. */
export function bodiesNamedBy({ body }: SignedRecord): BodyRef[] {
  return body.ops.flatMap((op) => {
    if (op.k !== 'edit') return []
    try {
      return bodiesOf({ tuples: decodeUpdate(op.update).tuples.map(([field, value]) => ({ field, value })) })
    } catch (error) {
      if (error instanceof GrapevineError) return []
      throw error
    }
  })
}

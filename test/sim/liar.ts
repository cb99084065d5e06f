/**
 * A member who lies, and one who forges: what its key may sign it signs, with claims no honest node makes. Every node
 * must take what is valid of it, reject the rest alike, and never hold what another author is said to have written.
 */
import { clientIdOf, encodeUpdate, type DeleteRange } from '../../src/catalog/index.js'
import { MEMBERS_SPACE, type KeyPair } from '../../src/identity/index.js'
import type { LogHead } from '../../src/log/index.js'
import { CATALOG_SPACE, type Replica } from '../../src/replica/index.js'
import { encodeGossip, hexOf, sealRecord, type Op, type RecordBody, type SignedRecord } from '../../src/wire/index.js'
import type { Always } from './always.js'
import type { SimNode } from './node.js'
import type { SeededRandom } from './random.js'
import { keysNamed } from './signatures.js'

const KINDS = ['good', 'blind', 'depth', 'client', 'clock', 'stamp', 'name', 'half'] as const
type Kind = (typeof KINDS)[number]

/** Valid though odd: deletions of what it never saw are ignored, not a reason to reject. */
const VALID: readonly Kind[] = ['good', 'blind']
/** What one gossip message holds with room to spare. */
const MAX_RECORDS = 20

interface Place {
  readonly log: string
  readonly seq: number
  readonly id: string
  readonly depth: number
}

export class Liar {
  readonly keys: KeyPair
  /** Records that must count for nothing on every node. */
  readonly invalid = new Set<string>()
  readonly #random: SeededRandom
  readonly #cluster: string
  readonly #stubborn: boolean
  #admitted: Place | undefined
  readonly #always: Always
  #records: SignedRecord[] = []
  /** How deep the newest record stands, whatever it says. */
  #depth = 0
  #epoch = 1
  #time = 1_750_000_000_000_000

  /** `stubborn`: it goes on after it was removed. */
  constructor(
    random: SeededRandom,
    cluster: string,
    always: Always,
    stubborn: boolean,
    keys: KeyPair = keysNamed('liar')
  ) {
    this.keys = keys
    this.#random = random
    this.#cluster = cluster
    this.#stubborn = stubborn
    this.#always = always
  }

  /** Adds a record to the liar's log and brings all of the log to a node. Returns what kind it was. */
  lie(node: SimNode, from: string): Kind | undefined {
    const admission = (this.#stubborn ? this.#admitted : undefined) ?? this.#admission(node.replica!)
    this.#admitted = admission
    if (admission === undefined || this.#records.length >= MAX_RECORDS) return undefined
    const kind = this.#random.pick(KINDS)
    const last = this.#records.at(-1)
    const deps = last === undefined ? [admission] : []
    this.#depth = 1 + (last === undefined ? admission.depth : this.#depth)
    const body: RecordBody = {
      cluster: this.#cluster,
      space: CATALOG_SPACE,
      author: this.keys.publicKey,
      epoch: this.#epoch.toString(16).padStart(16, '0'),
      seq: (last?.body.seq ?? 0) + 1,
      prev: last?.id ?? null,
      deps: deps.map(({ log, seq, id }) => ({ log, seq, id })),
      depth: this.#depth + (kind === 'depth' ? 1 : 0),
      time: (this.#time += 1_000),
      ops: []
    }
    const record = sealRecord({ ...body, ops: this.#ops(kind, body, node.replica!) }, (bytes) => this.keys.sign(bytes))
    this.#records.push(record)
    if (!VALID.includes(kind)) this.invalid.add(record.id)
    this.#bring(node, from, this.#records)
    return kind
  }

  /** The record of the members space on which the liar's right to write rests. */
  #admission({ log, members }: Replica): Place | undefined {
    const isOwn = ({ key }: { key: Uint8Array }): boolean => hexOf(key) === hexOf(this.keys.publicKey)
    const member = members.get(this.keys.publicKey) ?? (this.#stubborn ? members.removed().find(isOwn) : undefined)
    const row = member === undefined ? undefined : log.row(member.log, member.seq)
    return member === undefined || row === undefined || row.state !== 'applied'
      ? undefined
      : { log: member.log, seq: member.seq, id: row.id, depth: row.depth }
  }

  #ops(kind: Kind, body: RecordBody, replica: Replica): Op[] {
    const fresh = hexOf(this.#random.bytes(16))
    if (kind === 'blind') return this.#blindDeletion(body, replica)
    const entry = this.#edit(fresh, body, kind)
    return kind === 'half' ? [this.#edit(hexOf(this.#random.bytes(16)), body, 'good'), entry] : [entry]
  }

  /** A new directory at the root, or something that only looks like one. */
  #edit(entry: string, { author, epoch, time, seq }: RecordBody, kind: Kind): Op {
    const client = clientIdOf(author, epoch, entry)
    const name = kind === 'name' ? `a/${entry}` : `liar-${entry.slice(0, 6)}`
    const place = [new Uint8Array(16), name, null]
    return {
      k: 'edit',
      entry,
      update: encodeUpdate({
        client: kind === 'client' ? client + 1 : client,
        clock: kind === 'clock' || kind === 'half' ? 1 : 0,
        tuples: [['place', place, kind === 'stamp' ? time + 1 : time, seq]],
        deletes: []
      })
    }
  }

  /** Deletes values of others that it does not say it has seen. */
  #blindDeletion(body: RecordBody, { log, reader }: Replica): Op[] {
    const edits = [...log.logs()].flatMap((head) => editsOf(log, head))
    if (edits.length === 0) return []
    const entry = this.#random.pick(edits)
    const clients = new Set(reader.entry(entry)?.state.tuples.map((tuple) => tuple.client))
    const deletes = [...clients]
      .toSorted((a, b) => b - a)
      .map((client): DeleteRange => ({ client, clock: 0, length: 50 }))
    if (deletes.length === 0) return []
    return [
      {
        k: 'edit',
        entry,
        update: encodeUpdate({ client: clientIdOf(body.author, body.epoch, entry), clock: 0, tuples: [], deletes })
      }
    ]
  }

  /** Brings a node a record that some other author is said to have written next. */
  forge(node: SimNode, from: string): void {
    const { log } = node.replica!
    const others = [...log.logs()].filter(
      ({ space, author }) => space === CATALOG_SPACE && hexOf(author) !== hexOf(this.keys.publicKey)
    )
    if (others.length === 0) return
    const { author, epoch, seq, id, log: name } = this.#random.pick(others)
    this.#forged(node, from, { author, epoch, seq: seq + 1, prev: id, depth: log.row(name, seq)!.depth + 1 })
  }

  /** Brings a node the next record of the liar's own log, which follows on nothing. The liar goes on in another epoch. */
  breakChain(node: SimNode, from: string): void {
    const last = this.#records.at(-1)
    if (last === undefined) return
    const { author, epoch, seq } = last.body
    this.#forged(node, from, {
      author,
      epoch,
      seq: seq + 1,
      prev: hexOf(this.#random.bytes(32)),
      depth: this.#depth + 1
    })
    this.#records = []
    this.#epoch += 1
  }

  #forged(node: SimNode, from: string, place: Pick<RecordBody, 'author' | 'epoch' | 'seq' | 'prev' | 'depth'>): void {
    const body = { cluster: this.#cluster, space: CATALOG_SPACE, deps: [], time: (this.#time += 1_000), ops: [] }
    const record = sealRecord({ ...body, ...place }, (bytes) => this.keys.sign(bytes))
    this.#always.forged.add(record.id)
    this.#bring(node, from, [record])
  }

  #bring(node: SimNode, from: string, records: readonly SignedRecord[]): void {
    node.transport!.gossip(from, encodeGossip({ records: records.map((record) => record.bytes), heads: [] }))
  }
}

/** Entries the newest record of a log wrote to; none when the record does not read back. */
function editsOf(log: Replica['log'], { log: name, seq, space }: LogHead): string[] {
  const row = log.row(name, seq)
  if (space === MEMBERS_SPACE || row === undefined || !log.isSound(row)) return []
  return log.read(name, seq).body.ops.flatMap((op) => (op.k === 'edit' ? [op.entry] : []))
}

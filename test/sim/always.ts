/**
 * What must hold at every moment, of every living node:
 *
 * 1. It is not broken, unless its disk is or its home says why.
 * 2. What it acknowledged is there, and was on the platter when it was acknowledged.
 * 3. It holds of every log at least what it ever said it holds, on the platter.
 * 4. Nobody uses a place (author, epoch, seq) twice, and nobody takes in what nobody may have written.
 * 5. Nothing is gossiped by its author before it is on the platter.
 * 6. What is served is what is held, byte for byte.
 * 7. Nodes that hold the same records have the same root, now or at any other moment.
 * 8. What a node says of copies elsewhere was true of some other node.
 */
import assert from 'node:assert/strict'
import { frameBytes } from '../../src/log/frame.js'
import { segmentName } from '../../src/log/segment-files.js'
import type { Replica } from '../../src/replica/index.js'
import {
  bodyOf,
  decodeAnswer,
  decodeGossip,
  decodeRecord,
  decodeRequest,
  sha256,
  type SignedRecord
} from '../../src/wire/index.js'
import type { SimNode } from './node.js'

/** Why a node that is not broken may still refuse to write. */
const HELD_BACK = ['catching-up', 'identity-duplicated']

export class Always {
  readonly #nodes: () => readonly SimNode[]
  /** `log/seq` -> id of the one record that may stand there. */
  readonly #places = new Map<string, string>()
  /** What was held -> the root it came to. */
  readonly #roots = new Map<string, string>()
  /** The life in which a node's acknowledgements were looked through last. */
  readonly #looked = new Map<SimNode, number>()
  /** Ids of records that no honest node may ever hold. */
  readonly forged = new Set<string>()
  /** Every record that a node ever held, by its id: of what a checkpoint took the place of nobody has more. */
  readonly archive = new Map<string, SignedRecord>()

  constructor(nodes: () => readonly SimNode[]) {
    this.#nodes = nodes
  }

  checkAll(): void {
    for (const node of this.#nodes()) this.check(node)
    // after everybody has been seen: a node may have been told of a moment ago what the other holds since then
    for (const node of this.#nodes()) if (node.replica !== undefined) this.#checkCopies(node, node.replica)
  }

  check(node: SimNode): void {
    const { replica } = node
    if (replica === undefined) return
    checkNotBroken(node, replica)
    if (this.#looked.get(node) !== node.life) {
      this.#looked.set(node, node.life)
      checkAcknowledged(node, replica, this)
    }
    this.#checkHeld(node, replica)
    this.#checkPlaces(node, replica)
    this.#checkRoot(node, replica)
  }

  /** A record was acknowledged to a user this moment. */
  acknowledged(node: SimNode, { log, seq, id }: { log: string; seq: number; id: string }): void {
    assert.ok(isDurable(node, node.replica!, log, seq), `node ${node.index} acknowledged ${id}, which is not on disk`)
    this.#takePlace(node, log, seq, id)
  }

  /** A node published a frame of its own. */
  published(node: SimNode, frame: Uint8Array): void {
    if (node.replica === undefined) return
    for (const bytes of decodeGossip(frame).records) {
      const { id, log, body } = decodeRecord(bytes)
      if (node.wrote(body))
        assert.ok(
          isDurable(node, node.replica, log, body.seq),
          `node ${node.index} gossips its record ${id}, which is not on its disk`
        )
    }
  }

  /** A node answered a peer. */
  answered(node: SimNode, request: Uint8Array, answer: Uint8Array): void {
    const asked = decodeRequest(request)
    if (asked.t !== 'pull' || node.replica === undefined) return
    const { log } = node.replica
    decodeAnswer(answer, 'records').records.forEach((bytes, at) => {
      const id = log.row(asked.log, asked.from + at)?.id
      assert.equal(sha256(bodyOf(bytes)).toString('hex'), id, `node ${node.index} serves wrong bytes for record ${id}`)
    })
  }

  #checkHeld(node: SimNode, replica: Replica): void {
    const { held, rotten } = node.home
    for (const { log, seq } of replica.engine.vector()) {
      const before = held.get(log) ?? 0
      if (seq === before) continue
      assert.ok(rotten || seq > before, `node ${node.index} holds ${log} up to ${seq}, after it had said ${before}`)
      assert.ok(
        isDurable(node, replica, log, seq),
        `node ${node.index} says it holds ${log} up to ${seq}, which is not on its disk`
      )
      held.set(log, seq)
      node.ever.set(log, Math.max(seq, node.ever.get(log) ?? 0))
    }
    if (rotten) return
    for (const [log, seq] of held)
      assert.ok((replica.log.get(log)?.seq ?? 0) >= seq, `node ${node.index} no longer holds ${log} up to ${seq}`)
  }

  #checkPlaces(node: SimNode, replica: Replica): void {
    const { compared } = node.home
    for (const { log, seq } of replica.log.logs()) {
      for (let at = (compared.get(log) ?? 0) + 1; at <= seq; at++) {
        if (replica.log.isSettled(log, at)) continue
        this.#takePlace(node, log, at, replica.log.row(log, at)?.id ?? 'no record')
        this.#keep(node, replica, log, at)
      }
      compared.set(log, seq)
    }
  }

  #keep({ world, home }: SimNode, { log }: Replica, of: string, seq: number): void {
    const id = log.row(of, seq)?.id
    if (!world.checkpoints || home.rotten || id === undefined || this.archive.has(id)) return
    this.archive.set(id, log.read(of, seq))
  }

  /** Whether a checkpoint took the place of a record on this node. */
  isSettled(replica: Replica, id: string): boolean {
    const record = this.archive.get(id)
    return record !== undefined && replica.log.isSettled(record.log, record.body.seq)
  }

  #takePlace(node: SimNode, log: string, seq: number, id: string): void {
    assert.ok(!this.forged.has(id), `node ${node.index} took in ${id}, which its author never wrote`)
    const place = `${log}/${seq}`
    const other = this.#places.get(place)
    assert.ok(
      other === undefined || other === id,
      `${place} is used twice: node ${node.index} holds ${id}, not ${other}`
    )
    this.#places.set(place, id)
  }

  /** Records that no node holds are gone for good with an older copy: their places are free. */
  forgetLost(): void {
    for (const [place, id] of this.#places)
      if (this.#nodes().every(({ replica }) => replica!.log.find(id) === undefined)) this.#places.delete(place)
  }

  #checkRoot(node: SimNode, replica: Replica): void {
    if (replica.waiting > 0) return
    const held = [...replica.log.logs()]
      .map(({ log, seq, id }) => `${log}${seq}${id}`)
      .toSorted()
      .join(' ')
    const root = replica.catalog.root()
    const other = this.#roots.get(held)
    assert.ok(
      other === undefined || other === root,
      `node ${node.index} has root ${root} for records that made ${other} elsewhere or before`
    )
    this.#roots.set(held, root)
  }

  #checkCopies(node: SimNode, replica: Replica): void {
    for (const head of replica.log.logs()) {
      if (!node.wrote(head)) continue
      const { log } = head
      const copied = replica.engine.durable.replicated(log)
      const most = Math.max(0, ...this.#nodes().map((other) => (other === node ? 0 : (other.ever.get(log) ?? 0))))
      assert.ok(copied <= most, `node ${node.index} says ${log} is elsewhere up to ${copied}, where only ${most} is`)
    }
  }
}

function checkNotBroken(node: SimNode, replica: Replica): void {
  if (node.failing) return
  // a record that ran into a fault is held, and the node goes on: here every fault is to be seen
  for (const { id, reason } of replica.quarantine.list())
    assert.fail(`node ${node.index} holds record ${id}: ${reason}`)
  for (const failure of replica.failures)
    assert.ok(HELD_BACK.includes(failure.code), `node ${node.index} failed: ${failure.code}: ${failure.message}`)
}

/** Bytes that rot are looked for in the end, when they were fetched again. */
export function checkAcknowledged(node: SimNode, replica: Replica, always: Always): void {
  if (node.home.rotten) return
  for (const record of node.home.acknowledged)
    assert.ok(
      replica.log.find(record) !== undefined || always.isSettled(replica, record),
      `node ${node.index} lost ${record}, which it had acknowledged`
    )
}

function isDurable({ home }: SimNode, { log }: Replica, of: string, seq: number): boolean {
  const at = log.row(of, seq)?.at
  if (log.isSettled(of, seq)) return true
  return at !== undefined && home.disk.isDurable(segmentName(at.segment), at.offset, at.offset + frameBytes(at.length))
}

/** Members removed from the cluster, and what of their work counts no more. */
import { decodeUpdate, PLACE, readPlace, ROOT_ID } from '../catalog/index.js'
import type { RemovalView, SalvageLine } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import { nodeIdOf, type Member } from '../identity/index.js'
import { removalOf, type Replica } from '../replica/index.js'
import { bodyRefOf, hexOf, type BodyRef, type SignedRecord } from '../wire/index.js'
import { checkAdmin } from './admin.js'
import { historyOf } from './history.js'
import type { Home } from './home.js'

/**
 * Removes a member. What this node holds of it counts on; with `since` nothing from that seq of its newest log on. Throws
 * `role-forbids`, `not-found`, `usage`.
 */
export async function removeMember(replica: Replica, home: Home, node: string, since?: number): Promise<RemovalView> {
  checkAdmin(replica, home, 'removing members is')
  const member = memberOf(replica, node)
  if (node === home.node)
    throw new GrapevineError('usage', 'a node does not remove itself', { next: 'run this on another admin node' })
  const removal = removalOf(replica.log, member.key, since, replica.members.heirsOf(member.key))
  await replica.writeMembers(() => [removal])
  return {
    node,
    name: member.name,
    role: member.role,
    cuts: removal.cuts.map(({ log, seq }) => ({ log, seq })),
    voided: [...replica.removals.voids].filter(({ author }) => author === hexOf(member.key)).length
  }
}

/** A member, or one that was removed before: another removal may cut more. */
function memberOf({ members }: Replica, node: string): Member {
  const found = [...members.list(), ...members.removed()].find(({ key }) => nodeIdOf(key) === node)
  if (found !== undefined) return found
  throw new GrapevineError('not-found', `no member has the node id ${node}`, { next: 'see "grapevine peers"' })
}

/** What removed members wrote that counts nowhere, oldest first: for people to look through and take over. */
export function* salvageOf(replica: Replica): Generator<SalvageLine> {
  const records = [...replica.removals.voids]
    .map(({ log, seq, entries }) => ({ record: replica.log.read(log, seq), entries }))
    .toSorted((a, b) => a.record.body.time - b.record.body.time || (a.record.id < b.record.id ? -1 : 1))
  const places = placesIn(records.map(({ record }) => record))
  for (const { record, entries } of records)
    for (const id of entries)
      for (const line of historyOf(record, id)) yield { ...line, id, path: pathOf(replica, places, id) }
}

interface Place {
  readonly parent: string
  readonly name: string
}

/** Where void records put entries, the last word of each: what they made is in no listing. */
function placesIn(records: readonly SignedRecord[]): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const { body } of records)
    for (const op of body.ops) {
      if (op.k !== 'edit') continue
      for (const [field, value] of decodeUpdate(op.update).tuples)
        if (field === PLACE) places.set(op.entry, readPlace(value))
    }
  return places
}

function pathOf(replica: Replica, places: ReadonlyMap<string, Place>, id: string): string {
  const seen = new Set<string>()
  const names: string[] = []
  for (let at = id; at !== ROOT_ID && !seen.has(at);) {
    seen.add(at)
    const shown = replica.reader.pathOf(at)
    const place = places.get(at)
    if (shown !== undefined || place === undefined) return [shown ?? at, ...names].join('/')
    names.unshift(place.name)
    at = place.parent
  }
  return names.join('/')
}

/** A body that a void record holds or names. Throws `not-found`. */
export function salvagedBody(replica: Replica, id: string, hash: string): BodyRef {
  const found = replica.log.find(id)
  const isVoid = found !== undefined && replica.removals.voids.has(found)
  const record = isVoid ? replica.log.read(found.log, found.seq) : undefined
  for (const op of record?.body.ops ?? []) {
    if (op.k === 'body' && bodyRefOf(op.bytes).hash === hash) return bodyRefOf(op.bytes)
    if (op.k !== 'edit') continue
    for (const line of historyOf(record!, op.entry)) if (line.hash === hash) return { hash, size: line.size! }
  }
  throw new GrapevineError('not-found', `nothing to be salvaged has this record and this hash`, {
    next: 'see "grapevine salvage --json"'
  })
}

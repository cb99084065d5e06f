/**
 * What whoever joins or returns must hold of the members space, in pages. First everything its own admission builds on,
 * then what the other records that count build on; a rejected record only when one of these does. Whatever a hostile member
 * writes there stands behind, or comes with what was built on it, and a longer history is asked for on and on.
 */
import type { Knows } from '../identity/index.js'
import { MEMBERS_SPACE, type Replica } from '../replica/index.js'
import { decodeJoinAnswer, MAX_JOIN_RECORDS, type JoinAnswer } from '../wire/index.js'

/** Bytes of records in one page, with the last: half of what an answer may have. */
export const MAX_JOIN_PAGE_BYTES = 16 * 1024 * 1024
/** Pages one asks for: 65,536 records; the rest comes by sync. */
export const MAX_JOIN_PAGES = 16

interface At {
  readonly log: string
  readonly seq: number
  readonly depth: number
}

/** The page behind the first `had` records. */
export function pageOf(replica: Replica, key: Uint8Array, had: number): JoinAnswer {
  const { log } = replica
  const all = historyFor(replica, key)
  const records: Uint8Array[] = []
  let bytes = 0
  for (const { log: id, seq } of all.slice(had, had + MAX_JOIN_RECORDS)) {
    if (bytes >= MAX_JOIN_PAGE_BYTES) break
    const next = log.readBytes(log.row(id, seq)!)
    bytes += next.length
    records.push(next)
  }
  return had + records.length < all.length ? { records, total: all.length } : { records }
}

/** Asks for page after page; `had` is how many records came with those before. */
export async function allPages(ask: (had: number) => Promise<Uint8Array>): Promise<readonly Uint8Array[]> {
  const records: Uint8Array[] = []
  for (let page = 0; page < MAX_JOIN_PAGES; page++) {
    const answer = decodeJoinAnswer(await ask(records.length))
    records.push(...answer.records)
    if (answer.records.length === 0 || records.length >= (answer.total ?? 0)) break
  }
  return records
}

/** The records in an order in which each may be applied; what admits `key` does not move when others are written. */
function historyFor(replica: Replica, key: Uint8Array): At[] {
  const member = replica.members.get(key)
  const admission = member === undefined ? [] : upTo(replica, [member])
  const own = new Map(admission.map(({ log, seq }) => [log, seq]))
  return [...admission, ...upTo(replica, tips(replica)).filter(({ log, seq }) => seq > (own.get(log) ?? 0))]
}

/** The last record of each log that is not rejected. */
function tips({ log }: Replica): Array<Pick<At, 'log' | 'seq'>> {
  return [...log.logs()].flatMap((head) => {
    if (head.space !== MEMBERS_SPACE) return []
    for (let seq = head.applied; seq > 0; seq--)
      if (log.row(head.log, seq)!.state !== 'rejected') return [{ log: head.log, seq }]
    return []
  })
}

/** These and all they build on, by depth. */
function upTo({ log }: Replica, last: ReadonlyArray<Pick<At, 'log' | 'seq'>>): At[] {
  const pasts = last.map((tip) => ({ ...tip, knows: log.knowledgeOf(tip.log, tip.seq) }))
  const knows: Knows = (id, seq) => pasts.some((tip) => (tip.log === id && tip.seq === seq) || tip.knows(id, seq))
  const found: At[] = []
  for (const head of log.logs()) {
    if (head.space !== MEMBERS_SPACE) continue
    for (let seq = 1; seq <= head.applied && knows(head.log, seq); seq++)
      found.push({ log: head.log, seq, depth: log.row(head.log, seq)!.depth })
  }
  return found.toSorted((a, b) => a.depth - b.depth || (a.log < b.log ? -1 : a.log > b.log ? 1 : a.seq - b.seq))
}

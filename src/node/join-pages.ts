/**
 * What whoever joins or returns must hold of the members space, in pages. First everything its own admission builds on,
 * then what the other records that count build on; a rejected record only when one of these does. Whatever a hostile member
 * writes there stands behind, or comes with what was built on it, and a longer history is asked for on and on.
 */
import type { Knows } from '../identity/index.js'
import { MEMBERS_SPACE, type Replica } from '../replica/index.js'
import { systemClock } from '../runtime-node.js'
import type { Clock } from '../runtime.js'
import { Bucket } from '../share.js'
import { decodeJoinAnswer, MAX_JOIN_RECORDS, type JoinAnswer } from '../wire/index.js'

/** Bytes of records in one page, with the last: half of what an answer may have. */
export const MAX_JOIN_PAGE_BYTES = 16 * 1024 * 1024
/** Pages one asks for in all: four million records; the rest comes by sync. */
export const MAX_JOIN_PAGES = 1_024
/** Pages in a row that one asks for though they tell nothing new: who is asked may tell the same without end. */
export const MAX_KNOWN_PAGES = 16
/** Each page is a connection of its own: half of what the door allows one key, so that the node can connect as well. */
export const PAGES_ASKED = { burst: 15, perSecond: 0.5 } as const

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

/** Records of the members space, page after page as they are asked for. */
export type Pages = AsyncGenerator<JoinAnswer, void>

/** Asks for page after page as they are wanted; `had` is how many records came with those before. */
export async function* pagesOf(
  ask: (had: number) => Promise<Uint8Array>,
  clock: Pick<Clock, 'monotonic' | 'timer'> = systemClock
): Pages {
  const turns = new Bucket(clock, PAGES_ASKED)
  let had = 0
  for (let page = 0; page < MAX_JOIN_PAGES; page++) {
    for (let ms = turns.debtMs(); ms > 0; ms = turns.debtMs())
      await new Promise<void>((resolve) => clock.timer(ms, resolve))
    turns.take(1)
    const answer = decodeJoinAnswer(await ask(had))
    const { records, total = 0 } = answer
    if (records.length === 0) return
    had += records.length
    yield answer
    if (had >= total) return
  }
}

/**
 * Takes in page after page before the next is asked for, so that no more than one is held at once. Resolves with whether
 * there was something new among them, and why there were no more when asking failed.
 */
export async function takePages(
  pages: Pages,
  take: (records: readonly Uint8Array[]) => Promise<boolean>
): Promise<{ news: boolean; failed?: Error }> {
  let news = false
  for (let known = 0; known < MAX_KNOWN_PAGES; known++) {
    let page: Awaited<ReturnType<Pages['next']>>
    try {
      page = await pages.next()
    } catch (failed) {
      return { news, failed: failed instanceof Error ? failed : new Error(String(failed)) }
    }
    if (page.done === true) break
    if (!(await take(page.value.records))) continue
    news = true
    known = -1
  }
  return { news }
}

/** Takes a page in; resolves with whether there was anything new in it. */
export async function learns(replica: Replica, from: string, records: readonly Uint8Array[]): Promise<boolean> {
  const before = JSON.stringify(replica.heads(MEMBERS_SPACE))
  await replica.takeIn(from, records)
  return JSON.stringify(replica.heads(MEMBERS_SPACE)) !== before
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

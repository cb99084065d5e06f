/** The values of an entry as people and programs see them. */
import { winnerOf, type Tuple } from '../catalog/index.js'
import type { TupleView } from '../control/target.js'
import { isoTime, type Replica } from '../replica/index.js'
import { plain } from './record-lines.js'

/** Every value, with whether it wins its field; costs what the entry holds, however many wrote to it. */
export function tupleViews(
  tuples: readonly Tuple[],
  replica: Pick<Replica, 'log' | 'authorOf'>,
  authorName: (log: string) => string
): TupleView[] {
  const fields = new Map<string, Tuple[]>()
  for (const tuple of tuples) {
    const same = fields.get(tuple.field)
    if (same === undefined) fields.set(tuple.field, [tuple])
    else same.push(tuple)
  }
  const winners = new Set([...fields.values()].map((same) => winnerOf(same, (log) => replica.authorOf(log))))
  return tuples.map((tuple) => ({
    field: tuple.field,
    value: plain(tuple.value),
    time: isoTime(tuple.time),
    author: authorName(tuple.log),
    dot: { log: tuple.log, epoch: replica.log.get(tuple.log)?.epoch ?? '', seq: tuple.seq },
    wins: winners.has(tuple)
  }))
}

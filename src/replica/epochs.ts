/** Which of its own epochs a node goes on with, told from the records alone: no clock, no note that could be lost. */
import type { RecordLog } from '../log/index.js'

/**
 * The epoch under which `author` wrote last, or undefined when that is not certain. An epoch begins knowing the ones
 * before it, so one that another epoch of the same author knows is over; so is one with a frozen log, in both spaces.
 */
export function epochToContinue(log: RecordLog, author: Uint8Array): string | undefined {
  const own = [...log.logs()].filter((head) => Buffer.compare(head.author, author) === 0)
  const over = new Set(own.filter((head) => head.frozen).map((head) => head.epoch))
  for (const head of own)
    for (const other of own) if (other.epoch !== head.epoch && head.knowledge.has(other.log)) over.add(other.epoch)
  const open = new Set(own.map((head) => head.epoch).filter((epoch) => !over.has(epoch)))
  return open.size === 1 ? [...open][0] : undefined
}

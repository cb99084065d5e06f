/**
 * Finds contents that nothing here can come to need any more: no entry as the floor has it, no record that is kept, and so no
 * entry as it stands, no checkpoint in force or vouched for, and no offer names them.
 */
import { GrapevineError } from '../../errors.js'
import type { RecordLog } from '../../log/index.js'
import type { Turns } from '../turns.js'
import { Named, type NamedDeps } from './named.js'

export interface CollectDeps extends NamedDeps {
  readonly log: RecordLog
  readonly turns: Pick<Turns, 'take'>
}

/** Contents let go in one turn: writers wait no longer than deleting these files takes. */
export const COLLECTED_A_TURN = 16

/**
 * Hands over of these hashes those that nothing names, in this node's turns. `own`: what checkpoints consist of, asked again
 * at the end. Nothing may put another checkpoint in force meanwhile. Throws as `Named`.
 */
export async function collect(
  candidates: Set<string>,
  letGo: (hash: string) => Promise<void>,
  own: () => Iterable<string>,
  deps: CollectDeps
): Promise<void> {
  const keepOwn = (): void => {
    for (const hash of own()) candidates.delete(hash)
  }
  if (deps.log.holes().length > 0)
    throw new GrapevineError('store-damaged', 'records lie behind a hole of a log', { next: 'see "grapevine scrub"' })
  keepOwn()
  const named = new Named((hash) => candidates.delete(hash), deps)
  if (candidates.size > 0) await named.all()
  while (candidates.size > 0)
    await deps.turns.take(async () => {
      // what came while all of it was looked at
      await named.records()
      keepOwn()
      for (const hash of [...candidates].slice(0, COLLECTED_A_TURN)) {
        candidates.delete(hash)
        await letGo(hash)
      }
    })
}

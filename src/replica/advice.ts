/** What goes along with digests: it is advice, and decides nothing. */
import type { Clock } from '../runtime.js'
import type { Beside, SyncNotice } from '../wire/index.js'

/** Digests tell what our clock says, see `Clocks`, and what runs beside us, see `Systems`. */
export function withAdvice(message: SyncNotice, clock: Pick<Clock, 'now'>, beside: Beside | undefined): SyncNotice {
  if (message.t !== 'digest') return message
  return { ...message, clock: Math.max(0, Math.floor(clock.now())), ...(beside && { beside }) }
}

/**
 * How a node begins another life (see life.ts): it first asks its peers what it wrote in the one before, then begins an
 * epoch nobody has used, then writes again what the life before wrote and nobody else has. Nothing is written before.
 */
import { GrapevineError, reasonOf } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger } from '../runtime.js'
import { lifeBegan, type NewLife } from './life.js'
import { reissue } from './reissue.js'

export interface BeginningDeps {
  readonly home: string
  readonly replica: Replica
  readonly clock: Clock
  readonly logger: Logger
  /** Members besides this node. */
  others(): number
  /** Whether the node is being stopped. */
  ending(): boolean
}

const HOLD = 'new-life'
/** How long the peers are waited for, ms. Without them nothing is reused either; only what they hold may conflict. */
const ASK_PEERS_MS = 15_000
const POLL_MS = 50
/** How long after a failure (a full disk) it is tried again, ms. */
const RETRY_MS = 2_000

/** Until `begin` is done the node is read-only. */
export function holdUntilBegun(replica: Replica, why: NewLife): void {
  const what = {
    restored: 'restored from a backup',
    copied: 'copied',
    reidentified: 'given another identity',
    'log-shortened': 'left with a log that is older than its index',
    'left-behind': 'away until a checkpoint took the place of what it built on'
  }[why]
  replica.hold(
    HOLD,
    new GrapevineError('catching-up', `this home was ${what}; the node first asks its peers what it wrote before`, {
      next: 'wait a few seconds'
    })
  )
}

/** Resolves when the node may write. */
export async function begin(deps: BeginningDeps, why: NewLife | undefined): Promise<void> {
  const { replica, clock, logger, home } = deps
  if (why === undefined) return lifeBegan(home)
  logger.warn('This home begins another life; the node writes under an epoch of its own.', { why })
  await askPeers(deps)
  for (let done = false; !done && !deps.ending();) {
    try {
      await replica.openEpoch().catch(unlessReader)
      replica.release(HOLD)
      await reissue(home, replica, logger)
      await lifeBegan(home, replica.epoch)
      done = true
    } catch (error) {
      logger.warn('The new life could not begin yet; it is tried again.', { reason: reasonOf(error) })
      await wait(clock, RETRY_MS)
    }
  }
}

async function askPeers({ replica, clock, others, ending }: BeginningDeps): Promise<void> {
  const deadline = clock.monotonic() + ASK_PEERS_MS
  while (others() > 0 && !replica.inSyncWithSomebody() && clock.monotonic() < deadline && !ending())
    await wait(clock, POLL_MS)
}

/** A node that may not write has no epoch to begin. */
function unlessReader(error: unknown): void {
  if (!(error instanceof GrapevineError) || error.code !== 'role-forbids') throw error
}

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.timer(ms, resolve))
}

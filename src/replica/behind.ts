/**
 * What a newcomer must have applied before it writes: what its issuer had when it let it in. Whoever vouched for a
 * checkpoint before that does not wait for the newcomer's word; a record of it that knows no more than its admission
 * would build on nothing that the checkpoint covers, and whoever takes that checkpoint over later could not judge it.
 */
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE } from '../identity/index.js'
import type { RecordLog } from '../log/index.js'
import type { Clock } from '../runtime.js'
import type { VectorEntry } from '../wire/index.js'

export interface BehindDeps {
  readonly log: Pick<RecordLog, 'get'>
  readonly clock: Pick<Clock, 'timer'>
  /** Ends writing, or says again why it has ended. */
  hold(error: GrapevineError): void
  release(): void
}

/** How long a change waits, ms, before it is refused: most newcomers have everything within seconds. */
export const MAX_WAIT_MS = 30_000
/** Changes that wait at once: each keeps what it writes in memory. Further ones are refused at once. */
export const MAX_WAITING_CHANGES = 1_000

export class Behind {
  readonly #deps: BehindDeps
  #missing: readonly VectorEntry[] = []
  #caughtUp: () => void = () => undefined
  /** Each lets one change go on. */
  readonly #waiting = new Set<() => void>()

  constructor(deps: BehindDeps) {
    this.#deps = deps
  }

  /** Nothing is written until each of these logs is applied so far, or a checkpoint that covers it is in its place. */
  expect(held: readonly VectorEntry[], caughtUp: () => void): void {
    this.#missing = held
    this.#caughtUp = caughtUp
    this.#judge()
  }

  /** Resolves when a change may be tried, in the order of the calls; undefined: at once. */
  wait(): Promise<void> | undefined {
    if (this.#missing.length === 0 || this.#waiting.size >= MAX_WAITING_CHANGES) return undefined
    return new Promise((resolve) => {
      const go = (): void => {
        cancel()
        this.#waiting.delete(go)
        resolve()
      }
      const cancel = this.#deps.clock.timer(MAX_WAIT_MS, go)
      this.#waiting.add(go)
    })
  }

  /** Lets all that wait go on: to be written, or to hear why not. */
  stop(): void {
    for (const go of this.#waiting) go()
  }

  /** Records were applied. */
  applied(): void {
    if (this.#missing.length > 0) this.#judge()
  }

  #judge(): void {
    const { log, hold, release } = this.#deps
    this.#missing = this.#missing.filter((each) => (log.get(each.log)?.applied ?? 0) < each.seq)
    if (this.#missing.length > 0) return hold(stillBehind(this.#missing.length))
    release()
    this.stop()
    this.#caughtUp()
  }
}

/** How far each log of the catalog is applied: what whoever is let in now must have before it writes. */
export function appliedOf(log: Pick<RecordLog, 'logs' | 'row'>): VectorEntry[] {
  return [...log.logs()].flatMap(({ log: of, space, applied }) =>
    space === MEMBERS_SPACE || applied === 0
      ? []
      : [{ log: of, seq: applied, head: log.row(of, applied)!.id.slice(0, 16) }]
  )
}

function stillBehind(logs: number): GrapevineError {
  return new GrapevineError(
    'catching-up',
    `this node does not have yet what the node that invited it had then: of ${logs} ${logs === 1 ? 'log' : 'logs'} more is to come; its changes wait`,
    {
      next: 'wait a moment, and see that it reaches the others; when the node that invited it is gone for good, join again with an invitation of another',
      facts: { logs }
    }
  )
}

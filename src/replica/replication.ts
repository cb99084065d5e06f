/** Waits until records are durable on other nodes too: the second level of acknowledgement. */
import { GrapevineError } from '../errors.js'
import type { LogHead } from '../log/index.js'
import type { Clock } from '../runtime.js'
import type { SyncEngine } from '../sync/index.js'
import { hexOf } from '../wire/index.js'

export interface ReplicationDeps {
  readonly engine: Pick<SyncEngine, 'durable'>
  readonly clock: Clock
}

interface Waiter {
  readonly log: string
  readonly seq: number
  readonly copies: number
  done(): void
  fail(error: GrapevineError): void
}

export class Replication {
  readonly #deps: ReplicationDeps
  readonly #waiters = new Set<Waiter>()

  constructor(deps: ReplicationDeps) {
    this.#deps = deps
  }

  /** Records of one author's logs that no other node is known to hold durably. */
  lacking(logs: Iterable<LogHead>, author: Uint8Array): number {
    let count = 0
    for (const head of logs)
      if (hexOf(head.author) === hexOf(author))
        count += Math.max(0, head.seq - this.#deps.engine.durable.replicated(head.log))
    return count
  }

  /**
   * Resolves with the number of other nodes that hold (log, seq) durably once it reaches `copies`; throws
   * `not-replicated` after `timeoutMs`. The record itself is kept either way.
   */
  wait(record: { log: string; seq: number }, copies: number, timeoutMs: number): Promise<number> {
    const { engine, clock } = this.#deps
    const { log, seq } = record
    return new Promise((resolve, reject) => {
      const finish = (end: () => void): void => {
        this.#waiters.delete(waiter)
        cancel()
        end()
      }
      const waiter: Waiter = {
        log,
        seq,
        copies,
        done: () => finish(() => resolve(engine.durable.replicas(log, seq))),
        fail: (error) => finish(() => reject(error))
      }
      const cancel = clock.timer(timeoutMs, () => waiter.fail(notReplicated(engine.durable.replicas(log, seq), copies)))
      this.#waiters.add(waiter)
      this.changed()
    })
  }

  /** Some node said what it holds. */
  changed(): void {
    for (const waiter of this.#waiters)
      if (this.#deps.engine.durable.replicas(waiter.log, waiter.seq) >= waiter.copies) waiter.done()
  }

  stop(): void {
    for (const waiter of this.#waiters)
      waiter.fail(
        new GrapevineError('stopped', 'the node is stopping', {
          next: 'the change is kept; it is passed on after the next start'
        })
      )
  }
}

function notReplicated(have: number, wanted: number): GrapevineError {
  return new GrapevineError(
    'not-replicated',
    `the change is kept on this node, but only ${have} of ${wanted} other nodes confirmed it in time`,
    {
      next: 'it is passed on as soon as nodes are connected; see "grapevine peers"',
      facts: { replicas: have, wanted }
    }
  )
}

/** Takes out of a set of bodies, by their hashes, those that something still names. */
import { bodiesNamedBy, bodiesOf } from '../../catalog/index.js'
import type { RecordLog } from '../../log/index.js'
import type { Clock } from '../../runtime.js'
import type { SignedRecord } from '../../wire/index.js'
import { Breath } from '../breath.js'

export interface NamedDeps {
  readonly log: Pick<RecordLog, 'logs' | 'read' | 'twins'>
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
}

export class Named {
  readonly #deps: NamedDeps
  readonly #candidates: Set<string>
  readonly #breath: Breath
  /** Of each log, how far its records were looked at. */
  readonly #seen = new Map<string, number>()

  constructor(candidates: Set<string>, deps: NamedDeps) {
    this.#candidates = candidates
    this.#deps = deps
    this.#breath = new Breath(deps.clock)
  }

  /** What an entry names, with what a deletion of it keeps. */
  state(state: Parameters<typeof bodiesOf>[0]): void {
    for (const { hash } of bodiesOf(state)) this.#candidates.delete(hash)
  }

  /**
   * What records name that are still there, applied or not: those that came since the last call, all of them with the first.
   * Throws `store-damaged`.
   */
  async records(): Promise<void> {
    const { log } = this.#deps
    for (const head of [...log.logs()]) {
      if (head.space !== 'catalog') continue
      for (let seq = (this.#seen.get(head.log) ?? head.floor) + 1; seq <= head.seq; seq++) {
        this.#record(log.read(head.log, seq))
        this.#seen.set(head.log, seq)
        await this.#breath.draw()
      }
      for (const twin of log.twins(head.log)) this.#record(twin)
    }
  }

  #record(record: SignedRecord): void {
    for (const { hash } of bodiesNamedBy(record)) this.#candidates.delete(hash)
  }
}

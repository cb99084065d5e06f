/** Which bodies something still names. */
import { bodiesNamedBy, bodiesOf, readChunk } from '../../catalog/index.js'
import type { RecordLog } from '../../log/index.js'
import type { Clock } from '../../runtime.js'
import type { SignedRecord } from '../../wire/index.js'
import { Breath } from '../breath.js'
import { refOf, type Base } from './base.js'
import type { Contents } from './contents.js'

export interface NamedDeps {
  readonly log: Pick<RecordLog, 'logs' | 'read' | 'twins'>
  readonly base: Pick<Base, 'floor'>
  readonly contents: Contents
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
}

export class Named {
  readonly #deps: NamedDeps
  readonly #told: (hash: string) => void
  readonly #breath: Breath
  /** Of each log, how far its records were looked at. */
  readonly #seen = new Map<string, number>()

  /** `told` hears the hash of each, of some more than once. */
  constructor(told: (hash: string) => void, deps: NamedDeps) {
    this.#told = told
    this.#deps = deps
    this.#breath = new Breath(deps.clock)
  }

  /**
   * What stands and what may stand again: every value of an entry is in the floor or in a record behind it, and a removal
   * takes entries back to there. Throws `store-damaged`, `blob-missing`, `blob-damaged`: as long as something kept cannot be
   * read, nobody knows what it names.
   */
  async all(): Promise<void> {
    const { base, contents } = this.#deps
    for (const chunk of base.floor?.chunks ?? [])
      for (const { state } of readChunk(await contents.get(refOf(chunk)))) {
        for (const { hash } of bodiesOf(state)) this.#told(hash)
        await this.#breath.draw()
      }
    await this.records()
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
    for (const { hash } of bodiesNamedBy(record)) this.#told(hash)
  }
}

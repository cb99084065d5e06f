/**
 * Lets go what a checkpoint took the place of: the rows of its records, bodies that nothing names any more, and the
 * segments. Each step may be interrupted and begun again; none of it is needed for anything, so it takes its time.
 */
import { bodyKey, HISTORY_ROWS, historyPlace } from '../../catalog/index.js'
import { dropSettled, settledKeys, type RecordLog, type SegmentLog } from '../../log/index.js'
import { prefixRange, type Overlay, type Store } from '../../store/index.js'
import type { Turns } from '../turns.js'
import { HashSet } from './hash-set.js'
import { Named, type NamedDeps } from './named.js'

export interface PruneDeps extends NamedDeps {
  readonly log: RecordLog
  readonly segments: SegmentLog
  readonly rows: Overlay
  readonly store: Store
  readonly turns: Turns
}

/** Rows changed in one turn: writers wait no longer than that takes. */
const ROWS_A_TURN = 500

export class Pruner {
  readonly #deps: PruneDeps

  constructor(deps: PruneDeps) {
    this.#deps = deps
  }

  async run(): Promise<{ rows: number; bodies: number; segments: number }> {
    const rows = (await this.#records()) + (await this.#history())
    const segments = await this.#segments()
    // last: it takes everything that is kept to be read
    return { rows, segments, bodies: await this.#bodies() }
  }

  /** Deletes rows as they are named, a few a turn. */
  async #delete(keys: AsyncIterable<string> | Iterable<string>): Promise<number> {
    const { turns, rows } = this.#deps
    let deleted = 0
    let some: string[] = []
    const flush = async (): Promise<void> => {
      if (some.length === 0) return
      await turns.take(async () => {
        for (const key of some) rows.delete(key)
        await rows.flush()
      })
      deleted += some.length
      some = []
    }
    for await (const key of keys) {
      some.push(key)
      if (some.length >= ROWS_A_TURN) await flush()
    }
    await flush()
    return deleted
  }

  async #records(): Promise<number> {
    const { log, store, rows } = this.#deps
    await rows.flush()
    let deleted = 0
    for (const head of [...log.logs()])
      if (head.floor > 0) deleted += await this.#delete(settledKeys(store, log, head.log))
    return deleted
  }

  async #history(): Promise<number> {
    const { log, store, rows } = this.#deps
    await rows.flush()
    async function* settled(): AsyncGenerator<string> {
      for await (const [key] of store.iterate(prefixRange(HISTORY_ROWS))) {
        const place = historyPlace(key)
        if (place !== undefined && log.isSettled(place.log, place.seq)) yield key
      }
    }
    return this.#delete(settled())
  }

  /** Small bodies that neither an entry of the floor names, nor a record that is still there: see Named. */
  async #bodies(): Promise<number> {
    const { turns, rows, store } = this.#deps
    const hashes = new HashSet()
    const named = new Named((hash) => hashes.add(hash), this.#deps)
    await named.all()
    await rows.flush()
    let deleted = 0
    for await (const some of inParts(store.iterate(prefixRange(bodyKey(''))), ROWS_A_TURN))
      await turns.take(async () => {
        // what was written meanwhile may name any of them
        await named.records()
        const unnamed = some.filter((key) => !hashes.has(key.slice(bodyKey('').length)))
        for (const key of unnamed) rows.delete(key)
        if (unnamed.length > 0) await rows.flush()
        deleted += unnamed.length
      })
    return deleted
  }

  #segments(): Promise<number> {
    const { log, segments, store, turns, rows } = this.#deps
    return dropSettled({
      log,
      segments,
      store,
      take: (work) => turns.take(work),
      flush: () => rows.flush({ durable: true })
    })
  }
}

/** Keys of rows, so many at a time. */
async function* inParts(all: AsyncIterable<[string, Uint8Array]>, size: number): AsyncGenerator<string[]> {
  let part: string[] = []
  for await (const [key] of all) {
    part.push(key)
    if (part.length < size) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}

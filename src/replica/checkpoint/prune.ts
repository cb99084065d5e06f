/**
 * Lets go what a checkpoint took the place of: the rows of its records, bodies that nothing names any more, and the
 * segments. Each step may be interrupted and begun again; none of it is needed for anything, so it takes its time.
 */
import { bodyKey, HISTORY_ROWS, historyPlace, type Catalog, type CatalogReader } from '../../catalog/index.js'
import { dropSettled, settledKeys, type RecordLog, type SegmentLog } from '../../log/index.js'
import type { Clock } from '../../runtime.js'
import { prefixRange, type Overlay, type Store } from '../../store/index.js'
import { Breath } from '../breath.js'
import type { Turns } from '../turns.js'
import { Named } from './named.js'

export interface PruneDeps {
  readonly log: RecordLog
  readonly segments: SegmentLog
  readonly catalog: Catalog
  readonly reader: CatalogReader
  readonly rows: Overlay
  readonly store: Store
  readonly turns: Turns
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
}

/** Rows changed in one turn: writers wait no longer than that takes. */
const ROWS_A_TURN = 500
/** Bodies looked for in one pass over the entries: bounds memory. */
const BODIES_A_PASS = 100_000

export class Pruner {
  readonly #deps: PruneDeps

  constructor(deps: PruneDeps) {
    this.#deps = deps
  }

  async run(): Promise<{ rows: number; bodies: number; segments: number }> {
    const rows = (await this.#records()) + (await this.#history())
    const bodies = await this.#bodies()
    return { rows, bodies, segments: await this.#segments() }
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

  /** Small bodies that no live value names, and no record that is still there. */
  async #bodies(): Promise<number> {
    const { rows, store } = this.#deps
    const range = prefixRange(bodyKey(''))
    let deleted = 0
    for (let gte = range.gte; ;) {
      await rows.flush()
      const found: string[] = []
      for await (const [key] of store.iterate({ gte, lt: range.lt, limit: BODIES_A_PASS })) found.push(key)
      const unnamed = await this.#unnamed(new Set(found.map((key) => key.slice(bodyKey('').length))))
      deleted += unnamed
      if (found.length < BODIES_A_PASS) return deleted
      gte = `${found.at(-1)!}\0`
    }
  }

  /** Deletes those of these bodies that nothing names; returns how many. */
  async #unnamed(candidates: Set<string>): Promise<number> {
    const { catalog, reader, turns, rows, clock } = this.#deps
    const breath = new Breath(clock)
    const named = new Named(candidates, this.#deps)
    const keep = (id: string): void => named.state(reader.entry(id)?.state ?? { tuples: [] })
    // what is written meanwhile may name any of them
    const ended = catalog.watch((entries) => entries.forEach(keep))
    try {
      for await (const id of reader.ids()) {
        keep(id)
        await breath.draw()
      }
      await named.records()
      let deleted = 0
      while (candidates.size > 0)
        await turns.take(async () => {
          for (const hash of [...candidates].slice(0, ROWS_A_TURN)) {
            candidates.delete(hash)
            rows.delete(bodyKey(hash))
            deleted += 1
          }
          await rows.flush()
        })
      return deleted
    } finally {
      ended()
    }
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

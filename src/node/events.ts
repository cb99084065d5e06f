/** Facts in the past tense, to everybody who watches. A watcher that falls behind loses its oldest and is told so. */
import type { CatalogReader } from '../catalog/index.js'
import type { EventView } from '../control/target.js'

/** Events kept for one slow watcher. */
const MAX_QUEUE = 10_000

type Fact = { event: EventView['event'] } & Record<string, unknown>

export class Events {
  readonly #watchers = new Set<(event: EventView) => void>()
  #seq = 0

  emit(fact: Fact): void {
    const event: EventView = { seq: ++this.#seq, time: new Date().toISOString(), ...fact }
    for (const watcher of this.#watchers) watcher(event)
  }

  /** What became of entries; looked up only when somebody watches. */
  entriesChanged(reader: CatalogReader, ids: ReadonlySet<string>, local: boolean): void {
    if (this.#watchers.size === 0) return
    for (const id of ids) {
      const entry = reader.entry(id)
      const path = reader.pathOf(id)
      if (path === undefined) this.emit({ event: 'entry-removed', id, path: entry?.name ?? '', local })
      else
        this.emit({
          event: 'entry-changed',
          id,
          path,
          local,
          conflict: (entry?.meaning.conflicts.length ?? 0) > 0
        })
    }
  }

  async *watch(signal: AbortSignal): AsyncIterable<EventView> {
    const queue: EventView[] = []
    let wake: () => void = () => undefined
    const watcher = (event: EventView): void => {
      if (queue.length >= MAX_QUEUE) queue.shift()
      queue.push(event)
      wake()
    }
    const ended = (): void => wake()
    this.#watchers.add(watcher)
    signal.addEventListener('abort', ended)
    try {
      while (!signal.aborted) {
        const event = queue.shift()
        if (event !== undefined) yield event
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#watchers.delete(watcher)
      signal.removeEventListener('abort', ended)
    }
  }
}

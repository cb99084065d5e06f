/** Facts in the past tense, to everybody who watches. A watcher that falls behind loses its oldest and is told so. */
import type { CatalogReader } from '../catalog/index.js'
import type { Fact } from '../control/index.js'
import type { EventView, ObjectView } from '../control/target.js'
import { nodeIdOf, type Members } from '../identity/index.js'
import { quarantined, type Replica, type ReplicaEvents } from '../replica/index.js'
import type { Logger, NodeId } from '../runtime.js'
import type { Throttled } from '../share.js'
import { hexOf } from '../wire/index.js'
import type { Views } from './views.js'

/** Events kept for one slow watcher. */
const MAX_QUEUE = 10_000

export class Events {
  readonly #watchers = new Set<(event: EventView) => void>()
  #seq = 0

  emit(fact: Fact): void {
    const event: EventView = { seq: ++this.#seq, time: new Date().toISOString(), ...fact }
    for (const watcher of this.#watchers) watcher(event)
  }

  /** What became of entries; looked up only when somebody watches. */
  entriesChanged(views: Views, reader: CatalogReader, ids: ReadonlySet<string>, local: boolean): void {
    if (this.#watchers.size === 0) return
    for (const id of ids) {
      const line = views.lineOf(id)
      if (line === undefined) {
        const path = reader.lastPathOf(id)
        this.emit({
          event: 'entry-removed',
          path,
          id,
          local,
          ...named(views.contents?.objectAt(path, () => undefined))
        })
        continue
      }
      const { path, kind, author, conflict, size, hash } = line
      const content = hash === undefined ? {} : { size, hash }
      this.emit({ event: 'entry-changed', path, id, kind, author, local, conflict, ...content, ...named(line.object) })
    }
  }

  /** What a replica tells, as facts; `replica` gives it once it is open. */
  ofReplica(replica: () => Replica | undefined): ReplicaEvents {
    return {
      conflictChanged: ({ id, kind, open }) => {
        if (this.#watchers.size === 0) return
        const path = replica()?.reader.lastPathOf(id) ?? ''
        this.emit({ event: open ? 'conflict-opened' : 'conflict-closed', path, id, kind })
      },
      inSync: (node) => this.emit({ event: 'in-sync', node, root: replica()?.catalog.root() ?? '' }),
      recordRejected: ({ id, body }, reason) => {
        const author = nodeIdOf(body.author)
        this.emit({ event: 'record-rejected', record: id, author, at: body.seq, reason })
      },
      recordHeld: (held, open) => {
        const { code, message, next } = quarantined(held)
        this.emit({ event: open ? 'problem-opened' : 'problem-closed', code, message, next })
      },
      forkFound: (log, author) => this.emit({ event: 'fork-found', log, author })
    }
  }

  /** Tells, and writes into the log, who is slowed and who is no more. */
  throttled(logger: Logger): (node: NodeId, state: Throttled | undefined) => void {
    return (node, state) => {
      if (state === undefined) {
        logger.info('A member is slowed no more.', { node })
        return this.emit({ event: 'peer-unthrottled', node })
      }
      logger.warn('A member wants more than its share of this node and is slowed.', { node, reason: state.reason })
      this.emit({ event: 'peer-throttled', node, reason: state.reason })
    }
  }

  joined(members: Members, keys: readonly Uint8Array[]): void {
    for (const key of keys) {
      const member = members.get(key)
      if (member === undefined) continue
      this.emit({ event: 'peer-joined', node: nodeIdOf(key), role: member.role, name: member.name })
    }
  }

  removed(members: Members, keys: readonly Uint8Array[]): void {
    for (const key of keys) {
      const name = members.removed().find((each) => hexOf(each.key) === hexOf(key))?.name ?? ''
      this.emit({ event: 'peer-removed', node: nodeIdOf(key), name })
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

/** `layer coast:contours`, where the adapter knows what a file holds. */
function named(object: ObjectView | null | undefined): { object?: string } {
  return object ? { object: `${object.kind} ${object.name}` } : {}
}

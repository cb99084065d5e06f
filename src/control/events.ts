/**
 * The events of the stream: when each happens and which facts it carries. API.md has one section for each, a test keeps
 * the two the same, and the type `Fact` keeps to it whoever emits. Facts marked `?` may be absent.
 */
import type { EventView } from './target.js'

export type EventName = EventView['event']

type FactType = 'text' | 'number' | 'flag' | 'text?' | 'number?'

export interface EventSpec {
  readonly when: string
  readonly facts: Readonly<Record<string, FactType>>
}

const problem = { path: 'text?', code: 'text', message: 'text', next: 'text?' } as const
const conflict = { path: 'text', id: 'text', kind: 'text' } as const

export const EVENTS = {
  'entry-changed': {
    when: 'an entry was created, moved, or its content changed; the path is the one it has now',
    facts: {
      path: 'text',
      id: 'text',
      kind: 'text',
      author: 'text',
      local: 'flag',
      conflict: 'flag',
      size: 'number?',
      hash: 'text?',
      object: 'text?'
    }
  },
  'entry-removed': {
    when: 'an entry was removed; the path is its last one, or its name where what it was in is gone too',
    facts: { path: 'text', id: 'text', local: 'flag', object: 'text?' }
  },
  'conflict-opened': {
    when: 'values neither of which saw the other met in an entry (`field`), a change met a deletion (`edit-delete`), entries met at one name (`name`) or were moved into each other (`cycle`)',
    facts: conflict
  },
  'conflict-closed': { when: 'a write that saw all of it ended a conflict', facts: conflict },
  'peer-joined': { when: 'a node was admitted to the cluster', facts: { node: 'text', role: 'text', name: 'text' } },
  'peer-removed': { when: 'a node was removed from the cluster', facts: { node: 'text', name: 'text' } },
  'peer-connected': { when: 'a link to a member came up', facts: { node: 'text', found: 'text?' } },
  'peer-disconnected': { when: 'a link to a member went down', facts: { node: 'text' } },
  'peer-throttled': {
    when: 'a member wanted more than its share of this node and is slowed: bytes, our time (`work`), requests, records, or answers it does not read',
    facts: { node: 'text', reason: 'text' }
  },
  'peer-unthrottled': { when: 'a member is slowed no more', facts: { node: 'text' } },
  'in-sync': {
    when: 'a member was found to hold the same records and an equal root, after it had not',
    facts: { node: 'text', root: 'text' }
  },
  'record-rejected': {
    when: 'a record broke a rule and counts nowhere',
    facts: { record: 'text', author: 'text', at: 'number', reason: 'text' }
  },
  'fork-found': {
    when: 'two different records for one place of a log were seen',
    facts: { log: 'text', author: 'text' }
  },
  'file-written': { when: 'the target holds a change of the catalog', facts: { path: 'text', what: 'text' } },
  'file-imported': { when: 'a change of the target entered the catalog', facts: { path: 'text', what: 'text' } },
  'entry-reconciled': {
    when: 'this node brought together what nodes did to a file apart: edits were `merged`, objects of one `same-name` got one id, or a `reference` to such an object was mended',
    facts: { path: 'text', how: 'text' }
  },
  'drift-found': {
    when: 'the target was changed where this node may not write to the catalog; the policy says what becomes of it',
    facts: { path: 'text', change: 'text', policy: 'text' }
  },
  'drift-ended': {
    when: 'such a change made way (`restored`, its bytes lie at `kept`), is in the catalog now (`adopted`), or was taken back by hand (`undone`)',
    facts: { path: 'text', change: 'text', how: 'text', kept: 'text?' }
  },
  'problem-opened': { when: 'something needs attention', facts: problem },
  'problem-closed': { when: 'what needed attention is over', facts: problem },
  'blob-progress': { when: 'more of a large body arrived', facts: { hash: 'text', size: 'number', have: 'number' } },
  'blob-completed': { when: 'a large body is complete and checked', facts: { hash: 'text', size: 'number' } },
  'damage-found': {
    when: 'something stored did not read back; it is healed from peers where they have it',
    facts: { what: 'text', log: 'text?', at: 'number?', hash: 'text?' }
  },
  'scrub-finished': {
    when: 'everything stored was read once more',
    facts: { damaged: 'number', healed: 'number', lost: 'number' }
  },
  'scan-finished': { when: 'the target was looked at as a whole', facts: { entries: 'number', ms: 'number' } },
  'node-started': { when: 'the daemon is up', facts: { node: 'text' } },
  'node-stopping': { when: 'an orderly stop began; the stream ends soon', facts: { node: 'text' } }
} as const satisfies Readonly<Record<EventName, EventSpec>>

export const EVENT_NAMES = Object.keys(EVENTS) as EventName[]

type Value<T> = T extends 'text' | 'text?' ? string : T extends 'flag' ? boolean : number
type Facts<F> = { [K in keyof F as F[K] extends `${string}?` ? never : K]: Value<F[K]> } & {
  [K in keyof F as F[K] extends `${string}?` ? K : never]?: Value<F[K]>
}

/** One event with exactly the facts it must carry. */
export type Fact = { [N in EventName]: { event: N } & Facts<(typeof EVENTS)[N]['facts']> }[EventName]

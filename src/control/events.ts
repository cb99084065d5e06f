/**
 * The events of the stream: when each happens and which facts it carries. API.md has one section for each; a test keeps
 * the two the same. Facts marked `?` may be absent.
 */
import type { EventView } from './target.js'

export type EventName = EventView['event']

export interface EventSpec {
  readonly when: string
  readonly facts: Readonly<Record<string, 'text' | 'number' | 'text?' | 'number?'>>
}

const entry = { space: 'text', path: 'text', id: 'text', author: 'text', record: 'text' } as const

export const EVENTS: Readonly<Record<EventName, EventSpec>> = {
  'entry-changed': {
    when: 'an entry was created or its content changed',
    facts: { ...entry, size: 'number?', hash: 'text?' }
  },
  'entry-removed': { when: 'an entry was removed', facts: entry },
  'entry-moved': { when: 'an entry has another place or name', facts: { ...entry, from: 'text' } },
  'conflict-opened': {
    when: 'two values neither of which saw the other met in an entry',
    facts: { space: 'text', path: 'text', id: 'text', kind: 'text' }
  },
  'conflict-closed': {
    when: 'a write that saw both values ended a conflict',
    facts: { space: 'text', path: 'text', id: 'text', kind: 'text' }
  },
  'peer-joined': { when: 'a node was admitted to the cluster', facts: { node: 'text', role: 'text', name: 'text?' } },
  'peer-connected': { when: 'a link to a member came up', facts: { node: 'text', found: 'text?' } },
  'peer-disconnected': { when: 'a link to a member went down', facts: { node: 'text', reason: 'text?' } },
  'in-sync': {
    when: 'a member was found to hold an equal root after it had differed',
    facts: { space: 'text', node: 'text', root: 'text' }
  },
  'record-rejected': {
    when: 'a record broke a rule and counts nowhere',
    facts: { record: 'text', author: 'text', reason: 'text' }
  },
  'fork-found': {
    when: 'two different records with one author, epoch and seq were seen',
    facts: { author: 'text', epoch: 'text', at: 'number' }
  },
  'file-written': { when: 'the target holds a change of the catalog', facts: { path: 'text', size: 'number?' } },
  'file-imported': { when: 'a change of the target entered the catalog', facts: { path: 'text', size: 'number?' } },
  'problem-opened': { when: 'something needs attention', facts: { code: 'text', path: 'text?', message: 'text' } },
  'problem-closed': { when: 'what needed attention is over', facts: { code: 'text', path: 'text?' } },
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
  'scan-finished': {
    when: 'the target was looked at as a whole',
    facts: { entries: 'number', ms: 'number', changes: 'number?' }
  },
  'node-started': { when: 'the daemon is up', facts: { node: 'text' } },
  'node-stopping': { when: 'an orderly stop began; the stream ends soon', facts: { node: 'text' } }
}

export const EVENT_NAMES = Object.keys(EVENTS) as EventName[]

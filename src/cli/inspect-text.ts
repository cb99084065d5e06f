/** Records, entries and documents for people. Long ids are shortened; `--json` has them whole. */
import { jsonText } from '../control/json.js'
import type { DocView, EntryView, RecordLine, TupleView } from '../control/target.js'
import { pairs, safe, shortId, shortTime, table } from './terminal.js'
import { treeText } from './tree.js'

export function recordTable(records: readonly RecordLine[], width: number): string {
  return table(
    [
      { title: 'record', of: (record: RecordLine) => shortId(record.id) },
      { title: 'author', of: (record) => shortId(record.author) },
      { title: 'seq', of: (record) => String(record.seq), align: 'right' },
      { title: 'depth', of: (record) => String(record.depth), align: 'right' },
      { title: 'deps', of: (record) => String(record.deps.length), align: 'right' },
      { title: 'bytes', of: (record) => String(record.size), align: 'right' },
      { title: 'state', of: (record) => record.state },
      { title: 'ops', of: (record) => opsText(record.ops) }
    ],
    records,
    width
  )
}

export function recordText(record: RecordLine & { body: unknown }): string {
  const { body, ops, ...facts } = record
  return treeText({ ...facts, ops: opsText(ops) }) + 'body\n' + treeText(body, '  ')
}

export function entryText(entry: EntryView, width: number): string {
  const facts = pairs([
    ['path', entry.path],
    ['id', entry.id],
    ['kind', `${entry.kind}${entry.exec ? ', executable' : ''}${entry.deleted ? ', deleted' : ''}`],
    ...(entry.object === undefined
      ? []
      : [['object', `${entry.object.kind} ${entry.object.name}`] as [string, string]]),
    ['size', String(entry.size)],
    ['content', entry.hash === undefined ? '-' : entry.hash],
    ['parent', entry.parent],
    ['order', entry.order ?? '-'],
    ['hash', entry.canonicalHash]
  ])
  const conflicts = entry.conflicts.map(
    (conflict) =>
      `conflict ${safe(conflict.kind)}${conflict.field === undefined ? '' : ` in ${safe(conflict.field)}`}: ${safe(conflict.note)}\n`
  )
  return `${facts}${conflicts.join('')}\n${tupleTable(entry.tuples, width)}`
}

export function docText(doc: DocView, width: number): string {
  const facts = pairs([
    ['path', doc.path],
    ['id', doc.id],
    ['bytes', String(doc.bytes)],
    ['structs', String(doc.structs)]
  ])
  const clients = table(
    [
      { title: 'client', of: (client: DocView['clients'][number]) => client.client },
      { title: 'clock', of: (client) => String(client.clock), align: 'right' },
      { title: 'author', of: (client) => shortId(client.author) },
      { title: 'epoch', of: (client) => shortId(client.epoch) }
    ],
    doc.clients,
    width
  )
  const vector = Object.entries(doc.stateVector).map(([client, clock]) => `  ${safe(client)} ${clock}\n`)
  const tombstones = doc.tombstones.map(
    (range) => `  ${safe(range.client)} ${range.clock}..${range.clock + range.length - 1}\n`
  )
  return `${facts}\nstate vector\n${vector.join('') || '  none\n'}\n${clients}\n${tupleTable(doc.tuples, width)}\ntombstones\n${tombstones.join('') || '  none\n'}`
}

function tupleTable(tuples: readonly TupleView[], width: number): string {
  return table(
    [
      { title: 'field', of: (tuple: TupleView) => tuple.field },
      { title: 'wins', of: (tuple) => (tuple.wins ? 'yes' : 'no') },
      { title: 'time (UTC)', of: (tuple) => shortTime(tuple.time) },
      { title: 'author', of: (tuple) => shortId(tuple.author) },
      { title: 'dot', of: (tuple) => `${tuple.dot.log.slice(0, 6)}:${tuple.dot.seq}` },
      { title: 'value', of: (tuple) => jsonText(tuple.value) }
    ],
    tuples,
    width
  )
}

/** ['create', 'create', 'edit'] -> `create x2, edit`. */
function opsText(ops: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const op of ops) counts.set(op, (counts.get(op) ?? 0) + 1)
  return [...counts].map(([op, count]) => (count === 1 ? op : `${op} x${count}`)).join(', ') || '-'
}

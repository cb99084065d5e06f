/** `grapevine quarantine`: what this node could not apply, trying it again, and leaving it be. */
import type { FailingEntryView, HeldRecordView, QuarantineView } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { safe, shortId, shortTime, table } from './terminal.js'

/** Hex digits of a record's id in the table: enough to be the only one. */
const SHOWN_ID = 12

async function list(_options: object, context: Context): Promise<void> {
  await show(await withReader(context, (reader) => reader.quarantine()), context)
}

async function retry({ what }: { what?: string }, context: Context): Promise<void> {
  await show(await context.daemon.retryQuarantined(what), context)
}

async function drop({ what }: { what: string }, context: Context): Promise<void> {
  await show(await context.daemon.dropQuarantined(what), context)
}

async function show(view: QuarantineView, context: Context): Promise<void> {
  await print(context, view, () => viewText(view, context.out.columns))
}

function viewText({ records, entries }: QuarantineView, width: number): string {
  const parts: string[] = []
  if (records.length > 0) parts.push(recordTable(records, width), ...records.map(whatItIs))
  if (entries.length > 0) parts.push(entryTable(entries, width))
  return parts.length === 0 ? 'nothing\n' : parts.join('')
}

function recordTable(records: readonly HeldRecordView[], width: number): string {
  return table(
    [
      { title: 'record', of: ({ record }: HeldRecordView) => record.slice(0, SHOWN_ID) },
      { title: 'since (UTC)', of: ({ since }) => shortTime(since) },
      { title: 'author', of: ({ author }) => shortId(author) },
      { title: 'seq', of: ({ seq }) => String(seq), align: 'right' },
      { title: 'waiting', of: ({ waiting }) => String(waiting), align: 'right' },
      { title: 'log', of: ({ log }) => log }
    ],
    records,
    width
  )
}

function whatItIs({ record, reason, paths }: HeldRecordView): string {
  const lines = [`${record.slice(0, SHOWN_ID)}  ${safe(reason)}\n`]
  for (const path of paths) lines.push(`  ${safe(path)}\n`)
  return lines.join('')
}

function entryTable(entries: readonly FailingEntryView[], width: number): string {
  return table(
    [
      { title: 'path', of: ({ path }: FailingEntryView) => path },
      { title: 'state', of: ({ state }) => state },
      { title: 'since (UTC)', of: ({ since }) => shortTime(since) },
      { title: 'reason', of: ({ reason }) => reason }
    ],
    entries,
    width
  )
}

export const definition: CommandDefinition = {
  name: 'quarantine',
  about: 'what this node could not apply: records it cannot fold, entries it cannot write',
  commands: [
    { name: 'ls', about: 'list it, with reasons', run: list },
    {
      name: 'retry',
      about: 'try it again now; every start does so too',
      arguments: [{ name: '[what]', about: "a record's id or a path; everything without it" }],
      run: retry
    },
    {
      name: 'drop',
      about:
        'leave an entry as the target has it until the entry changes; a record is refused: this node would differ from the others, and an admin can take it out on all of them with `grapevine revoke --since`',
      arguments: [{ name: '<what>', about: 'its path' }],
      run: drop
    }
  ]
}

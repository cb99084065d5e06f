/** `grapevine inspect`: the CRDT and replication state, readable or as JSON. */
import { MAX_LOG_LINES } from '../control/limits.js'
import type { InspectTopic, RecordLine } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { docText, entryText, recordTable, recordText } from './inspect-text.js'
import { groupsOf, print, printJsonArray } from './print.js'
import { withReader, type Reader } from './reading.js'
import { treeText } from './tree.js'

/** Records whose columns are aligned with each other. */
const GROUP = 200
/** Fewest characters that may stand for a record's id. */
const LEAST_PREFIX = 6

async function runTopic(topic: InspectTopic, context: Context): Promise<void> {
  const value = await withReader(context, (reader) => reader.inspect(topic))
  await print(context, value, () => treeText(value))
}

export async function runLog(options: { limit: number; log?: string }, context: Context): Promise<void> {
  const { limit, log } = options
  await withReader(context, async (reader) => {
    const records = reader.inspectLog({ limit, ...(log === undefined ? {} : { log }) })
    if (context.json) return printJsonArray(context, records)
    for await (const group of groupsOf(records, GROUP)) await context.out.write(recordTable(group, context.out.columns))
  })
}

export async function runRecord(options: { id: string }, context: Context): Promise<void> {
  const record = await withReader(context, async (reader) => reader.record(await wholeRecordId(options.id, reader)))
  await print(context, record, () => recordText(record))
}

export async function runEntry(options: { path: string }, context: Context): Promise<void> {
  const entry = await withReader(context, (reader) => reader.entry(entryPath(options.path)))
  await print(context, entry, () => entryText(entry, context.out.columns))
}

export async function runDoc(options: { path: string }, context: Context): Promise<void> {
  const doc = await withReader(context, (reader) => reader.doc(entryPath(options.path)))
  await print(context, doc, () => docText(doc, context.out.columns))
}

/** Listings show the first characters of an id; those are enough here as long as one record alone begins so. */
async function wholeRecordId(text: string, reader: Reader): Promise<string> {
  const prefix = text.replace(/\u2026$/, '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(prefix)) return prefix
  if (!/^[0-9a-f]*$/.test(prefix) || prefix.length < LEAST_PREFIX || prefix.length > 64) {
    throw new GrapevineError('usage', `"${text}" is not a record id`, {
      next: `give at least ${LEAST_PREFIX} of its hex characters, see \`grapevine inspect log\``
    })
  }
  const found: RecordLine[] = []
  for await (const record of reader.inspectLog({ limit: MAX_LOG_LINES }))
    if (record.id.startsWith(prefix)) found.push(record)
  if (found.length === 1) return found[0]!.id
  const message =
    found.length === 0 ? `no record begins with ${prefix}` : `${found.length} records begin with ${prefix}`
  throw new GrapevineError('not-found', message, { next: 'give more of the id, see `grapevine inspect log`' })
}

function parseLimit(text: string): number {
  const limit = /^\d{1,8}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LOG_LINES) return limit
  throw new GrapevineError('usage', `"${text}" is not a number of records`, {
    next: `give a number from 1 to ${MAX_LOG_LINES}`
  })
}

function parseLog(text: string): string {
  if (/^[0-9a-f]{32}$/.test(text)) return text
  throw new GrapevineError('usage', `"${text}" is not a log id`, {
    next: 'give the 32 hex characters shown by `grapevine inspect vector --json`'
  })
}

const topic = (name: InspectTopic, about: string): CommandDefinition => ({
  name,
  about,
  run: (_: object, context) => runTopic(name, context)
})
const pathArgument = [{ name: '<path>', about: 'path of the entry, or id:<32 hex>' }]

export const definition: CommandDefinition = {
  name: 'inspect',
  about: 'the CRDT and replication state',
  commands: [
    topic('heads', 'the newest record of every log'),
    topic('vector', 'how far every log is held'),
    {
      name: 'log',
      about: 'the newest records: author, seq, deps, ops, size',
      options: [
        { flags: '--limit <count>', about: 'how many records', default: '100', parse: parseLimit },
        { flags: '--log <id>', about: 'only this log', parse: parseLog }
      ],
      run: runLog
    },
    {
      name: 'record',
      about: 'one record, decoded',
      arguments: [{ name: '<id>', about: 'its id, or the beginning of it' }],
      run: runRecord
    },
    {
      name: 'entry',
      about: 'one entry: its values with author and dot, its conflicts',
      arguments: pathArgument,
      run: runEntry
    },
    {
      name: 'doc',
      about: "one entry's document: state vector, live tuples, tombstones, bytes",
      arguments: pathArgument,
      run: runDoc
    },
    topic('gossip', 'mesh, topics, scores, counters'),
    topic('store', 'segments, index and blobs on disk'),
    topic('checkpoint', 'what took the place of older records, what is proposed, and who is awaited')
  ]
}

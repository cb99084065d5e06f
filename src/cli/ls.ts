/** `grapevine ls`: the entries of the catalog, streamed. */
import type { EntryLine } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { catalogPath } from './catalog-path.js'
import { groupsOf, printJsonArray } from './print.js'
import { withReader } from './reading.js'
import { fit, pad, safe, shortId, shortTime } from './terminal.js'

export interface LsOptions {
  path?: string
}

/** Entries whose sizes are aligned with each other; also how much of a listing is held at once. */
const GROUP = 500

export async function run(options: LsOptions, context: Context): Promise<void> {
  const path = catalogPath(options.path ?? '')
  await withReader(context, async (reader) => {
    const entries = reader.list(path)
    if (context.json) return printJsonArray(context, entries)
    for await (const group of groupsOf(entries, GROUP)) await context.out.write(groupText(group, context))
  })
}

function groupText(group: readonly EntryLine[], context: Context): string {
  const sizeWidth = Math.max(6, ...group.map((entry) => String(entry.size).length))
  return group.map((entry) => lineText(entry, sizeWidth, context)).join('')
}

/** `-x  1234  2026-11-21 19:13:05  12D3…c6iDEp  !  path`; a path is cut only on a terminal, never in a pipe. */
function lineText(entry: EntryLine, sizeWidth: number, context: Context): string {
  const kind = entry.kind === 'dir' ? 'd ' : entry.exec ? '-x' : '- '
  const size = pad(entry.kind === 'dir' ? '-' : String(entry.size), sizeWidth, 'right')
  const before = `${kind}  ${size}  ${shortTime(entry.time)}  ${pad(safe(shortId(entry.author)), 11)} ${entry.conflict ? '!' : ' '} `
  const path = safe(entry.path)
  return before + (context.out.isTTY ? fit(path, Math.max(20, context.out.columns - before.length)) : path) + '\n'
}

export const definition: CommandDefinition = {
  name: 'ls',
  about: 'list entries: kind, size, time (UTC), author, ! for a conflict, path',
  arguments: [{ name: '[path]', about: 'what to list; everything by default' }],
  run
}

/** `grapevine history`: who changed an entry, and when. */
import type { HistoryLine } from '../control/target.js'
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { shortId, shortTime, table } from './terminal.js'

export interface HistoryOptions {
  path: string
}

export async function run(options: HistoryOptions, context: Context): Promise<void> {
  const lines = await withReader(context, (reader) => reader.history(entryPath(options.path)))
  await print(context, lines, () => historyTable(lines, context.out.columns))
}

function historyTable(lines: readonly HistoryLine[], width: number): string {
  return table(
    [
      { title: 'time (UTC)', of: (line: HistoryLine) => shortTime(line.time) },
      { title: 'author', of: (line) => shortId(line.author) },
      { title: 'record', of: (line) => shortId(line.record) },
      { title: 'change', of: (line) => line.change }
    ],
    lines,
    width
  )
}

export const definition: CommandDefinition = {
  name: 'history',
  about: 'the changes of an entry, by whom and when',
  arguments: [{ name: '<path>', about: 'path of the entry, or id:<32 hex>' }],
  run
}

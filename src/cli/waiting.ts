/** `grapevine waiting`: what is in the catalog and not in the shared directory yet, and what refers to nothing there. */
import type { BrokenReferenceView, WaitingEntryView, WaitingView } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { fit, safe, shortTime, table } from './terminal.js'

/** Columns that the time and the gaps take. */
const TIME_COLUMNS = 23
/** However narrow the terminal, of a path so much is shown. */
const MIN_PATH_COLUMNS = 20

async function run(_options: object, context: Context): Promise<void> {
  const view = await context.daemon.waiting()
  await print(context, view, () => viewText(view, context.out.columns))
}

export function viewText({ waiting, broken }: WaitingView, width: number): string {
  const parts: string[] = []
  if (waiting.length > 0) parts.push(waitingTable(waiting, width))
  if (broken.count > 0) parts.push(brokenTable(broken.references, width))
  if (broken.count > broken.references.length) parts.push(`and ${broken.count - broken.references.length} more\n`)
  return parts.length === 0 ? 'nothing waits\n' : parts.join('\n')
}

function waitingTable(waiting: readonly WaitingEntryView[], width: number): string {
  const columns = Math.max(MIN_PATH_COLUMNS, Math.floor((width - TIME_COLUMNS) / 2))
  return table(
    [
      { title: 'what', of: ({ path }: WaitingEntryView) => fit(safe(path), columns) },
      { title: 'since (UTC)', of: ({ since }) => shortTime(since) },
      { title: 'waits for', of: whatFor }
    ],
    waiting,
    width
  )
}

function whatFor({ state, for: words, until }: WaitingEntryView): string {
  const more = words.length > 1 ? ` and ${words.length - 1} more` : ''
  if (state !== 'broken') return `${words[0]}${more}`
  const time = until === undefined ? '' : `, until ${shortTime(until).slice(11)}`
  return `nowhere${time}: ${words[0]}${more}`
}

function brokenTable(broken: readonly BrokenReferenceView[], width: number): string {
  const columns = Math.max(MIN_PATH_COLUMNS, Math.floor(width / 2))
  return table(
    [
      { title: 'broken at its source', of: ({ path }: BrokenReferenceView) => fit(safe(path), columns) },
      { title: 'refers to', of: ({ missing }) => missing }
    ],
    broken,
    width
  )
}

export const definition: CommandDefinition = {
  name: 'waiting',
  about: 'what is not in the shared directory yet and what it waits for; what refers to something that is nowhere',
  run
}

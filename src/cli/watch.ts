/** `grapevine watch`: events as they happen, until it is interrupted or the daemon stops. */
import { jsonText } from '../control/json.js'
import type { EventView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { safe, shortId } from './terminal.js'

export async function run(_options: object, context: Context): Promise<void> {
  const interrupted = context.interrupts()
  const over = AbortSignal.any([interrupted, context.out.closed])
  for await (const event of context.daemon.events(over)) {
    await context.out.write(context.json ? `${jsonText(event)}\n` : eventText(event))
  }
  if (over.aborted) return
  throw new GrapevineError('stopped', 'the daemon stopped', { next: 'start it again with `grapevine start`' })
}

/** `19:13:05 entry-changed path=styles/a.sld author=12D3…c6iDEp`; the path first, ids shortened. */
export function eventText(event: EventView): string {
  const { seq: _seq, time, event: name, ...facts } = event
  const keys = Object.keys(facts).toSorted((a, b) => Number(b === 'path') - Number(a === 'path'))
  const words = keys.map((key) => ` ${safe(key)}=${factText(facts[key])}`)
  return `${safe(String(time).slice(11, 19))} ${safe(String(name))}${words.join('')}\n`
}

function factText(value: unknown): string {
  const text = typeof value === 'string' ? shortIdLike(value) : jsonText(value)
  return /[\s"=]/.test(text) ? JSON.stringify(text).replace(/[^\x20-\x7e]+/g, safe) : safe(text)
}

/** Only what looks like an id is shortened; paths and sentences stay whole. */
function shortIdLike(text: string): string {
  return /^(12D3Koo[1-9A-HJ-NP-Za-km-z]{40,}|[0-9a-f]{32,})$/.test(text) ? shortId(text) : text
}

export const definition: CommandDefinition = { name: 'watch', about: 'print events as they happen, one a line', run }

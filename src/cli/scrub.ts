/** `grapevine scrub`: reads everything that is stored once more, heals what it can, names what is lost. */
import type { LossView, ScrubLine, ScrubReport } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { Progress } from './progress.js'
import { withReader } from './reading.js'
import { bytesText, safe } from './terminal.js'

export interface ScrubOptions {
  acknowledge?: boolean
}

export async function run(options: ScrubOptions, context: Context): Promise<void> {
  if (options.acknowledge === true) return acknowledge(context)
  const signal = context.interrupts()
  const report = await withReader(context, (reader) => follow(reader.scrub({ signal }), context))
  await print(context, report, () => reportText(report))
  if (report.lost.length > 0) throw lost(report.lost)
}

async function acknowledge(context: Context): Promise<void> {
  const losses = await withReader(context, (reader) => reader.acknowledgeLosses())
  await print(context, { acknowledged: losses }, () =>
    losses.length === 0
      ? 'nothing is lost\n'
      : `${losses.map(lossLine).join('')}acknowledged; writing goes on without it\n`
  )
}

async function follow(lines: AsyncIterable<ScrubLine>, context: Context): Promise<ScrubReport> {
  const progress = new Progress(context)
  try {
    for await (const line of lines) {
      if ('report' in line) return line.report
      const { records, rows, blobs, bytes } = line.progress
      await progress.show(`${records} records, ${rows} rows, ${blobs} blobs, ${bytesText(bytes)} read`)
    }
  } finally {
    await progress.end()
  }
  throw new GrapevineError('stopped', 'the scrub was given up before it was through', { next: 'run it again' })
}

function reportText({ checked, damaged, healed, lost, rebuild }: ScrubReport): string {
  const { records, rows, blobs, bytes } = checked
  const lines = [`checked  ${records} records, ${rows} rows of the index, ${blobs} blobs, ${bytesText(bytes)}\n`]
  lines.push(`damaged  ${damaged}, of which ${healed} healed and ${lost.length} lost\n`)
  if (rebuild !== undefined) lines.push(`index    is made again from the log: ${safe(rebuild)}\n`)
  return lines.join('') + lost.map(lossLine).join('')
}

function lossLine(loss: LossView): string {
  if (loss.kind === 'range')
    return `lost     ${loss.length} bytes of the log, segment ${loss.segment} from ${loss.offset}\n`
  const what =
    loss.kind === 'record'
      ? `record ${loss.seq} of log ${loss.log} by ${loss.author}`
      : `blob ${loss.hash}, ${bytesText(loss.size)}`
  return `lost     ${safe(what)}${loss.paths.map((path) => `\n         ${safe(path)}`).join('')}\n`
}

function lost(losses: readonly LossView[]): GrapevineError {
  return new GrapevineError(
    'records-lost',
    `${losses.length} things are damaged here and on no connected node; this node is read-only`,
    {
      next: 'connect a node that has them, or go on without them with `grapevine scrub --acknowledge`',
      facts: { lost: losses.length }
    }
  )
}

export const definition: CommandDefinition = {
  name: 'scrub',
  about: 'read everything stored once more, heal what is damaged, name what is lost',
  options: [{ flags: '--acknowledge', about: 'take note of what is lost and write on without it' }],
  run
}

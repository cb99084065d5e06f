/** `grapevine export`: the whole catalog as plain files, from a running daemon or a stopped home. */
import { resolve } from 'node:path'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { TreeExport, type ExportReport } from './export-tree.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { bytesText, safe } from './terminal.js'

export interface ExportOptions {
  dir: string
}

/** Failures printed one by one; `--json` has all. */
const SHOWN = 100

export async function run(options: ExportOptions, context: Context): Promise<void> {
  const dir = resolve(context.cwd, options.dir)
  const report = await withReader(context, (reader) => new TreeExport({ reader }, { dir }).run())
  await print(context, { dir, ...report }, () => reportText(dir, report))
  if (report.failed.length > 0) throw incomplete(report)
}

function reportText(dir: string, report: ExportReport): string {
  const { files, directories, bytes, conflictValues, failed } = report
  const conflicts = conflictValues > 0 ? `, ${conflictValues} more values of conflicts` : ''
  const lines = [
    `exported ${files} files in ${directories} directories, ${bytesText(bytes)}${conflicts}, to ${safe(dir)}\n`
  ]
  for (const { path, code, message } of failed.slice(0, SHOWN))
    lines.push(`missing  ${safe(path)}  ${code}: ${safe(message)}\n`)
  if (failed.length > SHOWN) lines.push(`and ${failed.length - SHOWN} more; see --json\n`)
  return lines.join('')
}

function incomplete({ failed }: ExportReport): GrapevineError {
  return new GrapevineError('blob-missing', `${failed.length} files could not be exported; everything else was`, {
    next: 'connect a node that has their bytes, wait until "grapevine status" wants no more blobs, and export again',
    facts: { failed: failed.length }
  })
}

export const definition: CommandDefinition = {
  name: 'export',
  about: 'write the whole catalog as plain files',
  arguments: [{ name: '<dir>', about: 'where to; must be empty or missing' }],
  run
}

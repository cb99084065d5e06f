/** `grapevine geoserver`: what can be said of a GeoServer data directory without a node. The exit code is the answer. */
import { resolve } from 'node:path'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import type { DirectoryView } from './lifecycle.js'
import { print } from './print.js'
import { Progress } from './progress.js'
import { pairs, safe } from './terminal.js'

export interface CheckOptions {
  dir: string
  rule?: string[]
}

/** Faults and notes printed one by one, of each; `--json` has all. */
const SHOWN = 100

async function check(options: CheckOptions, context: Context): Promise<void> {
  const dir = resolve(context.cwd, options.dir)
  const lifecycle = await context.lifecycle()
  const progress = new Progress(context)
  let told = Promise.resolve()
  const view = await lifecycle
    .checkDataDirectory(dir, {
      rules: options.rule ?? [],
      progress: (files) => {
        told = told.then(() => progress.show(`${files} files looked at`))
      }
    })
    .finally(() => told.then(() => progress.end()))
  await print(context, { dir, ...view }, () => viewText(dir, view))
  if (view.faults > 0) throw faulty(dir, view)
}

function viewText(dir: string, view: DirectoryView): string {
  const kinds = countsText(view.kinds)
  return (
    pairs([
      ['directory', dir],
      ['files', `${view.files}${kinds === '' ? '' : `: ${kinds}`}`],
      ['travel', countsText(view.sharing) || 'none'],
      ['objects', `${view.objects} with ${view.references} references`],
      ['dangling', String(view.dangling)],
      ['same id', String(view.duplicateIds)],
      ['faults', String(view.faults)]
    ]) + ['fault', 'note'].map((severity) => findingsText(view, severity)).join('')
  )
}

/** The most frequent first. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).toSorted(([, a], [, b]) => b - a)
  return sorted.map(([name, count]) => `${count} ${name}`).join(', ')
}

function findingsText({ findings }: DirectoryView, severity: string): string {
  const all = findings.filter((finding) => finding.severity === severity)
  const lines = all
    .slice(0, SHOWN)
    .map(({ word, path, message }) => `${severity}  ${word}  ${safe(path)}: ${safe(message)}\n`)
  if (all.length > SHOWN) lines.push(`${severity}  and ${all.length - SHOWN} more; see --json\n`)
  return lines.join('')
}

function faulty(dir: string, { faults }: DirectoryView): GrapevineError {
  return new GrapevineError('directory-faulty', `${dir} holds ${faults} ${faults === 1 ? 'fault' : 'faults'}`, {
    next: 'mend what is listed in GeoServer; what is broken at its source travels as it is',
    facts: { dir, faults }
  })
}

export const definition: CommandDefinition = {
  name: 'geoserver',
  about: 'look at GeoServer data directories',
  commands: [
    {
      name: 'check',
      about: 'list what is broken in a data directory, and what in it does not travel; exit 0 without faults',
      arguments: [{ name: '<dir>', about: 'the data directory; nothing in it is changed' }],
      options: [
        {
          flags: '--rule <line>',
          about: 'as the node would be told: "share PATTERN" or "local PATTERN"',
          repeat: true
        }
      ],
      run: check
    }
  ]
}

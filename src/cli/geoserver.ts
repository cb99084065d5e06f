/**
 * `grapevine geoserver`: what can be said of a GeoServer data directory without a node (the exit code is the answer), and the
 * objects of the catalog.
 */
import { resolve } from 'node:path'
import type { EntryLine, ObjectView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import type { DirectoryView } from './lifecycle.js'
import { groupsOf, print, printJsonArray } from './print.js'
import { Progress } from './progress.js'
import { withReader } from './reading.js'
import { pairs, safe, shortId, shortTime, table } from './terminal.js'

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

/** Words people use -> kinds of objects. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  workspaces: ['workspace'],
  namespaces: ['namespace'],
  stores: ['datastore', 'coveragestore', 'wmsstore', 'wmtsstore'],
  resources: ['featuretype', 'coverage', 'wmslayer', 'wmtslayer'],
  layers: ['layer'],
  styles: ['style'],
  groups: ['layergroup'],
  tiles: ['tile-layer']
}
/** Objects whose names are aligned with each other. */
const GROUP = 500

async function list({ kind }: { kind?: string }, context: Context): Promise<void> {
  const kinds = kind === undefined ? undefined : KINDS[kind]
  if (kind !== undefined && kinds === undefined)
    throw new GrapevineError('usage', `there are no objects of the kind ${JSON.stringify(kind)}`, {
      next: `name one of ${Object.keys(KINDS).join(', ')}`
    })
  await withReader(context, async (reader) => {
    const objects = objectsAmong(reader.list(''), kinds)
    if (context.json) return printJsonArray(context, objects)
    let none = true
    for await (const group of groupsOf(objects, GROUP)) {
      await context.out.write(objectTable(group, context.out.columns))
      none = false
    }
    if (none) await context.out.write('nothing\n')
  })
}

type ObjectLine = EntryLine & { readonly object: ObjectView }

async function* objectsAmong(
  entries: AsyncIterable<EntryLine>,
  kinds: readonly string[] | undefined
): AsyncGenerator<ObjectLine> {
  for await (const entry of entries) {
    const { object } = entry
    if (object !== undefined && (kinds?.includes(object.kind) ?? true)) yield { ...entry, object }
  }
}

function objectTable(lines: readonly ObjectLine[], width: number): string {
  return table(
    [
      { title: 'kind', of: ({ object }: ObjectLine) => object.kind },
      { title: 'changed (UTC)', of: ({ time }) => shortTime(time) },
      { title: 'author', of: ({ author }) => shortId(author) },
      { title: '!', of: ({ conflict }) => (conflict ? '!' : '') },
      { title: 'name', of: ({ object }) => object.name }
    ],
    lines,
    width
  )
}

export const definition: CommandDefinition = {
  name: 'geoserver',
  about: 'look at GeoServer data directories',
  commands: [
    {
      name: 'ls',
      about: 'list the objects of the catalog: kind, time (UTC), author, ! for a conflict, name',
      arguments: [{ name: '[kind]', about: `${Object.keys(KINDS).join(', ')}; everything by default` }],
      run: list
    },
    {
      name: 'check',
      about: 'list what is broken in a data directory, and what in it does not travel; exit 0 without faults',
      arguments: [{ name: '<dir>', about: 'the data directory; nothing in it is changed' }],
      options: [
        {
          flags: '--rule <line>',
          about: 'as the node would be told: "share PATTERN", "local PATTERN" or "field PATTERN ELEMENT/ELEMENT"',
          repeat: true
        }
      ],
      run: check
    }
  ]
}

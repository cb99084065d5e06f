/** `grapevine drift`: what was changed in this node's target where it may not write, and what becomes of it. */
import type { AdoptionView, DriftView, RestoredView } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { safe, shortTime, table } from './terminal.js'

interface Named {
  path?: string[]
}

async function list(_options: object, context: Context): Promise<void> {
  const views = await context.daemon.drift()
  await print(context, views, () => (views.length === 0 ? 'nothing\n' : driftTable(views, context.out.columns)))
}

async function restore(options: Named, context: Context): Promise<void> {
  const views = await context.daemon.restoreDrift(pathsOf(options))
  await print(context, views, () => (views.length === 0 ? 'nothing\n' : views.map(restoredLine).join('')))
}

async function adopt(options: Named, context: Context): Promise<void> {
  const views = await context.daemon.adoptDrift(pathsOf(options))
  await print(context, views, () => (views.length === 0 ? 'nothing\n' : views.map(adoptedLine).join('')))
}

/** No path at all means everything. */
function pathsOf({ path = [] }: Named): readonly string[] | undefined {
  return path.length === 0 ? undefined : path.map((each) => each.replace(/^\/+|\/+$/g, ''))
}

function driftTable(views: readonly DriftView[], width: number): string {
  const refusals = views.flatMap(({ path, refused }) =>
    refused === undefined ? [] : [`${safe(path)} was not taken over: ${safe(refused)}\n`]
  )
  const rows = table(
    [
      { title: 'path', of: ({ path, kind }: DriftView) => (kind === 'dir' ? `${path}/` : path) },
      { title: 'change', of: ({ change }) => change },
      { title: 'policy', of: ({ policy }) => policy },
      { title: 'since (UTC)', of: ({ since }) => shortTime(since) }
    ],
    views,
    width
  )
  return rows + refusals.join('')
}

function restoredLine({ path, outcome, kept }: RestoredView): string {
  if (outcome === 'waiting') return `${safe(path)} waits; see "grapevine status"\n`
  return kept === undefined ? `${safe(path)} restored\n` : `${safe(path)} restored; kept as ${safe(kept)}\n`
}

function adoptedLine({ path, outcome, by, reason }: AdoptionView): string {
  if (outcome === 'adopted') return `${safe(path)} taken over by ${safe(by!)}\n`
  return `${safe(path)} not taken over: ${safe(reason!)}\n`
}

const PATHS = { name: '[path...]', about: 'what lies at and below these; everything without any' }

export const definition: CommandDefinition = {
  name: 'drift',
  about: 'changes in the directory that this node may not make in the catalog',
  commands: [
    { name: 'ls', about: 'list them', run: list },
    {
      name: 'restore',
      about: "let them make way for the catalog's content; their bytes are kept in the home",
      arguments: [PATHS],
      run: restore
    },
    {
      name: 'adopt',
      about: 'propose them to nodes that may write there, and whose drift rules say `adopt`',
      arguments: [PATHS],
      run: adopt
    }
  ]
}

/** `grapevine status`: this node, its peers and its spaces. */
import type { ProblemView, SpaceStatus, StatusView, TellingStatus } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { peerTable } from './peers.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { bytesText, pairs, safe, shortId, table } from './terminal.js'

/** Blobs on their way here that are named one by one. */
const MAX_FETCHING_SHOWN = 8
/** Files that GeoServer keeps in part and that are named one by one. */
const MAX_LEFT_OUT_SHOWN = 8

export async function run(_options: object, context: Context): Promise<void> {
  const status = await withReader(context, async (reader) => {
    if (reader.status) return reader.status()
    throw new GrapevineError('daemon-unreachable', `no daemon answers on ${context.home}`, {
      next: 'start it with `grapevine start`'
    })
  })
  await print(context, status, () => statusText(status, context.out.columns))
}

export function statusText(status: StatusView, width: number): string {
  const parts = [pairs(nodePairs(status)), spaceTable(status.spaces, width)]
  parts.push(status.peers.length === 0 ? 'no other members known\n' : peerTable(status.peers, width))
  if (status.problems.length > 0) parts.push(status.problems.map(problemText).join(''))
  return parts.join('\n')
}

function nodePairs(status: StatusView): Array<[string, string]> {
  const list: Array<[string, string]> = [
    ['node', `${status.node}`],
    ['name', `${status.name}, ${status.role}${status.scope === undefined ? '' : ` for ${status.scope.join(', ')}`}`],
    ['cluster', `${status.clusterName} (${shortId(status.cluster)})`],
    ['state', `${status.state} since ${status.since}`]
  ]
  for (const address of status.listen) list.push(['listen', shortId(address)])
  const { target, blobs } = status
  if (target) list.push(['shares', `${target.dir} (${target.state})`])
  for (const path of target?.drift ?? []) list.push(['drift', path])
  if (target !== undefined && target.broken > 0)
    list.push(['broken', `${target.broken} references that lead nowhere: see "grapevine waiting"`])
  if (target?.telling) list.push(...tellingPairs(target.telling))
  const gone = blobs.letGo.count === 0 ? '' : `, ${blobs.letGo.count} let go (${bytesText(blobs.letGo.bytes)})`
  list.push(['blobs', `${blobs.stored} stored, ${bytesText(blobs.bytes)}, ${blobs.wanted} wanted${gone}`])
  list.push(...fetchingPairs(blobs.fetching))
  if (status.unreplicated > 0)
    list.push(['unsent', `${status.unreplicated} records that no other node is known to hold`])
  return list
}

/** What has come furthest first: it is what people wait for. */
function fetchingPairs(fetching: StatusView['blobs']['fetching']): Array<[string, string]> {
  const begun = fetching.filter(({ have }) => have > 0).toSorted((a, b) => b.have / b.size - a.have / a.size)
  const lines = begun.slice(0, MAX_FETCHING_SHOWN).map(({ hash, size, have }): [string, string] => {
    const percent = Math.floor((have / size) * 100)
    return ['fetching', `${shortId(hash)} ${bytesText(have)} of ${bytesText(size)}, ${percent} %`]
  })
  const left = begun.length - lines.length
  return left === 0 ? lines : [...lines, ['', `and ${left} more`]]
}

const TELLING_WORDS: Readonly<Record<TellingStatus['state'], string>> = {
  told: 'knows everything',
  telling: 'is being told',
  'reload-due': 'waits for its turn to reload',
  unreachable: 'does not answer; it is told when it does',
  unauthorized: 'does not let the user in'
}

function tellingPairs(telling: TellingStatus): Array<[string, string]> {
  const { version, state, owed, reason, reloads, lastReload, failed, lacks, leftOut } = telling
  const rest = owed === 0 ? '' : `, ${owed} files to tell`
  const last = lastReload === undefined ? '' : `, ${reloads} reloads, the last took ${lastReload.ms} ms`
  return [
    ['geoserver', safe(`${version === undefined ? '' : `${version} `}${TELLING_WORDS[state]}${rest}${last}`)],
    ...(reason === undefined ? [] : [['', safe(reason)] as [string, string]]),
    ...failed.map(({ about, reason }): [string, string] => ['not taken', safe(`${about}: ${reason}`)]),
    ...lacks.map((lack): [string, string] => ['not drawn', safe(lackText(lack))]),
    ...leftOutPairs(leftOut)
  ]
}

/** What GeoServer did not keep of what it was told. */
function leftOutPairs(leftOut: TellingStatus['leftOut']): Array<[string, string]> {
  const lines = leftOut
    .slice(0, MAX_LEFT_OUT_SHOWN)
    .map(({ path, elements }): [string, string] => ['left out', safe(`${elements.join(', ')} of ${path}`)])
  const left = leftOut.length - lines.length
  return left === 0 ? lines : [...lines, ['', `and ${left} more`]]
}

/** `style line (css) and 47 more: the plugin css is not there`. */
function lackText({ plugin, objects, about }: TellingStatus['lacks'][number]): string {
  const left = objects - about.length
  return `${about.join(', ')}${left > 0 ? ` and ${left} more` : ''}: the plugin ${plugin} is not there`
}

function spaceTable(spaces: readonly SpaceStatus[], width: number): string {
  return table(
    [
      { title: 'entries', of: (space: SpaceStatus) => String(space.entries), align: 'right' },
      { title: 'conflicts', of: (space) => String(space.conflicts), align: 'right' },
      { title: 'waiting', of: (space) => String(space.waiting), align: 'right' },
      { title: 'root', of: (space) => shortId(space.root) },
      { title: 'space', of: (space) => space.name }
    ],
    spaces,
    width
  )
}

function problemText(problem: ProblemView): string {
  const where = problem.path === undefined ? '' : ` ${problem.path}:`
  return `${problem.code}:${safe(`${where} ${problem.message}`)}\n  next: ${safe(problem.next)}\n`
}

export const definition: CommandDefinition = {
  name: 'status',
  about: 'what this node holds, whom it knows, what needs attention',
  run
}

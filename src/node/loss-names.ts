/** Says what is lost in words a person can act on: which log, whose, which place, which paths. */
import type { CatalogReader } from '../catalog/index.js'
import type { LossView } from '../control/target.js'

/** Paths named for one loss. */
const MAX_PATHS = 100
/** Losses named in one sentence. */
const MAX_NAMED = 3

/** The same losses with the paths whose present values come from them. One pass over the catalog. */
export async function pathsOf(losses: readonly LossView[], reader: CatalogReader): Promise<LossView[]> {
  const records = new Map<string, string[]>()
  const blobs = new Map<string, string[]>()
  for (const loss of losses) {
    if (loss.kind === 'record') records.set(`${loss.log}/${loss.seq}`, [])
    if (loss.kind === 'blob') blobs.set(loss.hash, [])
  }
  for await (const id of reader.ids()) {
    const entry = reader.entry(id)
    if (entry === undefined) continue
    const lists = new Set<string[]>()
    for (const { log, seq } of entry.state.tuples) add(lists, records.get(`${log}/${seq}`))
    for (const { body } of entry.bodies) add(lists, blobs.get(body.hash))
    for (const list of lists) if (list.length < MAX_PATHS) list.push(reader.pathOf(id) ?? `id:${id}`)
  }
  return losses.map((loss) => {
    if (loss.kind === 'record') return { ...loss, paths: records.get(`${loss.log}/${loss.seq}`)! }
    return loss.kind === 'blob' ? { ...loss, paths: blobs.get(loss.hash)! } : loss
  })
}

function add(lists: Set<string[]>, list: string[] | undefined): void {
  if (list !== undefined) lists.add(list)
}

export function nameLosses(losses: readonly LossView[]): string {
  const named = losses.slice(0, MAX_NAMED).map(nameLoss).join('; ')
  const more = losses.length - MAX_NAMED
  return `damaged here, and on no connected node: ${named}${more > 0 ? `; and ${more} more` : ''}`
}

export function nameLoss(loss: LossView): string {
  switch (loss.kind) {
    case 'record':
      return `record ${loss.seq} of log ${loss.log} by ${loss.author || 'an unknown node'}${pathText(loss.paths)}`
    case 'blob':
      return `the ${loss.size} bytes of blob ${loss.hash}${pathText(loss.paths)}`
    case 'range':
      return `${loss.length} bytes of the log, in segment ${loss.segment} from ${loss.offset} on`
  }
}

function pathText(paths: readonly string[]): string {
  return paths.length === 0
    ? ''
    : ` (${paths.slice(0, MAX_NAMED).join(', ')}${paths.length > MAX_NAMED ? ', ...' : ''})`
}

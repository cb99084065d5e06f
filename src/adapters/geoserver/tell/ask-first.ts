/**
 * What a GeoServer is told that shares its directory with others. Each of them made some of the changes itself, and whoever
 * noticed them cannot tell which. Rules (tests cite the numbers):
 * 1. Before anything costs a reload GeoServer is asked whether it knows it already. What it made itself it does.
 * 2. It is never told to delete: it would remove files that another may just have made anew, and what it takes for theirs. What
 *    it still has and should not needs a reload.
 */
import { GrapevineError } from '../../../errors.js'
import type { Inventory } from '../inventory.js'
import { childOf, readXml } from '../xml.js'
import { lackedFields, planOf, readBackOf, type Call, type FileChange, type Plan } from './calls.js'

/** Asks GeoServer for what has an address. Throws as `Caller.text` does. */
export type Ask = (at: string) => Promise<string>

export async function askFirst(changes: readonly FileChange[], inventory: Inventory, ask: Ask): Promise<Plan> {
  const plan = planOf(changes, inventory)
  const byPath = new Map(changes.map((change) => [change.path, change]))
  // one that only a reload helps is enough: it covers the others
  for (const path of plan.reload) {
    const change = byPath.get(path)!
    if (!(await isKnown(change, ask))) return safe(plan)
    byPath.set(path, { ...change, before: change.after })
  }
  const known = planOf([...byPath.values()], inventory)
  const stale: string[] = []
  for (const { method, at, gone } of known.calls)
    if (method === 'DELETE' && (await answerOf(at.replace(/\?.*/s, ''), ask)) !== 404) stale.push(gone!)
  // tile layers have a reload of their own, which disturbs nobody
  const reloadTiles = known.reloadTiles || known.tiles.some(({ method }) => method === 'DELETE')
  return safe({ ...known, reload: [...known.reload, ...stale], reloadTiles, truncate: plan.truncate })
}

/** Rule 2. */
function safe(plan: Plan): Plan {
  const isSafe = ({ method }: Call): boolean => method !== 'DELETE'
  return { ...plan, calls: plan.calls.filter(isSafe), tiles: plan.tiles.filter(isSafe) }
}

/** Whether GeoServer has what otherwise only a reload would bring it. */
async function isKnown(change: FileChange, ask: Ask): Promise<boolean> {
  const was = change.before?.object
  const is = change.after?.object
  const at = readBackOf({ ...change, after: change.after ?? change.before })?.at
  if (at === undefined) return false
  const answer = await answerOf(at, ask)
  if (is === undefined) return answer === 404
  if (typeof answer === 'number') return false
  return was === undefined || (was.id === is.id && was.name === is.name && !namesAny(answer, lackedFields(was, is)))
}

function namesAny(answer: string, fields: readonly string[]): boolean {
  const read = readXml(Buffer.from(answer))
  return !read.ok || fields.some((field) => childOf(read.value.root, field) !== undefined)
}

/** The answer, or the HTTP status with which it was refused. */
async function answerOf(at: string, ask: Ask): Promise<string | number> {
  try {
    return await ask(at)
  } catch (error) {
    if (!(error instanceof GrapevineError) || error.code !== 'geoserver-refused') throw error
    return error.facts.status as number
  }
}

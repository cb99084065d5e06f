/**
 * The first half of a set: every new content is written beside its place, verified and fsynced, before anything is put
 * in place. What nothing in the set can change any more is settled here already.
 */
import type { ApplyItem, ApplyResult, BodySource } from '../contract.js'
import { dirEntry, done, type ChangeDeps } from './change.js'
import { outcomeOf, refuse } from './check.js'
import { Layout } from './layout.js'
import { mapLimit } from './pool.js'
import { splitPath } from './root.js'
import { stageWrite, type StagedWrite, type WriteItem } from './write.js'

/** Files written at once: the journal of the file system joins their fsyncs. */
export const PARALLEL_WRITES = 8

/** One item on its way: settled when it has a result, otherwise to be performed. */
export interface Step {
  readonly item: ApplyItem
  readonly staged: StagedWrite | null
  readonly result?: ApplyResult
}

/** One step an item, in their order. Never throws for an item. */
export async function stageSet(
  deps: ChangeDeps,
  items: readonly ApplyItem[],
  bodies: BodySource,
  signal?: AbortSignal
): Promise<Step[]> {
  const layout = new Layout(items)
  const settled = new Map<string, ApplyResult | undefined>()
  // parents come before children, so that what stands firm above is known below
  for (const item of items) {
    if (item.do === 'mkdir' && !settled.has(item.path))
      settled.set(item.path, await settleDirectory(deps, item, layout))
  }
  return mapLimit(items, PARALLEL_WRITES, async (item): Promise<Step> => {
    const known = item.do === 'mkdir' ? settled.get(item.path) : undefined
    if (known !== undefined) return { item, staged: null, result: { ...known, item } }
    try {
      refuse(deps, item, signal)
      return item.do === 'write' ? await stageOne(deps, item, layout, bodies, signal) : { item, staged: null }
    } catch (error) {
      return { item, staged: null, result: outcomeOf(item, error, signal) }
    }
  })
}

async function stageOne(
  deps: ChangeDeps,
  item: WriteItem,
  layout: Layout,
  bodies: BodySource,
  signal?: AbortSignal
): Promise<Step> {
  const alone = layout.isAlone(item.path)
  const dir = alone ? splitPath(item.path)[0] : await firmDirectory(deps, item.path, layout)
  const staged = await stageWrite(deps, item, { dir, alone }, bodies, signal)
  return 'outcome' in staged ? { item, staged: null, result: staged } : { item, staged }
}

/** A directory that is there already stands firm for everything below it; most sets name only such. */
async function settleDirectory(
  deps: ChangeDeps,
  item: ApplyItem & { do: 'mkdir' },
  layout: Layout
): Promise<ApplyResult | undefined> {
  if (!layout.isOnlyMade(item.path)) return undefined
  try {
    refuse(deps, item)
    const dir = await deps.root.openDir(item.path)
    if (dir === null) return undefined
    const stat = await dir.stat().finally(() => dir.close())
    layout.standsFirm(item.path)
    return done(item, dirEntry(item.path, stat))
  } catch {
    // it is met again, and reported, when its turn comes
    return undefined
  }
}

/** The nearest directory above `path` that is there and that no item of the set makes, moves or removes. */
async function firmDirectory(deps: ChangeDeps, path: string, layout: Layout): Promise<string> {
  let [at] = splitPath(path)
  for (; at !== ''; [at] = splitPath(at)) {
    if (!layout.isFirm(at)) continue
    const dir = await deps.root.openDir(at)
    await dir?.close()
    if (dir !== null) break
  }
  return at
}

/**
 * Applies one set: all new contents are staged first, then the set is written down in the journal, and only then the
 * first of its changes is made. In the order given, files in parallel where order cannot matter, answered when durable.
 */
import { isErrno } from '../../errors.js'
import type { ApplyItem, ApplyResult, BodySource, Waits } from '../contract.js'
import type { ChangeDeps } from './change.js'
import { failed, outcomeOf, refuse, stopped } from './check.js'
import type { Journal } from './journal.js'
import { mapLimit } from './pool.js'
import { mkdirItem, moveItem, removeItem } from './rearrange.js'
import { splitPath } from './root.js'
import { PARALLEL_WRITES, stageSet, type Step } from './stage.js'
import { discard, placeWrite } from './write.js'

export interface ApplyDeps extends ChangeDeps {
  /** Absent: a crash may leave half of a set. */
  readonly journal?: Journal
}

/** All of the set that must not be applied because `failed` could not be; asked again each time more has failed. */
export type Withhold = (failed: readonly ApplyItem[]) => ReadonlyMap<ApplyItem, Waits>

export async function applySet(
  deps: ApplyDeps,
  items: readonly ApplyItem[],
  bodies: BodySource,
  signal?: AbortSignal,
  withhold?: Withhold
): Promise<ApplyResult[]> {
  try {
    await deps.root.check()
    await deps.strays.sweep(deps.root)
  } catch (error) {
    return items.map((item) => failed(item, error))
  }
  const staged = await stageSet(deps, items, bodies, signal)
  const steps = withhold === undefined ? staged : await withheld(deps, staged, withhold)
  try {
    if (signal?.aborted) throw stopped(signal.reason)
    await writeDown(deps, steps)
  } catch (error) {
    return giveUp(deps, steps, error)
  }
  // from here on the set is finished, whoever asks for an end: it takes milliseconds
  return performSteps(deps, steps, withhold)
}

/** The steps, of which some are settled by waiting for what could not be staged. */
async function withheld(deps: ChangeDeps, steps: readonly Step[], withhold: Withhold): Promise<readonly Step[]> {
  const failed = steps.flatMap(({ item, result }) => (result === undefined || isDone(result) ? [] : [item]))
  if (failed.length === 0) return steps
  const waiting = withhold(failed)
  return mapLimit(steps, PARALLEL_WRITES, async (step) => {
    const waits = step.result === undefined ? waiting.get(step.item) : undefined
    return waits === undefined ? step : { ...step, staged: null, result: await leave(deps, step, waits) }
  })
}

/** Lets one wait; what was staged for it goes. */
async function leave(deps: ChangeDeps, { item, staged }: Step, waits: Waits): Promise<ApplyResult> {
  if (staged !== null) await discard(deps, staged)
  return { item, outcome: 'waits', entry: null, waits }
}

const isDone = ({ outcome }: ApplyResult): boolean => outcome === 'done'

/** Makes the staged names durable, then the entry that counts on them. */
async function writeDown({ root, journal }: ApplyDeps, steps: readonly Step[]): Promise<void> {
  const open = steps.filter((step) => step.result === undefined)
  if (journal === undefined || open.length === 0 || root.identity === null) return
  await mapLimit([...stagingDirs(open)], PARALLEL_WRITES, async (path) => {
    const dir = await root.openDir(path)
    await dir?.sync().finally(() => dir.close())
  })
  await journal.begin({
    root: { ...root.identity, place: root.place },
    steps: open.map(({ item, staged }) => ({ item, staged: staged && { dir: staged.dir, temp: staged.temp } }))
  })
}

async function giveUp(deps: ApplyDeps, steps: readonly Step[], error: unknown): Promise<ApplyResult[]> {
  return mapLimit(steps, PARALLEL_WRITES, async ({ item, staged, result }) => {
    if (staged !== null) await discard(deps, staged)
    return result ?? failed(item, error)
  })
}

/** Makes the changes that are not settled, durable when it resolves. One result a step, in their order. */
export async function performSteps(
  deps: ChangeDeps,
  steps: readonly Step[],
  withhold?: Withhold
): Promise<ApplyResult[]> {
  const results = new Map<Step, ApplyResult>()
  const open = steps.filter((step) => step.result === undefined)
  const unsuccessful: ApplyItem[] = []
  let waiting: ReturnType<Withhold> = new Map()
  for (const group of independentGroups(open, deps.together)) {
    await mapLimit(group, PARALLEL_WRITES, async (step) => {
      const waits = waiting.get(step.item)
      results.set(step, waits === undefined ? await performOne(deps, step) : await leave(deps, step, waits))
    })
    const more = group.filter((step) => !isDone(results.get(step)!) && !waiting.has(step.item))
    unsuccessful.push(...more.map(({ item }) => item))
    if (more.length > 0 && withhold !== undefined) waiting = withhold(unsuccessful)
  }
  const broken = await syncDirectories(deps, [...results.values()], stagingDirs(open))
  return steps.map((step) => {
    const result = step.result ?? results.get(step)!
    const paths = result.outcome === 'done' ? touchedBy(result.item) : []
    const error = paths.map((path) => broken.get(path)).find((fault) => fault !== undefined)
    return error === undefined ? result : failed(result.item, error)
  })
}

/** Runs of writes to different paths that may go together do not depend on each other; everything else keeps its place. */
export function independentGroups<T extends { readonly item: ApplyItem }>(
  steps: readonly T[],
  together: (a: string, b: string) => boolean = () => true
): T[][] {
  const groups: T[][] = []
  let paths: Set<string> | null = null
  for (const step of steps) {
    const { item } = step
    const last = groups.at(-1)?.at(-1)?.item.path
    if (item.do !== 'write' || (last !== undefined && !together(last, item.path))) paths = null
    if (item.do === 'write' && paths !== null && !paths.has(item.path)) groups.at(-1)!.push(step)
    else {
      groups.push([step])
      paths = item.do === 'write' ? new Set() : null
    }
    paths?.add(item.path)
  }
  return groups
}

async function performOne(deps: ChangeDeps, { item, staged }: Step): Promise<ApplyResult> {
  try {
    refuse(deps, item)
    if (item.do === 'write') return await placeWrite(deps, item, staged!)
    if (item.do === 'mkdir') return await mkdirItem(deps, item)
    if (item.do === 'remove') return await removeItem(deps, item)
    return await moveItem(deps, item)
  } catch (error) {
    return outcomeOf(item, error)
  }
}

/** One fsync for each touched directory. Returns those that failed. */
async function syncDirectories(
  deps: ChangeDeps,
  results: readonly ApplyResult[],
  also: Iterable<string>
): Promise<Map<string, unknown>> {
  const touched = new Set(also)
  for (const result of results)
    if (result.outcome === 'done') for (const path of touchedBy(result.item)) touched.add(path)
  const broken = new Map<string, unknown>()
  await mapLimit([...touched], PARALLEL_WRITES, async (path) => {
    try {
      const dir = await deps.root.openDir(path)
      // removed later in the same set: then the fsync of its own parent says so
      await dir?.sync().finally(() => dir.close())
    } catch (error) {
      if (!isErrno(error, 'EINVAL', 'ENOTSUP')) broken.set(path, error)
    }
  })
  return broken
}

/** A new directory is fsynced itself, too, so that its mode and owner survive a power cut. */
function touchedBy(item: ApplyItem): string[] {
  if (item.do === 'move') return [splitPath(item.from)[0], splitPath(item.path)[0]]
  return item.do === 'mkdir' ? [splitPath(item.path)[0], item.path] : [splitPath(item.path)[0]]
}

function stagingDirs(steps: readonly Step[]): Set<string> {
  return new Set(steps.flatMap(({ staged }) => staged?.dir ?? []))
}

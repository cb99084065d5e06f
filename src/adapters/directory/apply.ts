/** Applies one set: in the order given, files in parallel where order cannot matter, answered when durable. */
import { GrapevineError, isErrno } from '../../errors.js'
import type { ApplyItem, ApplyResult, BodySource } from '../contract.js'
import { checkPath } from '../names.js'
import { Differs, type ChangeDeps } from './change.js'
import { ignored, writeFailed } from './faults.js'
import { mapLimit } from './pool.js'
import { mkdirItem, moveItem, removeItem } from './rearrange.js'
import { splitPath } from './root.js'
import { writeItem } from './write.js'

/** Files written at once, and directories fsynced at once: the journal of the file system joins their fsyncs. */
const PARALLEL_WRITES = 8

export async function applySet(
  deps: ChangeDeps,
  items: readonly ApplyItem[],
  bodies: BodySource,
  signal?: AbortSignal
): Promise<ApplyResult[]> {
  try {
    await deps.root.check()
  } catch (error) {
    return items.map((item) => failed(item, error))
  }
  const results: ApplyResult[] = []
  for (const group of independentGroups(items)) {
    results.push(...(await mapLimit(group, PARALLEL_WRITES, (item) => applyOne(deps, item, bodies, signal))))
  }
  const broken = await syncDirectories(deps, results)
  return results.map((result) => {
    const error =
      result.outcome === 'done'
        ? touchedBy(result.item)
            .map((path) => broken.get(path))
            .find((e) => e !== undefined)
        : undefined
    return error === undefined ? result : failed(result.item, error)
  })
}

/** Runs of writes to different paths do not depend on each other; everything else keeps its place. */
export function independentGroups(items: readonly ApplyItem[]): ApplyItem[][] {
  const groups: ApplyItem[][] = []
  let paths: Set<string> | null = null
  for (const item of items) {
    if (item.do !== 'write') paths = null
    if (item.do === 'write' && paths !== null && !paths.has(item.path)) groups.at(-1)!.push(item)
    else {
      groups.push([item])
      paths = item.do === 'write' ? new Set() : null
    }
    paths?.add(item.path)
  }
  return groups
}

async function applyOne(
  deps: ChangeDeps,
  item: ApplyItem,
  bodies: BodySource,
  signal?: AbortSignal
): Promise<ApplyResult> {
  try {
    refuse(deps, item, signal)
    if (item.do === 'write') return await writeItem(deps, item, bodies, signal)
    if (item.do === 'mkdir') return await mkdirItem(deps, item)
    if (item.do === 'remove') return await removeItem(deps, item)
    return await moveItem(deps, item)
  } catch (error) {
    if (error instanceof Differs) return { item, outcome: 'differs', entry: null, error: error.fault }
    return failed(item, signal?.aborted === true && !(error instanceof GrapevineError) ? stopped(error) : error)
  }
}

function refuse(deps: ChangeDeps, item: ApplyItem, signal?: AbortSignal): void {
  if (signal?.aborted) throw stopped(signal.reason)
  const isDir = item.do === 'mkdir' || (item.do !== 'write' && item.expect.kind === 'dir')
  for (const path of item.do === 'move' ? [item.from, item.path] : [item.path]) {
    const refusal = checkPath(path)
    if (refusal !== null) throw refusal
    if (deps.rules.ignores(path, isDir ? 'dir' : 'file')) throw ignored(path)
  }
}

/** One fsync for each touched directory. Returns those that failed. */
async function syncDirectories(deps: ChangeDeps, results: readonly ApplyResult[]): Promise<Map<string, unknown>> {
  const touched = new Set(
    results.filter((result) => result.outcome === 'done').flatMap((result) => touchedBy(result.item))
  )
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

function failed(item: ApplyItem, error: unknown): ApplyResult {
  return { item, outcome: 'failed', entry: null, error: writeFailed(item.path, error) }
}

function stopped(cause: unknown): GrapevineError {
  return new GrapevineError('stopped', 'the set was not finished because the node is stopping', {
    next: 'nothing to do: it is applied again after the next start',
    cause
  })
}

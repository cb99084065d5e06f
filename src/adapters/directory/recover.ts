/**
 * What the last run left half done, before anything is scanned. Rules (tests cite the numbers):
 * 1. A set whose entry in the journal is whole is finished; without a whole entry nothing of it was put in place.
 * 2. What is not as the set expected it was changed by somebody: it stays, and the scan finds it.
 * 3. When a staged content is missing or damaged and no other was put in place yet, the set is taken back instead.
 * 4. It may be interrupted and run again at any point.
 */
import { isErrno } from '../../errors.js'
import type { Logger } from '../../runtime.js'
import type { ApplyItem, ApplyResult } from '../contract.js'
import { performSteps, type ApplyDeps } from './apply.js'
import { statOf, holds } from './current.js'
import { hashFile } from './content.js'
import type { Journal, JournalEntry, JournalStep } from './journal.js'
import { mapLimit } from './pool.js'
import { splitPath, type Root } from './root.js'
import { PARALLEL_WRITES } from './stage.js'
import { discard, type WriteItem } from './write.js'

export interface RecoverDeps extends ApplyDeps {
  readonly journal: Journal
  readonly logger: Logger
}

/** How far one write got. */
type Progress = 'staged' | 'placed' | 'lost'

/**
 * Finishes or takes back what the journal holds, and returns what the target holds now of a finished set. The entry
 * stays until `Journal.retire`, so that the caller can take note first.
 */
export async function recoverSet(deps: RecoverDeps): Promise<ApplyResult[]> {
  const { journal, logger, root } = deps
  const entry = await journal.read()
  if (entry === null) return []
  if (entry === 'torn') {
    logger.info('a set of changes had not begun when the last run ended; it is taken back')
    await journal.retire()
    return []
  }
  if (!isFor(root, entry)) {
    logger.warn('a set of changes was left half applied to another directory', { place: entry.root.place })
    await journal.retire()
    return []
  }
  const progress = await mapLimit(entry.steps, PARALLEL_WRITES, (step) => progressOf(deps, step))
  if (progress.includes('lost') && !progress.includes('placed')) return takeBack(deps, entry)
  return finish(deps, entry, progress)
}

function isFor(root: Root, { root: { ino, place } }: JournalEntry): boolean {
  // device numbers change with a reboot
  return root.identity?.ino === ino && root.place === place
}

/** Null for what needs no content: performing it again is harmless. */
async function progressOf(deps: RecoverDeps, { item, staged }: JournalStep): Promise<Progress | null> {
  if (item.do !== 'write' || staged === null) return null
  if (await isComplete(deps, staged.dir, staged.temp, item)) return 'staged'
  return (await isPlaced(deps, item)) ? 'placed' : 'lost'
}

async function isComplete({ root }: RecoverDeps, path: string, temp: string, item: WriteItem): Promise<boolean> {
  const dir = await root.openDir(path)
  if (dir === null) return false
  try {
    const found = await hashFile(dir.at(temp))
    return typeof found === 'object' && found.body.hash === item.body.hash && found.body.size === item.body.size
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP')) return false
    throw error
  } finally {
    await dir.close()
  }
}

async function isPlaced({ root, cache }: RecoverDeps, item: WriteItem): Promise<boolean> {
  const [parent, name] = splitPath(item.path)
  const dir = await root.openDir(parent)
  if (dir === null) return false
  try {
    const wanted = { kind: 'file', body: item.body, exec: item.exec } as const
    return await holds(cache, dir, name, item.path, await statOf(dir, name), wanted)
  } finally {
    await dir.close()
  }
}

async function takeBack(deps: RecoverDeps, { steps }: JournalEntry): Promise<ApplyResult[]> {
  for (const { staged } of steps) if (staged !== null) await discard(deps, staged)
  await deps.journal.retire()
  deps.logger.warn('staged contents of a set of changes were missing or damaged; it is taken back', {
    items: steps.length
  })
  return []
}

async function finish(
  deps: RecoverDeps,
  { steps }: JournalEntry,
  progress: readonly (Progress | null)[]
): Promise<ApplyResult[]> {
  const doable = steps.filter((_, at) => progress[at] !== 'lost')
  const results = await performSteps(deps, doable)
  const left = results.filter((result) => result.outcome !== 'done').map((result): ApplyItem => result.item)
  deps.logger.info('a set of changes that the last run had begun is finished', {
    done: results.length - left.length,
    left: steps.length - results.length + left.length
  })
  return results.filter((result) => result.outcome === 'done')
}

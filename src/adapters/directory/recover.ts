/**
 * What the last run left half done, before anything is scanned. Rules (tests cite the numbers):
 * 1. A set whose entry in the journal is whole is finished; without a whole entry nothing of it was put in place.
 * 2. What is not as the set expected it was changed by somebody: it stays, and the scan finds it.
 * 3. When a staged content is missing or damaged and no other was put in place yet, the set is taken back instead.
 * 4. It may be interrupted and run again at any point.
 */
import { isErrno } from '../../errors.js'
import type { Logger } from '../../runtime.js'
import type { ApplyResult } from '../contract.js'
import { performSteps, type ApplyDeps } from './apply.js'
import { done } from './change.js'
import { hashFile } from './content.js'
import { holds, statOf, type Wanted } from './current.js'
import type { Journal, JournalEntry, JournalStep, Staged } from './journal.js'
import { mapLimit } from './pool.js'
import { splitPath, type Root } from './root.js'
import { PARALLEL_WRITES, type Step } from './stage.js'
import { discard, type WriteItem } from './write.js'

export interface RecoverDeps extends ApplyDeps {
  readonly journal: Journal
  readonly logger: Logger
}

/**
 * How far one write got. `passed`: it was in place and somebody changed it since, for its staged file is gone and what it
 * was to replace is gone too. Who changed it had seen it, so it counts as done and the scan finds the change.
 */
type Progress = 'staged' | 'placed' | 'passed' | 'lost'

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
  const begun = progress.includes('placed') || progress.includes('passed')
  if (progress.includes('lost') && !begun) return takeBack(deps, entry)
  return finish(deps, entry, progress)
}

function isFor(root: Root, { root: { ino, place } }: JournalEntry): boolean {
  // device numbers change with a reboot
  return root.identity?.ino === ino && root.place === place
}

/** Null for what needs no content: performing it again is harmless. */
async function progressOf(deps: RecoverDeps, { item, staged }: JournalStep): Promise<Progress | null> {
  if (item.do !== 'write' || staged === null) return null
  const found = await stagedState(deps, staged, item)
  if (found === 'complete') return 'staged'
  if (await isAt(deps, item, { kind: 'file', body: item.body, exec: item.exec })) return 'placed'
  return found === 'missing' && !(await isAt(deps, item, item.expect)) ? 'passed' : 'lost'
}

async function stagedState(
  { root }: RecoverDeps,
  { dir: path, temp }: Staged,
  { body }: WriteItem
): Promise<'complete' | 'missing' | 'damaged'> {
  const dir = await root.openDir(path)
  if (dir === null) return 'missing'
  try {
    const found = await hashFile(dir.at(temp))
    return typeof found === 'object' && found.body.hash === body.hash ? 'complete' : 'damaged'
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 'missing'
    throw error
  } finally {
    await dir.close()
  }
}

async function isAt({ root, cache }: RecoverDeps, { path }: WriteItem, wanted: Wanted): Promise<boolean> {
  const [parent, name] = splitPath(path)
  const dir = await root.openDir(parent)
  if (dir === null) return wanted === null
  try {
    return await holds(cache, dir, name, path, await statOf(dir, name), wanted)
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
  const all = steps.flatMap((step, at): Step[] => {
    if (progress[at] === 'lost') return []
    return [progress[at] === 'passed' ? { ...step, result: passed(step.item as WriteItem) } : step]
  })
  const results = (await performSteps(deps, all)).filter((result) => result.outcome === 'done')
  deps.logger.info('a set of changes that the last run had begun is finished', {
    done: results.length,
    left: steps.length - results.length
  })
  return results
}

/** What was there before somebody changed it; which file on the disk it was is not known any more. */
function passed(item: WriteItem): ApplyResult {
  const { path, body, exec } = item
  return done(item, { path, kind: 'file', body, exec, inode: '' })
}

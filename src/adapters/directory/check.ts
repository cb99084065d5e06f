/** What is refused before anything is looked at, and what anything thrown means for an item. */
import { GrapevineError } from '../../errors.js'
import type { ApplyItem, ApplyResult } from '../contract.js'
import { checkPath } from '../names.js'
import { Differs, type ChangeDeps } from './change.js'
import { ignored, writeFailed } from './faults.js'

/** Throws for hostile and ignored paths, and when the work is to end. */
export function refuse(deps: Pick<ChangeDeps, 'rules'>, item: ApplyItem, signal?: AbortSignal): void {
  if (signal?.aborted) throw stopped(signal.reason)
  const isDir = item.do === 'mkdir' || (item.do !== 'write' && item.expect.kind === 'dir')
  for (const path of item.do === 'move' ? [item.from, item.path] : [item.path]) {
    const refusal = checkPath(path)
    if (refusal !== null) throw refusal
    if (deps.rules.ignores(path, isDir ? 'dir' : 'file')) throw ignored(path)
  }
}

export function outcomeOf(item: ApplyItem, error: unknown, signal?: AbortSignal): ApplyResult {
  if (error instanceof Differs) return { item, outcome: 'differs', entry: null, error: error.fault }
  return failed(item, signal?.aborted === true && !(error instanceof GrapevineError) ? stopped(error) : error)
}

export function failed(item: ApplyItem, error: unknown): ApplyResult {
  return { item, outcome: 'failed', entry: null, error: writeFailed(item.path, error) }
}

export function stopped(cause: unknown): GrapevineError {
  return new GrapevineError('stopped', 'the set was not applied because the node is stopping', {
    next: 'nothing to do: it is applied after the next start',
    cause
  })
}

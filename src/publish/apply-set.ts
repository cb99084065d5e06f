/** Applies a set so that a fault over one of its items does not keep the others from their place. */
import type { Adapter, ApplyItem, ApplyResult, BodySource, Coming } from '../adapters/contract.js'
import { faultText, GrapevineError, isFault } from '../errors.js'

/**
 * One result an item, in their order. When a fault ends the set as a whole its items are applied one by one, and those
 * that throw are `failed` with `internal`. When every one of several does, it is the adapter that is at fault: that is thrown.
 */
export async function applySet(
  adapter: Pick<Adapter, 'apply'>,
  items: readonly ApplyItem[],
  bodies: BodySource,
  signal: AbortSignal,
  coming: Coming
): Promise<ApplyResult[]> {
  let fault: unknown
  try {
    return await adapter.apply(items, bodies, signal, coming)
  } catch (error) {
    if (!isFault(error) || signal.aborted) throw error
    fault = error
  }
  const results: ApplyResult[] = []
  let thrown = 0
  for (const item of items) {
    try {
      // the others of the set follow, or went before
      results.push(...(await adapter.apply([item], bodies, signal, { ...coming, more: true })))
    } catch (error) {
      if (!isFault(error) || signal.aborted) throw error
      thrown += 1
      results.push({ item, outcome: 'failed', entry: null, error: internal(item.path, error) })
    }
  }
  if (thrown === items.length && thrown > 1) throw fault
  return results
}

function internal(path: string, cause: unknown): GrapevineError {
  return new GrapevineError('internal', `${path} cannot be applied: ${faultText(cause)}`, {
    next: 'report this',
    facts: { path },
    cause
  })
}

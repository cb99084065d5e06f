/**
 * What the directory's journal keeps of an item for the caller and for us. After a crash the file lies there and its
 * travelling form is not known any more, so the mark carries it.
 */
import type { ApplyItem, ApplyResult, BodyRef } from '../contract.js'

interface Kept {
  readonly mark?: string
  readonly stands?: BodyRef
}

export function markOf(mark: string | undefined, stands: BodyRef | undefined): string {
  return JSON.stringify({ mark, stands })
}

/** A result that the journal handed out, as the catalog knows it. */
export function recoveredResult({ item, ...result }: ApplyResult): ApplyResult {
  if (item.mark === undefined) return { item, ...result }
  const { mark, stands } = JSON.parse(item.mark) as Kept
  const { mark: _ours, ...unmarked } = item
  const own = { ...unmarked, ...(mark === undefined ? {} : { mark }) } as ApplyItem
  if (stands === undefined || result.entry?.kind !== 'file') return { item: own, ...result }
  const entry = { ...result.entry, body: stands }
  if (own.do === 'write') return { ...result, item: { ...own, body: stands }, entry }
  if (own.do === 'move' && own.expect.kind === 'file')
    return { ...result, item: { ...own, expect: { ...own.expect, body: stands } }, entry }
  return { ...result, item: own, entry }
}

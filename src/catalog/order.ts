/** Fractional order keys: the place of one entry among its siblings, changed by one write. */
import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing'
import { GrapevineError } from '../errors.js'

/**
 * A key in front of the sibling named `before`, or behind all of them for `''`. Two nodes may draw the same key; equal
 * keys stand by name, so the order is still one.
 */
export function orderBetween(siblings: ReadonlyArray<{ name: string; order: string | null }>, before: string): string {
  const at = before === '' ? siblings.length : siblings.findIndex((entry) => entry.name === before)
  if (at < 0)
    throw new GrapevineError('not-found', `there is no sibling named ${JSON.stringify(before)}`, {
      next: 'see "grapevine ls" for the names beside it'
    })
  const upper = siblings[at]?.order ?? null
  let lower: string | null = null
  for (let index = at - 1; index >= 0 && lower === null; index--) {
    const { order } = siblings[index]!
    // an equal key leaves no room: go in front of the whole group of equals
    if (order !== null && (upper === null || order < upper)) lower = order
  }
  return generateKeyBetween(lower, upper)
}

/**
 * A key for each sibling, in the order they stand, each greater than the one before: who has none yet, has the same as
 * another (drawn at one place by two at once) or one that is no key gets a new one.
 */
export function orderKeysFor<T extends { order: string | null }>(
  siblings: readonly T[]
): Array<{ entry: T; order: string }> {
  const keys: string[] = []
  while (keys.length < siblings.length) {
    const lower = keys.at(-1) ?? null
    const next = siblings.findIndex(
      ({ order }, index) => index >= keys.length && isKey(order) && (lower === null || order > lower)
    )
    const upper = next < 0 ? null : siblings[next]!.order
    keys.push(...generateNKeysBetween(lower, upper, (next < 0 ? siblings.length : next) - keys.length))
    if (upper !== null) keys.push(upper)
  }
  return siblings.map((entry, index) => ({ entry, order: keys[index]! }))
}

function isKey(order: string | null): order is string {
  if (order === null) return false
  try {
    generateKeyBetween(order, null)
    return true
  } catch {
    return false
  }
}

/** What a key may be, and the order of keys. Both stores share this, so that the simulator sees what Level does. */

/** Longest key, UTF-8 bytes: a full path (4 KiB) with room for namespace and ids. Longer keys are a fault of ours. */
export const MAX_KEY_BYTES = 16 * 1024

/** Keys that start so belong to the store itself: the format version, the barrier. */
export const RESERVED_PREFIX = '!store/'

export function isReservedKey(key: string): boolean {
  return key.startsWith(RESERVED_PREFIX)
}

/** Throws a TypeError for a key that a caller must not write: these are programming faults, not bad input. */
export function assertWritableKey(key: string): void {
  if (key === '' || isReservedKey(key)) throw new TypeError(`key ${JSON.stringify(key)} belongs to the store`)
  // One UTF-16 unit is at most three UTF-8 bytes, so short keys need no counting.
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new TypeError(`a key of ${Buffer.byteLength(key)} bytes exceeds ${MAX_KEY_BYTES}`)
  }
  // A lone surrogate has no UTF-8 form: two different keys would become the same row.
  if (!key.isWellFormed()) throw new TypeError('a key must be well-formed Unicode')
}

/**
 * Moves UTF-16 units so that comparing them orders text like its UTF-8 bytes: surrogates stand for the highest
 * characters but lie below U+E000.
 */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800
  return unit >= 0xd800 ? unit + 0x2000 : unit
}

/** Compares as LevelDB does, by UTF-8 bytes. JavaScript's own `<` differs for characters beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let at = 0; at < shared; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

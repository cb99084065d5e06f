/** Whether what the index holds of the catalog is what it was: read from the store itself, past every cache. */
import { GrapevineError, reasonOf } from '../errors.js'
import { prefixRange, type Store } from '../store/index.js'
import { sha256Hex } from '../wire/index.js'
import { addHash, WORDS } from './buckets.js'
import { bodyKey } from './catalog.js'
import { decodeEntry, entryHash } from './entry.js'
import { ENTRY_ROWS } from './rows.js'

const BODIES = bodyKey('')

/** False when a row is a small body and does not match its hash. */
export function isSoundRow(key: string, value: Uint8Array): boolean {
  return !key.startsWith(BODIES) || sha256Hex(value) === key.slice(BODIES.length)
}

/** The sum of one bucket as its stored entries make it, and how many bytes were read. Throws `store-damaged`. */
export async function storedBucketSum(store: Store, bucket: number): Promise<{ sum: Uint8Array; bytes: number }> {
  // of this bucket alone: sums of all of them for each would move a gigabyte a pass
  const sums = new Uint32Array(WORDS)
  let bytes = 0
  for await (const [key, row] of store.iterate(prefixRange(ENTRY_ROWS + bucket.toString(16).padStart(3, '0')))) {
    const id = key.slice(ENTRY_ROWS.length)
    const hash = hashOf(id, row)
    if (hash !== undefined) addHash(sums, 0, hash, false)
    bytes += row.length
  }
  return { sum: new Uint8Array(sums.buffer), bytes }
}

function hashOf(id: string, row: Uint8Array): Buffer | undefined {
  try {
    const state = decodeEntry(row)
    return state.tuples.length === 0 ? undefined : entryHash(id, state)
  } catch (error) {
    throw new GrapevineError('store-damaged', `an entry of the index cannot be read: ${reasonOf(error)}`, {
      next: 'the index is made again from the log',
      facts: { id },
      cause: error
    })
  }
}

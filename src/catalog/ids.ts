/** Names that are computed, not drawn: entry ids of paths, Yjs client ids. SPEC.md, "Ids". */
import { createHash } from 'node:crypto'
import { bytesOf } from '../wire/index.js'

/** The root of a catalog: always there, never written. */
export const ROOT_ID = '0'.repeat(32)

const ENTRY_DOMAIN = Buffer.from('grapevine/entry/1\0')
const CLIENT_DOMAIN = Buffer.from('grapevine/client/1\0')

export type EntryKind = 'file' | 'dir'

/**
 * The id of an entry born from a path, so that nodes importing the same directory meet in the same entries. `turn`
 * counts up from 0 while the id is taken by an entry that has moved elsewhere. 32 hex.
 */
export function entryIdOfPath(parent: string, name: string, kind: EntryKind, turn: number): string {
  return createHash('sha256')
    .update(ENTRY_DOMAIN)
    .update(bytesOf(parent))
    .update(Uint8Array.of(kind === 'dir' ? 1 : 0, turn & 255, (turn >> 8) & 255))
    .update(name)
    .digest('hex')
    .slice(0, 32)
}

/**
 * The Yjs client id under which (author, epoch) writes to one entry: 53 bits of a hash, never 0. Receivers compute it
 * themselves, so nobody can write under another's id (YJS.md, section 5).
 */
export function clientIdOf(author: Uint8Array, epoch: string, entry: string): number {
  const digest = createHash('sha256')
    .update(CLIENT_DOMAIN)
    .update(author)
    .update(bytesOf(epoch))
    .update(bytesOf(entry))
    .digest()
  const id = (digest.readUInt32BE(0) & 0x1fffff) * 2 ** 32 + digest.readUInt32BE(4)
  // a negative left operand cannot occur: the mask leaves 21 bits
  return id === 0 ? 1 : id
}

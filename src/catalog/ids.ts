/** Names that are computed, not drawn: entry ids of paths, Yjs client ids. SPEC.md, "Ids". */
import { sha256, sha256Hex } from '../wire/index.js'

/** The root of a catalog: always there, never written. */
export const ROOT_ID = '0'.repeat(32)

/** Rows of the index that say who claims a name. */
export const NAME_ROWS = 'n/'
export const nameKey = (parent: string, name: string): string => `${NAME_ROWS}${parent}/${name}`

const ENTRY_DOMAIN = Buffer.from('grapevine/entry/1\0')
const CLIENT_DOMAIN = Buffer.from('grapevine/client/1\0')

const ID_BYTES = 16
const EPOCH_BYTES = 8

export type EntryKind = 'file' | 'dir'

/**
 * The id of an entry born from a path, so that nodes importing the same directory meet in the same entries. `turn`
 * counts up from 0 while the id is taken by an entry that has moved elsewhere. 32 hex.
 */
export function entryIdOfPath(parent: string, name: string, kind: EntryKind, turn: number): string {
  const nameAt = ENTRY_DOMAIN.length + ID_BYTES + 3
  const bytes = Buffer.allocUnsafe(nameAt + Buffer.byteLength(name))
  let at = ENTRY_DOMAIN.copy(bytes)
  at += bytes.write(parent, at, ID_BYTES, 'hex')
  bytes[at] = kind === 'dir' ? 1 : 0
  bytes[at + 1] = turn & 255
  bytes[at + 2] = (turn >> 8) & 255
  bytes.write(name, nameAt)
  return sha256Hex(bytes).slice(0, 2 * ID_BYTES)
}

/**
 * The Yjs client id under which (author, epoch) writes to one entry: 53 bits of a hash, never 0. Receivers compute it
 * themselves, so nobody can write under another's id (YJS.md, section 5).
 */
export function clientIdOf(author: Uint8Array, epoch: string, entry: string): number {
  const bytes = Buffer.allocUnsafe(CLIENT_DOMAIN.length + author.length + EPOCH_BYTES + ID_BYTES)
  let at = CLIENT_DOMAIN.copy(bytes)
  bytes.set(author, at)
  at += author.length
  at += bytes.write(epoch, at, EPOCH_BYTES, 'hex')
  bytes.write(entry, at, ID_BYTES, 'hex')
  const digest = sha256(bytes)
  const id = (digest.readUInt32BE(0) & 0x1fffff) * 2 ** 32 + digest.readUInt32BE(4)
  // a negative left operand cannot occur: the mask leaves 21 bits
  return id === 0 ? 1 : id
}

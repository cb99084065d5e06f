/** The key a home goes on with next: in a file of its own until the home is switched to it, whole or not at all. */
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '../errors.js'
import type { KeyPair } from '../identity/index.js'
import { systemRandom } from '../runtime-node.js'
import { ensureKey, KEY_FILE, replaceFile } from './home.js'
import { hashOf } from './sums.js'

const NEXT_KEY_FILE = 'node.key.next'

/** Where the next key is kept until it is used. */
export interface NextKey {
  /** Whether there is one. */
  exists(): Promise<boolean>
  /** Made when there is none, and durable when it resolves. */
  ensure(): Promise<KeyPair>
}

export function nextKeyIn(home: string): NextKey {
  return { exists: () => hasNextKey(home), ensure: () => ensureNextKey(home) }
}

/** Made when there is none: a second attempt goes on with the same one. */
export function ensureNextKey(home: string): Promise<KeyPair> {
  return ensureKey(home, (length) => systemRandom.bytes(length), NEXT_KEY_FILE)
}

async function hasNextKey(home: string): Promise<boolean> {
  try {
    await readFile(join(home, NEXT_KEY_FILE))
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** From now on the home has that key. Until it is done it is the one it was. */
export async function switchToNextKey(home: string): Promise<void> {
  const next = await readFile(join(home, NEXT_KEY_FILE))
  await replaceFile(home, KEY_FILE, hashOf(next), () => rename(join(home, NEXT_KEY_FILE), join(home, KEY_FILE)))
}

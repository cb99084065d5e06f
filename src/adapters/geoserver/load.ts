/** Reads a data directory as it lies there into an inventory. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno, reasonOf } from '../../errors.js'
import { bodyRefOf } from '../../wire/index.js'
import { mapLimit } from '../directory/pool.js'
import { travels, type Classifier, type FileClass } from './classify.js'
import type { FactsBook } from './facts-book.js'
import type { Inventory } from './inventory.js'
import { isRead, readFacts, type FileFacts } from './objects.js'
import { walk, type Walked } from './walk.js'
import { MAX_XML_BYTES } from './xml.js'

/** Files read at once. */
const PARALLEL_READS = 8
/** Files gathered before they are read: bounds memory, and others run in between. */
const WINDOW = 256

export interface LoadOptions {
  /** Called with the number of files looked at, now and then. */
  readonly progress?: (files: number) => void
  /** What was met that is no file to be read. */
  readonly besides?: (walked: Walked) => void
  /** What files said before; absent: all are read. */
  readonly book?: FactsBook
  /** What a file is known to say without being read; null: it is left out; undefined: it is to be read. */
  readonly said?: (path: string, fileClass: FileClass) => FileFacts | null | undefined | Promise<FileFacts | undefined>
  /** Whether what was read of a file is older than what the inventory holds; absent: it never is. */
  readonly isStale?: (path: string) => boolean
}

/** Takes all files below `root` into `inventory`. Throws what opening the root throws. */
export async function loadInventory(
  root: string,
  classifier: Classifier,
  inventory: Inventory,
  { progress, besides, book, said, isStale }: LoadOptions = {}
): Promise<void> {
  let window: string[] = []
  const readWindow = async (): Promise<void> => {
    const read = await mapLimit(window, PARALLEL_READS, async (path) => {
      const fileClass = classifier.classify(path)
      const known = await said?.(path, fileClass)
      return known === undefined ? factsAt(root, path, fileClass, { ...(book && { book }) }) : known
    })
    for (const facts of read) if (facts !== null && isStale?.(facts.path) !== true) inventory.set(facts)
    window = []
    progress?.(inventory.files.size)
  }
  for await (const walked of walk(root, classifier)) {
    if (walked.type === 'file') window.push(walked.path)
    else besides?.(walked)
    if (window.length >= WINDOW) await readWindow()
  }
  await readWindow()
}

/**
 * What one file says, read as far as it must be; null when it is gone by now. `from`: where it lies, when `path` is where
 * it is to lie. What was read is noted in `book`. Never throws.
 */
export async function factsAt(
  root: string,
  path: string,
  fileClass: FileClass,
  { from = path, book }: { readonly from?: string; readonly book?: FactsBook } = {}
): Promise<FileFacts | null> {
  // what must not leave the node is not looked into either
  const looked = travels(fileClass.sharing) || fileClass.sharing === 'opt-in'
  if (!looked || !isRead(path, fileClass)) return { path, class: fileClass }
  try {
    const bytes = await readBounded(join(root, from))
    const facts = readFacts(path, fileClass, bytes)
    // of a longer file not all was read
    if (bytes.length > MAX_XML_BYTES) return facts
    const { hash } = bodyRefOf(bytes)
    book?.note(hash, facts)
    return { ...facts, hash }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null
    return { path, class: fileClass, problem: { word: 'unreadable', reason: `cannot be read: ${reasonOf(error)}` } }
  }
}

/** At most one byte more than is ever parsed, so that a huge file costs no memory. */
async function readBounded(path: string): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    const { size } = await handle.stat()
    const buffer = Buffer.alloc(Math.min(size, MAX_XML_BYTES + 1))
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } finally {
    await handle.close()
  }
}

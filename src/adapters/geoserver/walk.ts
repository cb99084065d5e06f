/** Walks a data directory as it lies there, without following a link and without entering what can be endless. */
import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '../../errors.js'
import { showName } from '../names.js'
import type { Classifier } from './classify.js'
import type { FileKind } from './file-rules.js'

export type Walked =
  | { readonly type: 'file'; readonly path: string }
  /** A directory that was not entered: nothing in it is anybody's but this node's. */
  | { readonly type: 'skipped'; readonly path: string }
  | { readonly type: 'other' | 'unreadable'; readonly path: string }
  /** A name that is not UTF-8; `path` is how it may be shown. */
  | { readonly type: 'unnamed'; readonly path: string }

/** Kinds of which a directory may hold hundreds of thousands of files that say nothing. */
const NOT_ENTERED: ReadonlySet<FileKind> = new Set(['cache', 'log', 'scratch', 'node', 'backup'])

/** Everything below `root`, directories before what is in them. Throws what opening the root throws. */
export async function* walk(root: string, classifier: Classifier): AsyncGenerator<Walked> {
  const open = ['']
  while (open.length > 0) {
    const directory = open.pop()!
    let entries: Array<Dirent<Buffer>>
    try {
      entries = await readdir(join(root, directory), { withFileTypes: true, encoding: 'buffer' })
    } catch (error) {
      if (directory === '') throw error
      // gone since its parent was read
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) yield { type: 'unreadable', path: directory }
      continue
    }
    const below: string[] = []
    for (const entry of entries) {
      const name = decode(entry.name)
      if (name === null) {
        yield { type: 'unnamed', path: join(showName(directory), showName(entry.name)) }
        continue
      }
      const path = join(directory, name)
      if (entry.isFile()) yield { type: 'file', path }
      else if (!entry.isDirectory()) yield { type: 'other', path }
      else if (isEntered(classifier, path)) below.push(path)
      else yield { type: 'skipped', path }
    }
    open.push(...below.toSorted().toReversed())
  }
}

function isEntered(classifier: Classifier, path: string): boolean {
  return !classifier.leavesOut(path, 'dir') || !NOT_ENTERED.has(classifier.classify(path).kind)
}

function decode(name: Buffer): string | null {
  const text = name.toString()
  return Buffer.from(text).equals(name) ? text : null
}

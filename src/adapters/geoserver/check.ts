/** Looks through a whole data directory and says what is wrong with it. Needs no node and changes nothing. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { GrapevineError, isErrno, reasonOf } from '../../errors.js'
import { mapLimit } from '../directory/pool.js'
import { Classifier, travels, type FileClass } from './classify.js'
import { brokenReferencesOf, FAULTS, finding, findingsOf, type Finding } from './findings.js'
import { Inventory } from './inventory.js'
import { isRead, readFacts, type FileFacts } from './objects.js'
import { walk, type Walked } from './walk.js'
import { MAX_XML_BYTES } from './xml.js'

/** Files read at once. */
const PARALLEL_READS = 8
/** Files gathered before they are read: bounds memory. */
const WINDOW = 256

export interface CheckReport {
  readonly files: number
  /** Objects with an id of their own. */
  readonly objects: number
  readonly references: number
  readonly dangling: number
  readonly duplicateIds: number
  readonly faults: number
  /** How many files there are of each kind. */
  readonly kinds: Readonly<Record<string, number>>
  /** How many files travel, and how. */
  readonly sharing: Readonly<Record<string, number>>
  /** In the order of paths. */
  readonly findings: readonly Finding[]
}

export interface CheckOptions {
  /** Lines `share PATTERN` or `local PATTERN`. */
  readonly rules?: readonly string[]
  /** Called with the number of files looked at, now and then. */
  readonly progress?: (files: number) => void
}

/** Throws `not-found`, `not-a-directory`, `file-unreadable`, `config-invalid`. */
export async function checkDataDirectory(root: string, options: CheckOptions = {}): Promise<CheckReport> {
  const classifier = new Classifier(options.rules)
  const inventory = new Inventory()
  const notes: Finding[] = []
  let window: string[] = []
  const readWindow = async (): Promise<void> => {
    const read = await mapLimit(window, PARALLEL_READS, (path) => factsAt(root, path, classifier.classify(path)))
    for (const facts of read) if (facts !== null) inventory.set(facts)
    window = []
    options.progress?.(inventory.files.size)
  }
  try {
    for await (const walked of walk(root, classifier)) {
      if (walked.type === 'file') window.push(walked.path)
      else notes.push(noteOf(walked, classifier))
      if (window.length >= WINDOW) await readWindow()
    }
  } catch (error) {
    throw rootFault(root, error)
  }
  await readWindow()
  return reportOf(inventory, notes)
}

function reportOf(inventory: Inventory, notes: readonly Finding[]): CheckReport {
  const findings = [...findingsOf(inventory), ...notes].toSorted((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : 0
  )
  const kinds: Record<string, number> = {}
  const sharing: Record<string, number> = {}
  for (const { class: found } of inventory.files.values()) {
    kinds[found.kind] = (kinds[found.kind] ?? 0) + 1
    sharing[found.sharing] = (sharing[found.sharing] ?? 0) + 1
  }
  return {
    files: inventory.files.size,
    objects: inventory.objects,
    references: inventory.references,
    dangling: brokenReferencesOf(inventory).length,
    duplicateIds: inventory.duplicates().length,
    faults: findings.filter(({ word }) => FAULTS.has(word)).length,
    kinds,
    sharing,
    findings
  }
}

/** Reads one file as far as it must be read; null when it is gone by now. */
async function factsAt(root: string, path: string, fileClass: FileClass): Promise<FileFacts | null> {
  // what must not leave the node is not looked into either
  const looked = travels(fileClass.sharing) || fileClass.sharing === 'opt-in'
  if (!looked || !isRead(path, fileClass)) return { path, class: fileClass }
  try {
    const bytes = await readBounded(join(root, path))
    return readFacts(path, fileClass, bytes)
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

function noteOf({ type, path }: Walked, classifier: Classifier): Finding {
  if (type === 'skipped')
    return finding('node-local', `${path}/`, `${classifier.classify(path).reason}; not looked into`)
  if (type === 'other') return finding('not-a-file', path, 'is neither a file nor a directory and is never shared')
  if (type === 'unnamed') return { ...finding('unreadable', '', 'has a name that is not UTF-8'), path }
  return finding('unreadable', path, 'cannot be read')
}

function rootFault(root: string, error: unknown): unknown {
  const fault = (code: 'not-found' | 'not-a-directory' | 'file-unreadable', what: string): GrapevineError =>
    new GrapevineError(code, `${root} ${what}`, {
      next: 'name a GeoServer data directory',
      facts: { root },
      cause: error
    })
  if (isErrno(error, 'ENOENT')) return fault('not-found', 'is not there')
  if (isErrno(error, 'ENOTDIR')) return fault('not-a-directory', 'is not a directory')
  return error instanceof Error && 'syscall' in error ? fault('file-unreadable', 'cannot be read') : error
}

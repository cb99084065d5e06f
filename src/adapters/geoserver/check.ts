/** Looks through a whole data directory and says what is wrong with it. Needs no node and changes nothing. */
import { GrapevineError, isErrno } from '../../errors.js'
import { Classifier } from './classify.js'
import { brokenReferencesOf, FAULTS, finding, findingsOf, type Finding } from './findings.js'
import { Inventory } from './inventory.js'
import { loadInventory } from './load.js'
import type { Walked } from './walk.js'

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
  /** Lines `share PATTERN`, `local PATTERN` or `field PATTERN ELEMENT/ELEMENT`. */
  readonly rules?: readonly string[]
  /** Called with the number of files looked at, now and then. */
  readonly progress?: (files: number) => void
}

/** Throws `not-found`, `not-a-directory`, `file-unreadable`, `config-invalid`. */
export async function checkDataDirectory(root: string, options: CheckOptions = {}): Promise<CheckReport> {
  const classifier = new Classifier(options.rules)
  const inventory = new Inventory()
  const notes: Finding[] = []
  try {
    await loadInventory(root, classifier, inventory, {
      ...options,
      besides: (walked) => notes.push(noteOf(walked, classifier))
    })
  } catch (error) {
    throw rootFault(root, error)
  }
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

/** Every step of a recorded history through the inventory: what dangles when, and which ids are replaced in place. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Classifier } from '../../../src/adapters/geoserver/classify.js'
import { brokenReferencesOf } from '../../../src/adapters/geoserver/findings.js'
import { Inventory } from '../../../src/adapters/geoserver/inventory.js'
import { IDENTIFIED_KINDS, readFacts } from '../../../src/adapters/geoserver/objects.js'

interface Step {
  readonly put: ReadonlyArray<readonly [path: string, sha256: string]>
  readonly del: readonly string[]
}

export interface HistoryReport {
  readonly steps: number
  /** Steps after which a reference of the catalog points at nothing. */
  readonly dangling: number
  /** Most ids that were missing at once. */
  readonly mostMissing: number
  /** Most references to missing ids at once. */
  readonly mostReferences: number
  /** Changes of a file that give its object another id. */
  readonly idsReplaced: number
  /** Files that were broken when a step was done. */
  readonly broken: readonly string[]
  readonly last: { readonly objects: number; readonly references: number }
}

/** `folder` holds steps.jsonl and blobs/. */
export function readHistory(folder: string): HistoryReport {
  const classifier = new Classifier()
  const inventory = new Inventory()
  const broken = new Set<string>()
  let [steps, dangling, mostMissing, mostReferences, idsReplaced] = [0, 0, 0, 0, 0]
  for (const line of readFileSync(join(folder, 'steps.jsonl'), 'utf8').trimEnd().split('\n')) {
    const step = JSON.parse(line) as Step
    for (const path of step.del) inventory.delete(path)
    for (const [path, sha256] of step.put) {
      const facts = readFacts(path, classifier.classify(path), readFileSync(join(folder, 'blobs', sha256)))
      const before = inventory.files.get(path)?.object
      if (facts.problem !== undefined) broken.add(`${path}: ${facts.problem.word}`)
      if (before !== undefined && IDENTIFIED_KINDS.has(before.kind) && facts.object!.id !== before.id) idsReplaced++
      inventory.set(facts)
    }
    const missing = brokenReferencesOf(inventory)
    steps++
    if (missing.length > 0) dangling++
    mostMissing = Math.max(mostMissing, new Set(missing.map(({ reference }) => reference.id)).size)
    mostReferences = Math.max(mostReferences, missing.length)
  }
  const last = { objects: inventory.objects, references: inventory.references }
  return { steps, dangling, mostMissing, mostReferences, idsReplaced, broken: [...broken].toSorted(), last }
}

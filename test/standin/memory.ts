/** The catalog as GeoServer has it in memory: what was on the disk when it was loaded, as far as it hangs together. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Classifier } from '../../src/adapters/geoserver/classify.js'
import { Inventory } from '../../src/adapters/geoserver/inventory.js'
import { IDENTIFIED_KINDS, readFacts, RESOURCE_KINDS, type GeoObject } from '../../src/adapters/geoserver/objects.js'

export interface Loaded {
  readonly path: string
  readonly object: GeoObject
  text: string
}

export interface Memory {
  readonly dir: string
  objects: ReadonlyMap<string, Loaded>
  global: string
  updateSequence: number
}

export function emptyMemory(dir: string): Memory {
  return { dir, objects: new Map(), global: '<global>\n</global>\n', updateSequence: 0 }
}

/** Reads everything anew. What fails to load is left out, and nobody is told. */
export function load(memory: Memory): void {
  const classifier = new Classifier()
  const inventory = new Inventory()
  const texts = new Map<string, string>()
  for (const entry of readdirSync(memory.dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(memory.dir.length + 1)
    const found = classifier.classify(path)
    if (!entry.isFile() || !IDENTIFIED_KINDS.has(found.kind)) continue
    const bytes = readFileSync(join(memory.dir, path))
    const facts = readFacts(path, found, bytes)
    if (facts.problem !== undefined) continue
    inventory.set(facts)
    texts.set(path, bytes.toString())
  }
  const objects = new Map(
    [...texts].map(([path, text]) => [path, { path, object: inventory.files.get(path)!.object!, text }])
  )
  // what hangs on something that did not load does not load either
  for (let before = -1; before !== objects.size;) {
    before = objects.size
    const ids = new Set([...objects.values()].map(({ object }) => object.id))
    for (const { path, object } of [...objects.values()]) if (!loads(path, object, objects, ids)) objects.delete(path)
  }
  memory.objects = objects
  if (!existsSync(join(memory.dir, 'global.xml'))) return
  memory.global = readFileSync(join(memory.dir, 'global.xml'), 'utf8')
  memory.updateSequence = Number(/<updateSequence>(\d+)</.exec(memory.global)?.[1] ?? memory.updateSequence)
}

/** A store without its workspace, a resource without its store or half of a pair is not there; a style may be missing. */
function loads(
  path: string,
  object: GeoObject,
  objects: ReadonlyMap<string, Loaded>,
  ids: ReadonlySet<string>
): boolean {
  const beside = (name: string): boolean => objects.has(path.slice(0, path.lastIndexOf('/') + 1) + name)
  const found = (role: string): boolean =>
    object.references.filter((reference) => reference.role === role).every(({ id }) => ids.has(id))
  if (object.kind === 'workspace') return beside('namespace.xml')
  if (object.kind === 'namespace') return beside('workspace.xml')
  if (RESOURCE_KINDS.has(object.kind)) return beside('layer.xml') && found('store') && found('namespace')
  if (object.kind === 'layer') return found('resource')
  return found('workspace')
}

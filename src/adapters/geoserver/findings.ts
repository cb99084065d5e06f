/**
 * What is wrong with a data directory, or worth knowing before it is shared. A fault is something GeoServer does not load,
 * or loads broken; a note is nothing to mend. Pure: works on an inventory.
 */
import { showName } from '../names.js'
import { travels } from './classify.js'
import type { Dangling, Inventory } from './inventory.js'
import { RESOURCE_KINDS, STORE_KINDS, type FileFacts, type GeoObject } from './objects.js'

export type FindingWord =
  | 'dangling-reference'
  | 'duplicate-id'
  | 'half-pair'
  | 'broken-file'
  | 'missing-style-body'
  | 'default-workspace'
  | 'misplaced'
  | 'unreadable'
  | 'orphan'
  | 'plain-password'
  | 'encrypted-password'
  | 'secret'
  | 'node-local'
  | 'opt-in'
  | 'not-a-file'

export const FAULTS: ReadonlySet<FindingWord> = new Set([
  'dangling-reference',
  'duplicate-id',
  'half-pair',
  'broken-file',
  'missing-style-body',
  'default-workspace',
  'misplaced',
  'unreadable'
])

export interface Finding {
  readonly word: FindingWord
  readonly severity: 'fault' | 'note'
  /** As it may be shown anywhere: no byte of it drives a terminal. */
  readonly path: string
  /** A sentence without its subject, which is the path. */
  readonly message: string
}

export function finding(word: FindingWord, path: string, message: string): Finding {
  return { word, severity: FAULTS.has(word) ? 'fault' : 'note', path: showName(path), message }
}

/** Everything about the objects of an inventory, in the order of paths. */
export function findingsOf(inventory: Inventory): Finding[] {
  const found = [...brokenReferences(inventory), ...duplicates(inventory)]
  for (const facts of inventory.files.values()) found.push(...aboutFile(inventory, facts))
  found.push(...orphanBodies(inventory))
  return found.toSorted((a, b) => order(a.path, b.path) || order(a.word, b.word))
}

/**
 * References within the catalog that point at nothing. That a tile layer outlives its layer breaks no map: it is an
 * orphan.
 */
export function brokenReferencesOf(inventory: Inventory): Dangling[] {
  return inventory.dangling().filter(({ reference }) => reference.role !== 'tile-layer')
}

function brokenReferences(inventory: Inventory): Finding[] {
  const orphans = inventory.dangling().filter(({ reference }) => reference.role === 'tile-layer')
  return [
    ...brokenReferencesOf(inventory).map(({ path, object, reference: { role, id } }) =>
      finding(
        'dangling-reference',
        path,
        `the ${object.kind} ${shown(object)} refers to the ${role} ${short(id)}, which is not there`
      )
    ),
    ...orphans.map(({ path, object, reference: { id } }) =>
      finding('orphan', path, `the tile layer ${shown(object)} is for ${short(id)}, which is not there`)
    )
  ]
}

function duplicates(inventory: Inventory): Finding[] {
  return inventory
    .duplicates()
    .flatMap(({ id, paths }) =>
      paths
        .slice(1)
        .map((path) => finding('duplicate-id', path, `has the id ${short(id)}, as has ${showName(paths[0]!)}`))
    )
}

function aboutFile(inventory: Inventory, facts: FileFacts): Finding[] {
  const { path, problem, object } = facts
  const found: Finding[] = []
  if (problem?.word === 'unreadable') found.push(finding('unreadable', path, problem.reason))
  else if (problem !== undefined) found.push(finding('broken-file', path, problem.reason))
  const partner = missingPartner(inventory, facts)
  if (partner !== undefined) found.push(finding('half-pair', path, partner))
  if (object !== undefined) found.push(...aboutObject(inventory, path, object))
  return [...found, ...aboutSharing(facts)]
}

function aboutObject(inventory: Inventory, path: string, object: GeoObject): Finding[] {
  const found: Finding[] = []
  const has = (other: string): boolean => inventory.files.has(other)
  if (object.body !== undefined && !has(object.body))
    found.push(
      finding(
        'missing-style-body',
        path,
        `the style ${shown(object)} names ${showName(object.body)}, which is not there`
      )
    )
  if (object.kind === 'default-workspace' && inventory.byId(object.id)?.object.kind !== 'workspace')
    found.push(finding('default-workspace', path, `names the workspace ${shown(object)} with an id that none has`))
  const container = missingContainer(path, object, has)
  if (container !== undefined) found.push(finding('misplaced', path, container))
  if (object.password === 'plain') found.push(finding('plain-password', path, 'holds a password that anybody can read'))
  if (object.password === 'encrypted')
    found.push(finding('encrypted-password', path, 'holds a password that only a node with the same keystore can read'))
  return found
}

/** GeoServer ignores one without the other, with a line in its log at most. */
function missingPartner({ files }: Inventory, { path, class: { kind } }: FileFacts): string | undefined {
  const beside = (name: string): string => path.slice(0, path.lastIndexOf('/') + 1) + name
  if (kind === 'workspace' && !files.has(beside('namespace.xml'))) return 'is a workspace without its namespace.xml'
  if (kind === 'namespace' && !files.has(beside('workspace.xml'))) return 'is a namespace without its workspace.xml'
  if (RESOURCE_KINDS.has(kind) && !files.has(beside('layer.xml'))) return `is a ${kind} without its layer.xml`
  if (kind === 'layer' && ![...RESOURCE_KINDS].some((resource) => files.has(beside(`${resource}.xml`))))
    return 'is a layer without a featuretype.xml, coverage.xml, wmslayer.xml or wmtslayer.xml'
  return undefined
}

/** GeoServer walks from workspaces to stores to layers: what lies in a folder of no such thing it never sees. */
function missingContainer(path: string, { kind }: GeoObject, has: (path: string) => boolean): string | undefined {
  const parts = path.split('/')
  const workspace = parts.slice(0, 2).join('/')
  if (parts[0] === 'workspaces' && parts.length > 3 && !has(`${workspace}/workspace.xml`))
    return `lies in ${showName(workspace)}, which is no workspace`
  const store = parts.slice(0, 3).join('/')
  const inStore = RESOURCE_KINDS.has(kind) || kind === 'layer'
  if (inStore && ![...STORE_KINDS].some((name) => has(`${store}/${name}.xml`)))
    return `lies in ${showName(store)}, which is no store`
  return undefined
}

/** Beside a body in CSS or YAML lies the SLD that GeoServer made of it, so that only the names before the dot count. */
function orphanBodies(inventory: Inventory): Finding[] {
  const named = new Set<string>()
  for (const { object } of inventory.files.values()) if (object?.body !== undefined) named.add(stem(object.body))
  return [...inventory.files.values()]
    .filter(({ path, class: { kind } }) => kind === 'style-body' && !named.has(stem(path)))
    .map(({ path }) => finding('orphan', path, 'is the body of no style'))
}

function aboutSharing({ path, class: { sharing, reason } }: FileFacts): Finding[] {
  if (travels(sharing)) return []
  const word = sharing === 'secret' ? 'secret' : sharing === 'opt-in' ? 'opt-in' : 'node-local'
  return [finding(word, path, reason)]
}

function shown({ name, id }: GeoObject): string {
  return name === '' ? short(id) : showName(name).slice(0, MAX_SHOWN_CHARACTERS)
}

const short = (id: string): string => showName(id).slice(0, MAX_SHOWN_CHARACTERS)

/** Names and ids of any length are quoted in findings. */
const MAX_SHOWN_CHARACTERS = 200

const stem = (path: string): string => path.replace(/\.[^./]*$/, '')

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What a file of the data directory cannot do without: objects by their id, and other files by their path. Pure. */
import { showName } from '../names.js'
import type { FileKind } from './file-rules.js'
import { RESOURCE_KINDS, STORE_KINDS, type FileFacts, type ReferenceRole } from './objects.js'

export type Need =
  | { readonly by: 'id'; readonly role: ReferenceRole; readonly id: string }
  | { readonly by: 'path'; readonly role: 'body' | 'graphic'; readonly path: string }

export function needsOf({ object, graphics }: FileFacts): Need[] {
  const needs: Need[] = (graphics ?? []).map((path) => ({ by: 'path', role: 'graphic', path }))
  if (object === undefined) return needs
  // a hint to which of the workspaces is the default: the file is a copy of that one, under its id
  if (object.kind === 'default-workspace' && object.id !== '')
    needs.push({ by: 'id', role: 'workspace', id: object.id })
  if (object.body !== undefined) needs.push({ by: 'path', role: 'body', path: object.body })
  for (const { role, id } of object.references) needs.push({ by: 'id', role, id })
  return needs
}

export function keyOf(need: Need): string {
  return need.by === 'id' ? `id ${need.id}` : `path ${need.path}`
}

/**
 * Whether GeoServer trips over it where it is missing. A tile layer without its layer is an orphan and no harm, and what a
 * body draws with is read out of it by its letters: neither is a reason to stop what is nowhere.
 */
export function isBreaking({ role }: Need): boolean {
  return role !== 'tile-layer' && role !== 'graphic'
}

/** As it is shown to people. */
export function wordsOf(need: Need): string {
  if (need.by === 'path') return showName(need.path)
  return `${need.role.replace('-', ' ')} ${showName(need.id)}`
}

const LAYERS: ReadonlySet<FileKind> = new Set<FileKind>(['layer', 'layergroup'])
const STYLES: ReadonlySet<FileKind> = new Set<FileKind>(['style'])

/** Kinds of files that may hold what a reference is for. */
const HOLDERS: Readonly<Record<ReferenceRole, ReadonlySet<FileKind>>> = {
  workspace: new Set<FileKind>(['workspace']),
  namespace: new Set<FileKind>(['namespace']),
  store: STORE_KINDS,
  resource: RESOURCE_KINDS,
  'default-style': STYLES,
  style: STYLES,
  'group-style': STYLES,
  published: LAYERS,
  'root-layer': LAYERS,
  'tile-layer': LAYERS
}

export function mayHold(kind: FileKind, need: Need & { by: 'id' }): boolean {
  return HOLDERS[need.role].has(kind)
}

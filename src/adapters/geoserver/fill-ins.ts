/**
 * What GeoServer fills into a tile layer by itself when it saves it with its layer: the grids, where nobody said which, and the
 * extents of each. Pure.
 */
import type { FileKind } from './file-rules.js'
import { childOf, type XmlElement } from './xml.js'

export interface FillIns {
  /** What would be filled into this document, with what it means besides; absent: nothing. */
  readonly lacks?: string
  /** Of which documents this may be the one that was filled in: one of these is their `lacks`. */
  readonly mayFill: readonly string[]
}

const GRIDS = 'gridSubsets'
const EXTENT = 'extent'
const NONE: FillIns = { mayFill: [] }

/** `meaningOf`: the hash of what an element means. */
export function fillInsOf(kind: FileKind, root: XmlElement, meaningOf: (root: XmlElement) => string): FillIns {
  if (kind !== 'tile-layer') return NONE
  const grids = childOf(root, GRIDS)
  const withoutGrids = `${GRIDS} ${meaningOf(without(root, GRIDS))}`
  if (grids === undefined) return { lacks: withoutGrids, mayFill: [] }
  const bare = { ...grids, children: grids.children.map((grid) => without(grid, EXTENT)) }
  const children = root.children.map((child) => (child === grids ? bare : child))
  const withoutExtents = `${EXTENT} ${meaningOf({ ...root, children })}`
  const lacksExtents = grids.children.some((grid) => childOf(grid, EXTENT) === undefined)
  return { ...(lacksExtents && { lacks: withoutExtents }), mayFill: [withoutGrids, withoutExtents] }
}

function without(element: XmlElement, name: string): XmlElement {
  return { ...element, children: element.children.filter((child) => child.name !== name) }
}

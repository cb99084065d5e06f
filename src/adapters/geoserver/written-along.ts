/**
 * What GeoServer writes along with an object that it is told of, as it knows it: with everything the settings of all, for the
 * counter in them, and with a layer or a group its tile layer. Pure.
 */
import { posix } from 'node:path'
import type { Inventory } from './inventory.js'
import { RESOURCE_KINDS, tileLayerPath } from './objects.js'

export const SETTINGS_OF_ALL = 'global.xml'

/** The path of the tile layer that is saved along with the object at `path`; undefined: none is. */
export function tileLayerOf(path: string, inventory: Inventory): string | undefined {
  const facts = inventory.files.get(path)
  if (facts === undefined) return undefined
  // a resource is told by itself, and its layer lies beside it
  const isResource = RESOURCE_KINDS.has(facts.class.kind)
  const layer = isResource ? inventory.files.get(posix.join(posix.dirname(path), 'layer.xml')) : facts
  const { object } = layer ?? facts
  return object?.kind === 'layer' || object?.kind === 'layergroup' ? tileLayerPath(object.id) : undefined
}

export function writtenAlong(path: string, inventory: Inventory): string[] {
  return [tileLayerOf(path, inventory), SETTINGS_OF_ALL].filter(
    (each) => each !== undefined && each !== path
  ) as string[]
}

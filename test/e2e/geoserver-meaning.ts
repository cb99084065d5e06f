/** What a data directory means: what travels of each file that belongs to all. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Classifier, travels } from '../../src/adapters/geoserver/classify.js'
import type { Parameters } from '../../src/adapters/geoserver/memory.js'
import { outward } from '../../src/adapters/geoserver/travel.js'
import type { Node } from './node.js'
import { until } from './until.js'

const classifier = new Classifier()

/** What a GeoServer encrypted of a parameter means the same as the parameter, which another node may have as it was written. */
async function parametersOf(nodes: readonly Node[]): Promise<Map<string, Parameters>> {
  const found = new Map<string, Parameters>()
  for (const node of nodes)
    for (const [path] of await node.files()) {
      const { kind, sharing } = classifier.classify(path)
      if (sharing !== 'by-field' || !path.endsWith('store.xml')) continue
      const made = outward({ path, kind }, readFileSync(join(node.dir, path)))
      if (made.ok) found.set(path, { ...found.get(path), ...made.value.parameters })
    }
  return found
}

/** What travels of each file of a node's directory. */
export async function shared(
  node: Node,
  parameters: ReadonlyMap<string, Parameters> = new Map()
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const [path, hash] of await node.files()) {
    const { kind, sharing } = classifier.classify(path)
    if (!travels(sharing)) continue
    if (sharing === 'shared') found.set(path, hash)
    else {
      const made = outward({ path, kind }, readFileSync(join(node.dir, path)), parameters.get(path))
      found.set(path, made.ok ? made.value.meaning : made.problem.word)
    }
  }
  return found
}

/** Whether a file holds what was written elsewhere; undefined when that does not travel. */
export function meansSame(path: string, bytes: Buffer, written: Buffer): boolean | undefined {
  const { kind, sharing } = classifier.classify(path)
  if (!travels(sharing)) return undefined
  if (sharing === 'shared') return bytes.equals(written)
  const wanted = outward({ path, kind }, written)
  if (!wanted.ok) return undefined
  const found = outward({ path, kind }, bytes, wanted.value.parameters)
  return found.ok && found.value.meaning === wanted.value.meaning
}

export async function equalByMeaning(nodes: readonly Node[]): Promise<Map<string, string>> {
  return until('all directories mean the same', async () => {
    const roots = await Promise.all(nodes.map((node) => node.space()))
    assert.equal(new Set(roots.map(({ root }) => root)).size, 1)
    const parameters = await parametersOf(nodes)
    const [first, ...others] = await Promise.all(nodes.map((node) => shared(node, parameters)))
    for (const other of others) assert.deepEqual([...other].toSorted(), [...first!].toSorted())
    return first
  })
}

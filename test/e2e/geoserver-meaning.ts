/** What a data directory means: what travels of each file that belongs to all. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Classifier, travels } from '../../src/adapters/geoserver/classify.js'
import { outward } from '../../src/adapters/geoserver/travel.js'
import type { Node } from './node.js'
import { until } from './until.js'

const classifier = new Classifier()

/** What travels of each file of a node's directory. */
export async function shared(node: Node): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const [path, hash] of await node.files()) {
    const { kind, sharing } = classifier.classify(path)
    if (!travels(sharing)) continue
    if (sharing === 'shared') found.set(path, hash)
    else {
      const made = outward({ path, kind }, readFileSync(join(node.dir, path)))
      found.set(path, made.ok ? made.value.meaning : made.problem.word)
    }
  }
  return found
}

/** What these bytes mean at a path; undefined: they do not travel. */
export function meaningAt(path: string, bytes: Buffer): string | undefined {
  const { kind, sharing } = classifier.classify(path)
  if (!travels(sharing)) return undefined
  if (sharing === 'shared') return bytes.toString('base64')
  const made = outward({ path, kind }, bytes)
  return made.ok ? made.value.meaning : undefined
}

export async function equalByMeaning(nodes: readonly Node[]): Promise<Map<string, string>> {
  return until('all directories mean the same', async () => {
    const roots = await Promise.all(nodes.map((node) => node.space()))
    assert.equal(new Set(roots.map(({ root }) => root)).size, 1)
    const [first, ...others] = await Promise.all(nodes.map(shared))
    for (const other of others) assert.deepEqual([...other].toSorted(), [...first!].toSorted())
    return first
  })
}

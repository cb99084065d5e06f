/** What a node's catalog says, beside what lies in its directory. */
import assert from 'node:assert/strict'
import type { EntryLine } from '../../src/control/target.js'
import type { Node } from './node.js'
import { directories } from './tree.js'
import { until } from './until.js'

export async function entriesOf(node: Pick<Node, 'client'>, path = ''): Promise<EntryLine[]> {
  const entries: EntryLine[] = []
  for await (const entry of node.client.list(path)) entries.push(entry)
  return entries
}

/** Waits until a node's catalog and its directory hold the same files and directories. */
export async function settled(node: Pick<Node, 'name' | 'dir' | 'client' | 'files'>): Promise<void> {
  await until(`${node.name} has its directory in step`, async () => {
    const entries = await entriesOf(node)
    const files = entries.filter(({ kind }) => kind === 'file').map(({ path, hash }) => `${path} ${hash}`)
    const dirs = entries.filter(({ kind }) => kind === 'dir').map(({ path }) => path)
    assert.deepEqual(files.sort(), (await node.files()).map(([path, hash]) => `${path} ${hash}`).sort())
    assert.deepEqual(dirs.sort(), directories(node.dir))
    return true
  })
}

/** Records each log of the catalog's space holds, and those of the members' space: what no quiet time may change. */
export async function vectorsOf(node: Node): Promise<unknown> {
  return (await node.status()).spaces.map(({ name, vector }) => [name, vector])
}

/** Hashes of every body the catalog keeps as a value of an entry, the losing ones of conflicts among them. */
export async function keptBodies(node: Node): Promise<Set<string>> {
  const kept = new Set<string>()
  for (const line of await entriesOf(node)) {
    if (line.hash !== undefined) kept.add(line.hash)
    if (!line.conflict) continue
    for (const { field, value } of (await node.client.entry(`id:${line.id}`)).tuples)
      if (field === 'body') kept.add((value as [string, number])[0])
  }
  return kept
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { heapByConstructor } from '../../scripts/bench-heap.js'
import { partOfSource, partsOf } from '../../scripts/bench-profile.js'

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0, columnNumber: 0 })

describe('a profile by part of the program', () => {
  it('gives what is built in to its caller, and leaves out waiting', () => {
    const parts = partsOf({
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2, 5, 6] },
        { id: 2, callFrame: frame('put', '/x/src/store/a.ts'), children: [3] },
        { id: 3, callFrame: frame('slice'), children: [4] },
        { id: 4, callFrame: frame('write', 'node:fs') },
        { id: 5, callFrame: frame('(idle)') },
        { id: 6, callFrame: frame('(garbage collector)') }
      ],
      samples: [2, 3, 4, 5, 6],
      timeDeltas: [1_000, 2_000, 4_000, 8_000, 16_000]
    })
    assert.deepEqual(Object.fromEntries(parts), { 'src/store': 3, 'node: files': 4, 'garbage collection': 16 })
  })

  it('knows packages by the innermost directory they lie in, and our own parts by their folder', () => {
    for (const [path, part] of [
      ['/a/node_modules/b/node_modules/yjs/src/x.js', 'yjs, lib0'],
      ['/a/node_modules/@chainsafe/libp2p-gossipsub/dist/x.js', 'gossipsub'],
      ['/a/node_modules/@libp2p/noise/dist/src/x.js', 'noise'],
      ['/a/node_modules/zod/x.js', 'zod'],
      ['/a/src/catalog/doc/x.ts', 'src/catalog'],
      ['/a/scripts/bench-agent.mjs', 'the benchmark itself']
    ])
      assert.equal(partOfSource(path!), part, path)
  })

  it('sums a heap by what made the objects', () => {
    const heap = heapByConstructor({
      snapshot: { meta: { node_fields: ['type', 'name', 'id', 'self_size'], node_types: [['object', 'string']] } },
      nodes: [0, 0, 1, 10, 0, 0, 2, 20, 1, 1, 3, 5, 0, 2, 4, 1],
      strings: ['Map', 'some text', 'Uint8Array']
    })
    assert.deepEqual(Object.fromEntries(heap), { Map: 30, '(string)': 5, Uint8Array: 1 })
  })
})

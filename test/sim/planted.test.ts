/** The planted bugs stay what they are: texts that are there to be replaced, and failures the simulation sees. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { ask, worker } from '../../scripts/sim-pool.js'
import { REPOSITORY } from '../golden/files.js'
import { edited, plant, PLANTED } from './planted/index.js'

/** Found by one of the first seeds, one of each part: a second or two each. */
const QUICK = ['gossiped-before-fsync', 'chain-not-checked', 'bodies-missing']

describe('a planted bug', () => {
  for (const bug of PLANTED) {
    test(`can still be planted: ${bug.name}`, () => {
      for (const edit of bug.edits) {
        const source = readFileSync(join(REPOSITORY, 'src', edit.file), 'utf8')
        assert.notEqual(edited(source, edit), source)
      }
    })
  }

  for (const bug of PLANTED.filter(({ name }) => QUICK.includes(name))) {
    test(`is found by its seed: ${bug.name}`, async () => {
      const { root, remove } = plant(REPOSITORY, bug)
      const child = worker(root)
      try {
        const { failed } = await ask(child, { from: bug.seed, count: 1 })
        assert.equal(failed?.seed, bug.seed)
        assert.match(failed?.error ?? '', bug.said)
      } finally {
        child.disconnect()
        remove()
      }
    })
  }

  test('that nobody planted is not found by these seeds', async () => {
    const child = worker(pathToFileURL(`${REPOSITORY}/`))
    try {
      for (const { name, seed } of PLANTED)
        if (QUICK.includes(name)) assert.equal((await ask(child, { from: seed, count: 1 })).failed, undefined)
    } finally {
      child.disconnect()
    }
  })
})

test('an edit whose text is missing, or stands there twice, is refused', () => {
  const edit = { file: 'a.ts', before: 'here', after: 'there' }
  assert.equal(edited('it is here', edit), 'it is there')
  assert.throws(() => edited('it is gone', edit), /0 times/)
  assert.throws(() => edited('here and here', edit), /2 times/)
})

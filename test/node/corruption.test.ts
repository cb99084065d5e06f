/** A few of the cases of scripts/corruption.ts: one of each kind of file and harm. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withCluster, type Cluster } from '../e2e/cluster.js'
import { GOOD, makeRig, runCase, type Outcome } from './corruption.js'
import type { Case } from './harm.js'
import { isNewestKept } from './versions.js'

type Short = [file: RegExp, harm: Case['harm'], place: number, expected: Outcome]

/** The rig is made once; each case begins with a fresh copy of it. */
function cases(alone: boolean, list: readonly Short[]): (cluster: Cluster) => Promise<void> {
  return async (cluster) => {
    const rig = await makeRig(cluster, alone)
    for (const [pattern, harm, place, expected] of list) {
      const file = rig.template.files.find((name) => pattern.test(name))
      assert.ok(file !== undefined, `a file like ${String(pattern)}`)
      const result = await runCase(rig, { file, harm, place, alone })
      assert.ok(GOOD.has(result.outcome), `${file} ${harm}: ${result.outcome}: ${result.detail}`)
      assert.equal(result.outcome, expected, `${file} ${harm}: ${result.detail}`)
    }
  }
}

test(
  'with a peer, whatever one file of the stores suffers is healed, and the peer is not touched by it',
  withCluster(
    cases(false, [
      [/^log\//, 'flip', 0.4, 'healed'],
      [/^log\//, 'delete', 0, 'healed'],
      [/^index\/.*ldb$/, 'zero', 0.9, 'healed'],
      [/^index\/MANIFEST/, 'flip', 0.5, 'healed'],
      [/^blobs\/..\/[0-9a-f]{64}$/, 'cut-tail', 0, 'healed'],
      [/^target\/CURRENT/, 'delete', 0, 'healed']
    ])
  )
)

test(
  'alone, what is gone is named, what can be made again is, and a home that is not itself any more does not start',
  withCluster(
    cases(true, [
      [/^log\//, 'flip', 0.5, 'named'],
      [/^log\//, 'cut-half', 0, 'named'],
      [/^log\//, 'cut-tail', 0.125, 'named'],
      [/^blobs\/..\/[0-9a-f]{64}$/, 'flip', 0.5, 'named'],
      [/^blobs\/.*tree$/, 'flip', 0.5, 'healed'],
      [/^index\/.*ldb$/, 'flip', 0.5, 'healed'],
      [/^node\.key$/, 'flip', 0.5, 'refused'],
      [/^cluster\.json$/, 'delete', 0, 'refused']
    ])
  )
)

test('an older content is excused only when every record since then is named as lost', () => {
  const versions = ['one', 'two', 'three'].map((content, at) => ({ content, log: 'l', seq: at + 1 }))
  const lost = (log: string, seq: number) => ({ kind: 'record' as const, log, author: '', seq, paths: [] })
  assert.ok(isNewestKept(versions, 'three', []))
  assert.ok(isNewestKept(versions, 'two', [lost('l', 3)]))
  assert.ok(isNewestKept(versions, 'one', [lost('l', 3), lost('l', 2)]))
  assert.ok(!isNewestKept(versions, 'one', [lost('l', 3)]))
  assert.ok(!isNewestKept(versions, 'two', [lost('another', 3)]))
  assert.ok(!isNewestKept(versions, 'two', [{ kind: 'range', segment: 1, offset: 0, length: 1 }]))
  assert.ok(!isNewestKept(versions, 'what was never there', [lost('l', 1), lost('l', 2), lost('l', 3)]))
})

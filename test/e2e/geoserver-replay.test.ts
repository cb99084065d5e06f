/** A short history with everything that breaks references, played at one node and watched at each write of another. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { smallTree, type Tree } from '../adapters/geoserver/tree.js'
import { withCluster } from './cluster.js'
import { replayGeoServer } from './geoserver-replay.js'
import { History } from './history.js'
import { judge, type Around, type Turn } from './references.js'

const WORKSPACE = 'workspaces/coast'
const LAYER = `${WORKSPACE}/depth/contours/layer.xml`
const GROUP = `${WORKSPACE}/layergroups/all.xml`
/** Larger than what travels inside a record. */
const LARGE = `<StyledLayerDescriptor><OnlineResource xlink:href="mast.svg"/>${'<!-- sea -->'.repeat(2_000)}</StyledLayerDescriptor>`

/** Trees after each step, the first is there at the start. */
function trees(): Tree[] {
  const small = smallTree()
  const layer = small[LAYER]!
  const all: Tree[] = [small]
  const step = (change: Tree, ...gone: string[]): void => {
    const next = { ...all.at(-1)!, ...change }
    all.push(Object.fromEntries(Object.entries(next).filter(([path]) => !gone.some((name) => path.startsWith(name)))))
  }
  // a layer with a style, its large body and a graphic, in the group at once
  step({
    'styles/mast.xml': '<style><id>Style-2</id><name>mast</name><filename>mast.sld</filename></style>',
    'styles/mast.sld': LARGE,
    'styles/mast.svg': `<svg>${' '.repeat(20_000)}</svg>`,
    [`${WORKSPACE}/depth/masts/featuretype.xml`]: small[`${WORKSPACE}/depth/contours/featuretype.xml`]!.replace(
      'Ft-1',
      'Ft-2'
    ).replace('contours', 'masts'),
    [`${WORKSPACE}/depth/masts/layer.xml`]: layer
      .replace('La-1', 'La-2')
      .replace('Ft-1', 'Ft-2')
      .replace('Style-1', 'Style-2'),
    'gwc-layers/La-2.xml': '<GeoServerTileLayer><id>La-2</id><name>coast:masts</name></GeoServerTileLayer>',
    [GROUP]: small[GROUP]!.replace('</publishables>', '<published><id>La-2</id></published></publishables>')
  })
  // broken at the source, then more broken, then mended
  step({ [LAYER]: layer.replace('Style-1', 'Style-99') })
  step({ [GROUP]: small[GROUP]!.replace('</publishables>', '<published><id>La-98</id></published></publishables>') })
  step({ [LAYER]: layer, [GROUP]: small[GROUP]! })
  // a style is replaced in place, with all that refers to it
  step({
    'styles/line.xml': small['styles/line.xml']!.replace('Style-1', 'Style-5'),
    [LAYER]: layer.replace('Style-1', 'Style-5')
  })
  // a style goes, and its layer gets another
  step({ [LAYER]: layer.replace('Style-1', 'Style-2') }, 'styles/line')
  // the workspace is renamed
  const renamed = Object.entries(all.at(-1)!).map(
    ([path, text]) => [path.replace('/coast/', '/shore/'), text.replaceAll('coast', 'shore')] as const
  )
  all.push(Object.fromEntries(renamed))
  step({}, 'workspaces/', 'gwc-layers/')
  return all
}

/** The trees as a recorded history. */
function write(folder: string, all: readonly Tree[]): History {
  mkdirSync(join(folder, 'blobs'), { recursive: true })
  const hashOf = (text: string): string => {
    const hash = createHash('sha256').update(text).digest('hex')
    writeFileSync(join(folder, 'blobs', hash), text)
    return hash
  }
  const lines = all.map((tree, at) => {
    const before = all[at - 1] ?? {}
    const put = Object.entries(tree).flatMap(([path, text]) => (before[path] === text ? [] : [[path, hashOf(text)]]))
    const del = Object.keys(before).filter((path) => tree[path] === undefined)
    return JSON.stringify({ step: at + 1, of: all.length, tree: '', put, del })
  })
  writeFileSync(join(folder, 'steps.jsonl'), `${lines.join('\n')}\n`)
  return new History(folder)
}

test(
  'a history is played: no write of another node breaks a reference that its source has whole',
  withCluster(async (cluster) => {
    const history = write(join(cluster.place, 'history'), trees())
    const report = await replayGeoServer(cluster, history, {
      from: 1,
      nodes: 2,
      geoservers: true,
      brokenAfterMs: 2_000
    })
    assert.equal(report.steps, 8)
    assert.equal(report.brokenAtSource, 2)
    assert.deepEqual(report.touched, [])
    const [receiver] = report.receivers
    assert.deepEqual(receiver!.violations, [])
    assert.ok(receiver!.writes > 40, String(receiver!.writes))
    assert.ok(receiver!.inPlace.count >= 1 && receiver!.inPlace.longestMs < 1_000, JSON.stringify(receiver!.inPlace))
  })
)

test('a write that breaks what the source has whole is seen, and one that the source had broken is none', () => {
  const turn = (at: number, broke: string[], mended: string[] = []): Turn => ({
    at,
    writes: at,
    path: 'w',
    broke,
    mended
  })
  const around: Around[] = [
    { at: 0, step: 0, broken: new Set(), replaced: new Set() },
    { at: 10, step: 1, broken: new Set(['a -> x']), replaced: new Set(['y']) }
  ]
  assert.deepEqual(judge([turn(5, ['a -> x'])], around).violations, ['step 0: a -> x, by the write of w'])
  assert.deepEqual(judge([turn(15, ['a -> x'])], around).violations, [])
  const inPlace = judge([turn(15, ['b -> y']), turn(18, [], ['b -> y'])], around)
  assert.deepEqual([inPlace.violations, inPlace.inPlace], [[], { count: 1, longestMs: 3 }])
  assert.deepEqual(judge([turn(15, ['b -> y'])], around).violations, ['left behind: b -> y, by the write of w'])
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkDataDirectory } from '../../../src/adapters/geoserver/check.js'
import { NO_SHARED_DATA, sharedData } from '../../e2e/fixtures.js'
import { readHistory } from './history.js'

describe('real data directories', () => {
  test('of a production server: 1,003 objects, 1,659 references, none of which dangles', async (t) => {
    const data = sharedData('aodn-datadir')
    if (data === undefined) return t.skip(NO_SHARED_DATA)
    const { findings, kinds, sharing, ...counts } = await checkDataDirectory(data)
    assert.deepEqual(counts, {
      files: 1_502,
      objects: 1_003,
      references: 1_659,
      dangling: 0,
      duplicateIds: 0,
      faults: 0
    })
    assert.deepEqual([kinds['layer'], kinds['style'], kinds['template']], [398, 121, 114])
    assert.deepEqual([sharing['by-field'], sharing['shared']], [1_010, 492])
    assert.deepEqual(
      findings.map(({ word }) => word),
      ['orphan']
    )
  })

  test('made mostly of style graphics: layer groups and tile layers find what they refer to', async (t) => {
    const data = sharedData('osm-datadir')
    if (data === undefined) return t.skip(NO_SHARED_DATA)
    const { findings, ...report } = await checkDataDirectory(data)
    assert.deepEqual([report.objects, report.references, report.dangling, report.faults], [113, 300, 0, 0])
    assert.deepEqual([report.kinds['layergroup'], report.kinds['tile-layer'], findings], [8, 7, []])
  })

  test('through a history of 760 steps: in 335 something dangles, 89 changes replace an id in place', (t) => {
    const data = sharedData('aodn-history')
    if (data === undefined) return t.skip(NO_SHARED_DATA)
    const report = readHistory(data)
    assert.deepEqual(
      [report.steps, report.dangling, report.mostMissing, report.idsReplaced, report.last],
      [760, 335, 5, 89, { objects: 1_003, references: 1_659 }]
    )
    assert.deepEqual(
      report.broken.map((line) => line.slice(line.lastIndexOf('/') + 1)),
      ['filters.xml: malformed', 'netcdf.xml: malformed']
    )
  })

  test('through a history of 56 steps with layer groups and tile layers', (t) => {
    const data = sharedData('osm-history')
    if (data === undefined) return t.skip(NO_SHARED_DATA)
    const { steps, dangling, mostMissing, idsReplaced, broken } = readHistory(data)
    assert.deepEqual([steps, dangling, mostMissing, idsReplaced, broken], [56, 31, 5, 0, []])
  })
})

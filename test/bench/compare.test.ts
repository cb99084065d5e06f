import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { compare, comparisonText } from '../../scripts/bench-compare.js'
import { cellsOf, median, quantiles, readResult, type Line, type ResultFile } from '../../scripts/bench-result.js'
import { fileOf as file, lineOf } from './lines.js'

const line = (result: object, more: Partial<Line> = {}): Line =>
  lineOf('grapevine', result, { params: { scale: 100, batch: 1 }, ...more })

const one = file([line({ seconds: 2 })])

describe('the comparison of two results', () => {
  it('gives the medians of both, and the ratio of the second to the first', () => {
    const before = file([line({ seconds: 9 }), line({ seconds: 2 }), line({ seconds: 4 })])
    const after = file([line({ seconds: 1 }), line({ seconds: 3 })])
    const [row] = compare(before, after).rows
    assert.deepEqual([row?.before, row?.after, row?.ratio, row?.runs], [4, 2, 0.5, [3, 2]])
  })

  it('says better or worse only when no run of one is as good as a run of the other', () => {
    const verdict = (a: number[], b: number[], metric = 'seconds'): string | undefined =>
      compare(file(a.map((v) => line({ [metric]: v }))), file(b.map((v) => line({ [metric]: v })))).rows[0]?.verdict
    assert.equal(verdict([2, 3], [1, 1.9]), 'better')
    assert.equal(verdict([1, 1.9], [2, 3]), 'worse')
    assert.equal(verdict([1, 2], [2, 3]), 'same')
    assert.equal(verdict([1, 2], [3, 4], 'entriesPerS'), 'better')
    assert.equal(verdict([3, 4], [1, 2], 'entriesPerS'), 'worse')
  })

  it('looks into groups of numbers and passes over what is none', () => {
    const both = file([line({ fromCallMs: { p50: 4 }, equal: true, sizes: [1, 2], lost: 0 })])
    assert.deepEqual(
      compare(both, both).rows.map(({ metric }) => metric),
      ['fromCallMs.p50']
    )
  })

  it('has no ratio to nothing', () => {
    assert.equal(compare(file([line({ seconds: 0 })]), one).rows[0]?.ratio, undefined)
  })

  it('refuses other machines, other versions of Node and results that share nothing', () => {
    const other = (more: Partial<ResultFile['machine']>): ResultFile => ({
      ...one,
      machine: { ...one.machine, ...more }
    })
    assert.throws(() => compare(one, other({ cpu: 'two' })), /different machines \(one, and two\)/)
    assert.throws(() => compare(one, other({ cores: 4 })), /different numbers of cores/)
    assert.throws(() => compare(one, { ...one, node: 'v24.0.0' }), /different versions of Node/)
    assert.throws(() => compare(one, file([line({ seconds: 1 }, { params: { scale: 200 } })])), /nothing of these two/)
  })

  it('leaves out what was not done, or measured while others kept the machine busy, and says so', () => {
    const good = line({ seconds: 2 }, { workload: 'W3' })
    const failed = file([good, line({ seconds: 2 }, { ok: false, notes: 'states differ' })])
    assert.match(
      compare(failed, file([good, line({ seconds: 1 })])).left[0]!,
      /not done in the first \(states differ\)/
    )
    const busy = (foreign: number): ResultFile => file([good, line({ seconds: 2 }, { foreign })])
    assert.match(compare(file([good, line({})]), busy(31)).left[0]!, /busy during every run of the second/)
    assert.deepEqual(compare(busy(30), busy(30)).left, [])
    assert.deepEqual(compare(busy(31), busy(31), { disturbed: true }).left, [])
    assert.equal(compare(file([good]), file([good, line({ seconds: 1 })])).left.length, 1)
  })

  it('counts a disturbed run only where there is no other', () => {
    const cell = (...lines: Line[]): readonly number[] | undefined =>
      [...cellsOf(lines).values()][0]?.values.get('seconds')
    assert.deepEqual(cell(line({ seconds: 1 }), line({ seconds: 9 }, { foreign: 80 })), [1])
    assert.deepEqual(cell(line({ seconds: 9 }, { foreign: 80 })), [9])
  })

  it('compares bytes on the wire only where nothing else was on it', () => {
    const both = file([line({ wireMB: 3, seconds: 1 })])
    const metrics = (a: ResultFile): string[] => compare(a, both).rows.map(({ metric }) => metric)
    assert.deepEqual(metrics(both), ['wireMB', 'seconds'])
    assert.deepEqual(metrics({ ...both, alone: false }), ['seconds'])
  })

  it('prints what it found with the names of both files', () => {
    const text = comparisonText(compare(one, file([line({ seconds: 1 })])), ['a.json', 'b.json'])
    assert.match(text, /ratio = b\.json \/ a\.json/)
    assert.match(text, /seconds +2 +1 +x0\.50 +better +\(runs: 1 and 1\)/)
  })
})

describe('a result of the benchmark', () => {
  const read = (text: string): ResultFile => {
    const directory = mkdtempSync(join(tmpdir(), 'grapevine-result-'))
    try {
      writeFileSync(join(directory, 'a.json'), text)
      return readResult(join(directory, 'a.json'))
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  it('is read back as it was written, and refused when it is something else', () => {
    assert.deepEqual(read(JSON.stringify(one)), one)
    assert.throws(() => read('{"peer":'), /is no result of the benchmark/)
    assert.throws(() => read('{"lines":[]}'), /has no lines or no machine/)
    assert.throws(() => read('{"machine":{}}'), /has no lines or no machine/)
    assert.throws(() => read('null'), /is no result of the benchmark/)
    assert.throws(() => read(JSON.stringify({ ...one, format: 2 })), /has format 2 and this version reads 1/)
  })

  it('has quantiles that were measured, and the middle of an even number of medians', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
    assert.deepEqual(quantiles(hundred), { p50: 50, p95: 95, p99: 99, max: 100 })
    assert.equal(median([1, 3, 2, 10]), 2.5)
  })
})

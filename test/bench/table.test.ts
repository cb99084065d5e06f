import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Line } from '../../scripts/bench-result.js'
import { tableText } from '../../scripts/bench-table.js'
import { fileOf, lineOf as line } from './lines.js'

// columns are padded, which says nothing
const tableOf = (...lines: readonly Line[]): string => tableText(fileOf(lines)).replaceAll(/ +/g, ' ')

describe('the table of a result', () => {
  it('has a row a peer and a column a workload, with the command, the machine and what is unfair', () => {
    const text = tableOf(
      line('grapevine', { entriesPerS: 1_234 }),
      line('other', { entriesPerS: 99 }, { foreign: 90 }),
      line('broken', {}, { ok: false, notes: 'it stopped\nsomewhere' })
    )
    assert.match(text, /`npm run bench --` with version 0\.1\.0 on 2 cores of one, 2 GiB, Node v20\.20\.0, 2025-06-15/)
    assert.match(text, /\| grapevine \| 1,234 \|/)
    assert.match(text, /\| other \| 99\.0 ~ \|/)
    assert.match(text, /\| broken \| not done \|/)
    assert.match(text, /^Not done: W2 of broken: it stopped\.$/m)
    assert.match(text, /All nodes share the cores of one machine/)
  })

  it('says how many times as long as raw TCP of the same run it took, and what is wanted', () => {
    const text = tableOf(
      line('tcp', { entriesPerS: 20_000 }),
      line('grapevine', { entriesPerS: 8_000 }),
      line('tcp', { seconds: 2, wireMB: 1 }, { workload: 'W3' }),
      line('grapevine', { seconds: 3, wireMB: 1 }, { workload: 'W3' })
    )
    assert.match(text, /\| _wanted_ \| ≥ 9,000 \| ≤ 1\.2 \|/)
    assert.match(text, /\| tcp \| 20,000 \| 2\.00, 1\.00 \|/)
    assert.match(text, /\| grapevine \| 8,000 ×2\.5 \| 3\.00, 1\.00 ×1\.5 \|/)
  })

  it('has a table for each size of a load, and compares with the floor of that size alone', () => {
    const large = { params: { scale: 100_000, batch: 100 } }
    const text = tableOf(
      line('tcp', { entriesPerS: 20_000 }),
      line('grapevine', { entriesPerS: 10_000 }, large),
      line('grapevine', { entriesPerS: 10_000 })
    )
    assert.match(
      text,
      /10,000 entries, one a call, from one node to 3 others:\n(?:\n|\|.*\n)*\| grapevine \| 10,000 ×2 \|/
    )
    assert.match(
      text,
      /100,000 entries, 100 a call, from one node to 3 others:\n(?:\n|\|.*\n)*\| grapevine \| 10,000 \|/
    )
    assert.match(text, /≥ 15,000/)
  })

  it('says how many runs count where others had more, and how many were done', () => {
    const text = tableOf(
      ...[1, 2, 3].map((settleS) => line('one', { settleS }, { workload: 'W8', params: {} })),
      line('two', { settleS: 1 }, { workload: 'W8', params: {} }),
      line('two', { settleS: 9 }, { workload: 'W8', params: {}, ok: false }),
      line('three', { settleS: 9, equal: false }, { workload: 'W8', params: {}, ok: false }),
      line('one', { fromCallMs: { p50: 4, p99: 5 }, lost: 3 }, { workload: 'W1', params: {}, ok: false })
    )
    assert.match(text, /\| one \| 4\.00 \/ 5\.00, 3\.00 lost \| 2\.00 \|/)
    assert.match(text, /\| two \| \| 1\.00 \(1 of 2\) \[1\] \|/)
    assert.match(text, /\| three \| \| not equal \|/)
  })

  it('takes what failed and what was done in one stage for the same cell', () => {
    const stage = { stage: 'load n=3', workload: 'W2' }
    const text = tableOf(
      line('one', {}, { ...stage, params: {}, ok: false, notes: 'stalled' }),
      line('one', { entriesPerS: 500 }, stage)
    )
    assert.match(text, /\| one \| 500 \(1 of 2\) \|/)
  })

  it('shows what the machine does by itself beside the tables', () => {
    const text = tableOf(
      line('grapevine', { entriesPerS: 500 }),
      line('limits', { cpMbPerS: 1_700 }, { workload: 'W5', params: { scale: 10_000 } })
    )
    assert.match(text, /^The machine by itself, without any peer: W5 cpMbPerS 1,700\.$/m)
    assert.doesNotMatch(text, /\| limits/)
  })

  it('is refused where nothing was measured', () => {
    assert.throws(() => tableOf(), /holds no workload/)
  })
})

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readResult } from '../../scripts/bench-result.js'
import { REPOSITORY } from '../golden/files.js'

const directory = mkdtempSync(join(tmpdir(), 'grapevine-bench-test-'))
const out = join(directory, 'result.json')

function bench(...args: string[]): { status: number | null; output: string } {
  const tsx = join(REPOSITORY, 'node_modules', '.bin', 'tsx')
  const { status, stdout, stderr } = spawnSync(tsx, ['scripts/bench.ts', ...args], {
    cwd: REPOSITORY,
    encoding: 'utf8'
  })
  return { status, output: stdout + stderr }
}

describe('npm run bench', () => {
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('measures real nodes, and leaves a file that can be compared and shown', () => {
    const small = ['--nodes', '1', '--changes', '3', '--scale', '20', '--idle', '1']
    const { status, output } = bench('--only', 'W1,W2,W4', ...small, '--out', out)
    assert.equal(status, 0, output)
    const { lines, machine, node, alone } = readResult(out)
    assert.deepEqual(
      lines.map(({ workload, ok }) => [workload, ok]),
      [
        ['W1', true],
        ['W2', true],
        ['W4', true]
      ]
    )
    assert.ok(machine.cores > 0)
    assert.equal(node, process.version)
    const [, load] = lines
    assert.ok(Number(load?.result.entriesPerS) > 0)
    // 20 documents of 1 KiB went to one node
    if (alone) assert.ok(Number(load?.result.wireMB) > 0.01 && Number(load?.result.wireMB) < 1, JSON.stringify(load))
    assert.match(bench('table', out).output, /W4 100 changes behind/)
    assert.match(bench('compare', out, out, '--disturbed').output, /entriesPerS .* x1\.00/)
  })

  it('ends a workload that takes too long, says so in its line, and fails', () => {
    const { status } = bench('--only', 'W2', '--nodes', '1', '--scale', '100000', '--limit', '1', '--out', out)
    assert.equal(status, 1)
    assert.deepEqual(
      readResult(out).lines.map(({ workload, ok, notes }) => [workload, ok, notes]),
      [['W2', false, 'cut off after 1 s']]
    )
  })

  it('refuses what it does not know', () => {
    assert.match(bench('--only', 'W9').output, /there is no workload W9/)
    assert.match(bench('--runs', '0').output, /--runs needs a whole number above 0/)
    assert.match(bench('compare', out).output, /is not understood/)
  })

  it('puts our node among the peers of another benchmark without writing there', () => {
    const other = join(directory, 'other')
    mkdirSync(join(other, 'adapters'), { recursive: true })
    const script = `
      import { readFileSync } from 'node:fs'
      const ours = readFileSync(new URL('adapters/grapevine.mjs', import.meta.url), 'utf8')
      const result = { adapter: ours.includes('createNode') ? 1 : 0, seconds: 2 }
      console.log(JSON.stringify({ peer: process.argv.slice(2).join(' '), version: '1', workload: 'W2', n: 1, params: {},
        result, ok: true, notes: '', foreign: 0 }))`
    writeFileSync(join(other, 'bench.mjs'), script)
    const { status, output } = bench('--with', other, '--peers', 'nats', '--only', 'W2', '--out', out)
    assert.equal(status, 0, output)
    const [line] = readResult(out).lines
    assert.match(line!.peer, /^--peer grapevine,nats --workload W2 --n 3 --scale 10000 /)
    assert.equal(line!.result.adapter, 1)
    assert.throws(() => readFileSync(join(other, 'adapters', 'grapevine.mjs')))
    assert.match(bench('--with', directory).output, /holds no benchmark/)
  })
})

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
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
    assert.match(bench('--frob').output, /^Unknown option '--frob'; --help lists what there is$/m)
    assert.match(bench('--plan', 'table').output, /--plan needs --with DIR/)
    assert.match(bench('--with', directory, '--plan', 'x').output, /there is no plan x; there are table/)
    assert.match(bench('--with', directory, '--resume').output, /--resume needs .* --out FILE/)
    assert.match(bench('profile', 'W9').output, /needs a workload behind it/)
    for (const wrong of [['--frob'], ['--plan', 'table'], ['profile']]) assert.equal(bench(...wrong).status, 2)
  })

  it('tells what takes the processor time of a workload, by part of the program', () => {
    const profiled = join(directory, 'profile')
    const { status, output } = bench('profile', 'W2', '--nodes', '1', '--scale', '300', '--out', profiled)
    assert.equal(status, 0, output)
    assert.match(output, /\| µs of processor time an entry +\| writer +\| others/)
    // bundled: that these are told apart shows that places were found in the sources
    for (const part of ['src/catalog', 'src/store', 'yjs, lib0', 'threads of V8', 'all'])
      assert.match(output, new RegExp(`^\\| ${part}.* %\\)`, 'm'), part)
    assert.ok(existsSync(join(profiled, 'W2-node-1.cpuprofile')))
  })
})

describe('npm run bench beside the peers of another benchmark', () => {
  const other = join(directory, 'other')
  const asked = (): string[] => readFileSync(join(other, 'asked'), 'utf8').trim().split('\n')

  before(() => {
    mkdirSync(join(other, 'adapters'), { recursive: true })
    const script = `
      import { appendFileSync, readFileSync } from 'node:fs'
      const ours = readFileSync(new URL('adapters/grapevine.mjs', import.meta.url), 'utf8')
      const args = process.argv.slice(2)
      appendFileSync(${JSON.stringify(join(other, 'asked'))}, args.join(' ') + '\\n')
      const peer = args[args.indexOf('--peer') + 1]
      if (peer === 'broken') process.exit(3)
      // asked to end while it runs
      if (peer === 'ending') process.kill(process.ppid, 'SIGTERM')
      const result = { adapter: ours.includes('createNode') ? 1 : 0, seconds: 2 }
      for (const workload of args[args.indexOf('--workload') + 1].split(','))
        console.log(JSON.stringify({ peer, version: '1', workload, n: 1, params: { scale: 10000 }, result, ok: true, notes: '', foreign: 0 }))`
    writeFileSync(join(other, 'bench.mjs'), script)
  })
  beforeEach(() => {
    rmSync(out, { force: true })
    rmSync(join(other, 'asked'), { force: true })
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('puts our node among them without writing there, and says on stderr how far it is', () => {
    const { status, output } = bench('--with', other, '--peers', 'nats', '--only', 'W2', '--out', out)
    assert.equal(status, 0, output)
    const { command, lines } = readResult(out)
    const [line, ...more] = lines
    assert.equal(command, 'npm run bench -- --with DIR --peers nats --only W2')
    assert.match(asked()[0]!, /^--peer grapevine --workload W2 --limit 600 --n 3 --scale 10000 --batch 1 --idle 30$/)
    assert.equal(line!.result.adapter, 1)
    assert.deepEqual(
      more.map(({ peer, round }) => [peer, round]),
      [['nats', 1]]
    )
    assert.match(output, /\[2\/2\] round 1, load: nats \.\.\. [\d.]+ s; done/)
    assert.throws(() => readFileSync(join(other, 'adapters', 'grapevine.mjs')))
    assert.match(bench('--with', directory).output, /holds no benchmark/)
  })

  it('lets them take turns in each round, and has a line for what one of them did not do', () => {
    const flags = ['--with', other, '--peers', 'nats,broken', '--only', 'W2,W7', '--runs', '2', '--out', out]
    const { status, output } = bench(...flags)
    assert.equal(status, 0, output)
    const { lines } = readResult(out)
    const round = ['grapevine W2', 'nats W2', 'broken W2', 'grapevine:files W7', 'nats W7', 'broken W7']
    assert.deepEqual(
      lines.map(({ peer, workload }) => `${peer} ${workload}`),
      [...round, ...round]
    )
    const broken = lines.find(({ peer }) => peer === 'broken')!
    assert.deepEqual([broken.ok, broken.notes], [false, 'the other benchmark ended with 3'])
    assert.match(bench('table', out).output, /Not done: W7 of broken: the other benchmark ended with 3\./)
  })

  it('goes on where a run ended, and only with the same version', () => {
    const flags = ['--with', other, '--peers', 'nats', '--only', 'W1,W2', '--out', out]
    assert.equal(bench(...flags).status, 0)
    const whole = readResult(out)
    const cut = { ...whole, lines: whole.lines.slice(0, 3) }
    writeFileSync(out, JSON.stringify(cut))
    const before = asked().length
    assert.equal(bench(...flags, '--runs', '2', '--resume').status, 0)
    assert.deepEqual(
      readResult(out).lines.map(({ peer, workload, round }) => [peer, workload, round]),
      [1, 2].flatMap((round) =>
        ['W1', 'W2'].flatMap((workload) => ['grapevine', 'nats'].map((peer) => [peer, workload, round]))
      )
    )
    assert.equal(asked().length - before, 5)
    writeFileSync(out, JSON.stringify({ ...cut, version: 'another' }))
    const refused = bench(...flags, '--resume')
    assert.equal(refused.status, 2)
    assert.match(refused.output, /measured with another version .*name another --out/)
  })

  it('ends after the step under way when it is asked to, and keeps what that brought', () => {
    const { output } = bench('--with', other, '--peers', 'ending,nats', '--only', 'W2', '--out', out)
    assert.match(output, /ends after this step/)
    assert.deepEqual(
      readResult(out).lines.map(({ peer }) => peer),
      ['grapevine', 'ending']
    )
  })

  it('says what a plan would run and for how long, and runs nothing', () => {
    const { status, output } = bench('--with', other, '--plan', 'table', '--peers', 'nats', '--runs', '2', '--dry-run')
    assert.equal(status, 0, output)
    assert.match(output, /^one change n=7 \(W1\), about \d+ min:\n {4}grapevine 2x, nats 2x$/m)
    assert.match(output, /^\d+ steps, about \d+ min/m)
    assert.ok(!existsSync(join(other, 'asked')))
  })
})

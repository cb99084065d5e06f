import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationText, parseDuration } from '../../src/cli/duration.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { shellWithoutDaemon, widest } from './shell.js'

test('the commands are exactly those of the reference', () => {
  assert.deepEqual(
    COMMANDS.map(({ name }) => name).toSorted(),
    [
      'init',
      'invite',
      'join',
      'start',
      'status',
      'peers',
      'ls',
      'cat',
      'put',
      'revoke',
      'root',
      'rotate',
      'rm',
      'salvage',
      'mv',
      'history',
      'verify',
      'inspect',
      'watch',
      'stop',
      'export',
      'backup',
      'restore',
      'quarantine',
      'waiting',
      'drift',
      'rebuild',
      'scrub',
      'compact',
      'reidentify',
      'geoserver'
    ].toSorted()
  )
  const inspect = COMMANDS.find(({ name }) => name === 'inspect')!
  assert.deepEqual(
    inspect.commands!.map(({ name }) => name),
    ['heads', 'vector', 'log', 'record', 'entry', 'doc', 'gossip', 'store', 'checkpoint']
  )
})

const slips: Array<[string[], RegExp, RegExp]> = [
  [['sttaus'], /unknown command 'sttaus'/, /did you mean status\?/],
  [['frobnicate'], /unknown command/, /grapevine --help/],
  [['inspect', 'hedas'], /unknown command 'hedas'/, /did you mean heads\?/],
  [['ls', '--jsno'], /unknown option '--jsno'/, /did you mean --json\?/],
  [['start', '--log-lvel', 'debug'], /unknown option '--log-lvel'/, /did you mean --log-level\?/],
  [['ls', '--frobnicate'], /unknown option/, /grapevine ls --help/],
  [['cat'], /missing required argument 'path'/, /grapevine cat --help/],
  [['cat', 'a', 'b'], /too many arguments/, /grapevine cat --help/],
  [['verify', '--wait'], /argument missing/, /grapevine verify --help/],
  [['verify', '--wait', '30'], /"30" is not a duration/, /30s/],
  [['invite', '--role', 'king'], /'king' is invalid/, /grapevine invite --help/],
  [['invite', '--uses', '0'], /"0" is not a number of uses/, /1 to 10000/],
  [['invite', '--uses', '10001'], /not a number of uses/, /1 to 10000/],
  [[], /a command is missing/, /grapevine --help/],
  [['inspect'], /a command is missing/, /grapevine inspect --help/]
]

test('what is not understood is a usage error with exit 2 and the nearest suggestion', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  for (const [argv, message, next] of slips) {
    const { code, stdout, stderr } = await run(...argv)
    assert.equal(code, 2, argv.join(' '))
    assert.equal(stdout, '')
    const [first, second, ...rest] = stderr.split('\n')
    assert.match(first!, /^grapevine: usage: /)
    assert.match(first!, message)
    assert.match(second!, /^  next: /)
    assert.match(second!, next)
    assert.deepEqual(rest, [''])
  }
})

test('with --json a usage error is one JSON object on stderr', async (t) => {
  const { run } = await shellWithoutDaemon(t)
  const { code, stderr } = await run('ls', '--frob', '--json')
  assert.equal(code, 2)
  assert.equal(JSON.parse(stderr).error.code, 'usage')
})

test('help and version go to stdout, exit 0 and fit 80 columns', async (t) => {
  const { run } = await shellWithoutDaemon(t, { columns: 200 })
  for (const argv of [
    ['--help'],
    ['-h'],
    ['help'],
    ['inspect', '--help'],
    ...COMMANDS.map(({ name }) => [name, '--help'])
  ]) {
    const { code, stdout, stderr } = await run(...argv)
    assert.equal(code, 0, argv.join(' '))
    assert.equal(stderr, '')
    assert.match(stdout, /Usage: grapevine/)
    assert.ok(widest(stdout) <= 80, stdout)
  }
  assert.equal((await run('--version')).stdout, '0.1.0\n')
})

test('durations are read with their unit and nothing else', () => {
  const good: Array<[string, number]> = [
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1.5m', 90_000],
    ['0s', 0]
  ]
  for (const [text, ms] of good) assert.equal(parseDuration(text), ms)
  for (const bad of ['', '30', 's', '-1s', '1 s', '1w', '1h30m', '1e3s', '999999999999d9', 'Infinitys', '１s'])
    assert.throws(() => parseDuration(bad), { code: 'usage' })
  assert.deepEqual([90_000, 3_600_000, 1, 60_000].map(durationText), ['90 s', '1 h', '1 ms', '1 m'])
})

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import {
  bytesPerSecond,
  environmentName,
  kindOf,
  loadConfig,
  MAX_CONFIG_BYTES,
  SETTINGS,
  SETTING_NAMES,
  type Config,
  type ConfigSources
} from '../src/config.js'
import { nearestOf } from '../src/nearest.js'
import { tempHome } from './control/world.js'

const CWD = '/work-dir'

async function load(t: TestContext, file: unknown, rest: Partial<ConfigSources> = {}): Promise<Config> {
  const home = join(await tempHome(t), 'home')
  await mkdir(home)
  if (file !== undefined)
    await writeFile(join(home, 'config.json'), typeof file === 'string' ? file : JSON.stringify(file))
  return loadConfig({ home, cwd: CWD, env: {}, ...rest })
}

test('without file, variables and flags every setting has its default, which its own schema accepts', async (t) => {
  const config = await load(t, undefined)
  for (const name of SETTING_NAMES) {
    assert.ok(SETTINGS[name].schema.safeParse(SETTINGS[name].default).success, name)
    assert.ok(SETTINGS[name].about.length > 20 && SETTINGS[name].unit, name)
    if (name !== 'dir') assert.deepEqual(config[name], SETTINGS[name].default, name)
  }
  assert.equal(config.dir, '/work-dir/catalog')
  assert.deepEqual(config.listen, ['/ip4/0.0.0.0/tcp/4470'])
  assert.deepEqual(
    [config.mdns, config.adopt, config.rescanIntervalMs, config.announceIntervalMs],
    [true, 'merge', 60_000, 30_000]
  )
})

test('a flag wins over a variable, that over the file, that over the default; lists are replaced', async (t) => {
  const file = { settleMs: 1, listen: ['/ip4/127.0.0.1/tcp/1'], logLevel: 'warn' }
  const env = {
    GRAPEVINE_SETTLE_MS: '2',
    GRAPEVINE_LISTEN: '/ip4/127.0.0.1/tcp/2, /ip4/127.0.0.1/tcp/3',
    GRAPEVINE_MDNS: 'false',
    GRAPEVINE_LOG_LEVEL: ''
  }
  const first = await load(t, file)
  assert.deepEqual([first.settleMs, first.listen, first.logLevel], [1, ['/ip4/127.0.0.1/tcp/1'], 'warn'])
  const second = await load(t, file, { env })
  assert.deepEqual(
    [second.settleMs, second.listen, second.logLevel, second.mdns],
    [2, ['/ip4/127.0.0.1/tcp/2', '/ip4/127.0.0.1/tcp/3'], 'warn', false]
  )
  const third = await load(t, file, { env, flags: { settleMs: '3', listen: ['/ip4/127.0.0.1/tcp/4'], mdns: true } })
  assert.deepEqual([third.settleMs, third.listen, third.mdns], [3, ['/ip4/127.0.0.1/tcp/4'], true])
})

test('a relative dir means the working directory as flag or variable, and the place of the home in the file', async (t) => {
  const fromFile = await load(t, { dir: 'data' })
  assert.equal(fromFile.dir, join(dirname(fromFile.home), 'data'))
  assert.equal((await load(t, { dir: 'data' }, { flags: { dir: 'x' } })).dir, '/work-dir/x')
  assert.equal((await load(t, {}, { env: { GRAPEVINE_DIR: '/abs' } })).dir, '/abs')
})

test('unknown keys are refused by name with the nearest known one', async (t) => {
  await assert.rejects(load(t, { lisen: [] }), {
    code: 'config-invalid',
    message: /"lisen"/,
    next: 'did you mean listen?'
  })
  await assert.rejects(load(t, { rescanInterval: 1 }), {
    code: 'config-invalid',
    next: 'did you mean rescanIntervalMs?'
  })
  await assert.rejects(load(t, { completelyElse: 1 }), { code: 'config-invalid', next: /^the settings are dir, / })
  for (const key of ['home', 'toString', '__proto__'])
    await assert.rejects(load(t, `{"${key}": 1}`), { code: 'config-invalid' })
})

test('numbers are taken at their ends and refused one past them', async (t) => {
  const ends = {
    settleMs: [0, 60_000],
    rescanIntervalMs: [1_000, 86_400_000],
    announceIntervalMs: [100, 3_600_000],
    maxInlineBodyBytes: [0, 16_384]
  } as const
  for (const [name, [least, most]] of Object.entries(ends)) {
    for (const value of [least, most]) assert.equal((await load(t, { [name]: value }))[name as 'settleMs'], value)
    for (const value of [least - 1, most + 1, least + 0.5, String(least), null])
      await assert.rejects(load(t, { [name]: value }), { code: 'config-invalid' }, `${name}=${value}`)
  }
})

test('a rate is a number of bytes with or without a unit, 0 or within its ends', async (t) => {
  const good = {
    '0': 0,
    '100kB': 100_000,
    '100000': 100_000,
    '98KiB': 100_352,
    '5MB': 5e6,
    '2MiB': 2 ** 21,
    '1GiB': 2 ** 30,
    '1000GB': 1e12
  }
  for (const [text, bytes] of Object.entries(good)) {
    const { maxUpload, maxDownload } = await load(t, { maxUpload: text, maxDownload: text })
    assert.deepEqual([bytesPerSecond(maxUpload), bytesPerSecond(maxDownload)], [bytes, bytes])
  }
  for (const text of [
    '99999',
    '99kB',
    '97KiB',
    '1000000000001',
    '1001GB',
    '-1',
    '1.5MB',
    '5 MB',
    '5mb',
    'fast',
    '',
    'MB',
    5_000_000
  ])
    await assert.rejects(load(t, { maxUpload: text }), { code: 'config-invalid' }, String(text))
})

test('lists, words and texts are checked, and the error names setting and place', async (t) => {
  const bad = [
    { listen: '/ip4/1.2.3.4/tcp/1' },
    { listen: ['1.2.3.4:4470'] },
    { peers: ['/ip4/'] },
    { mdns: 'yes' },
    { adopt: 'all' },
    { logLevel: 'trace' },
    { dir: '' },
    { name: 'x'.repeat(65) },
    { ignore: [''] }
  ]
  for (const file of bad)
    await assert.rejects(
      load(t, file),
      { code: 'config-invalid', message: /^the setting \w+ in .*config\.json is not accepted/ },
      JSON.stringify(file)
    )
  await assert.rejects(load(t, {}, { env: { GRAPEVINE_MDNS: 'maybe' } }), { message: /mdns in GRAPEVINE_MDNS/ })
  assert.equal((await load(t, {}, { flags: { geoserverReloadShare: '0.5' } })).geoserverReloadShare, 0.5)
  await assert.rejects(load(t, {}, { flags: { settleMs: '1.5' } }), { message: /settleMs in --settle-ms/ })
  await assert.rejects(load(t, {}, { flags: { settleMs: '1e3' } }), { message: /settleMs in --settle-ms/ })
  await load(t, {
    peers: ['/dns4/node.example/tcp/4470/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp', '/ip6/::1/tcp/0'],
    listen: [],
    name: 'x'.repeat(64)
  })
})

test('a file that is no JSON object, or too large, is refused', async (t) => {
  for (const text of ['', '{', '[]', 'null', '"x"', '{"mdns": true,}'])
    await assert.rejects(load(t, text), { code: 'config-invalid' }, text)
  await load(t, '{}'.padEnd(MAX_CONFIG_BYTES))
  await assert.rejects(load(t, '{}'.padEnd(MAX_CONFIG_BYTES + 1)), { code: 'config-invalid' })
})

test('the defaults are not shared between configurations', async (t) => {
  const config = await load(t, undefined)
  config.listen.push('changed')
  assert.equal((await load(t, undefined)).listen.length, 1)
})

test('names of variables and kinds follow from the table', () => {
  assert.equal(environmentName('logLevel'), 'GRAPEVINE_LOG_LEVEL')
  assert.deepEqual((['dir', 'listen', 'mdns', 'settleMs'] as const).map(kindOf), ['text', 'list', 'boolean', 'number'])
})

test('a slip of a letter or two is recognised, another word is not', () => {
  const words = ['status', 'start', 'stop', 'verify']
  assert.equal(nearestOf('sttaus', words), 'status')
  assert.equal(nearestOf('STOP', words), 'stop')
  assert.equal(nearestOf('frobnicate', words), undefined)
  assert.equal(nearestOf('x', []), undefined)
})

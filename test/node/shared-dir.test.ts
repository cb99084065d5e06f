/** Which settings a node of a shared directory refuses, and when it is its turn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SETTINGS, SETTING_NAMES, type Config } from '../../src/config.js'
import { checkShared, sharedOptions } from '../../src/node/shared-dir.js'
import { isError } from '../contract/adapter.js'

const defaults = Object.fromEntries(SETTING_NAMES.map((name) => [name, SETTINGS[name].default])) as unknown as Config
const shared: Config = { ...defaults, dir: '/srv/data', home: '/var/home', adapter: 'geoserver', sharedDir: true }

test('a node of a shared directory refuses what would have it write there, and a home that others would share', () => {
  checkShared(shared)
  checkShared({ ...shared, driftRules: ['adopt styles/**'], home: '/srv/data-of-mine' })
  const refused: ReadonlyArray<Partial<Config>> = [
    { adapter: 'directory' },
    { adopt: 'cluster' },
    { driftRules: ['report **', 'restore styles/**'] },
    { home: '/srv/data' },
    { home: '/srv/data/.grapevine' }
  ]
  for (const settings of refused) {
    assert.throws(() => checkShared({ ...shared, ...settings }), isError('config-invalid'), JSON.stringify(settings))
    checkShared({ ...shared, ...settings, sharedDir: false })
  }
})

test('each node leaves it a quarter of a second longer than the one before it to others, the eleventh and all after it 2.5 s', () => {
  const turn = (rank: number): number => sharedOptions(shared, () => rank).shared!.turnMs()
  assert.deepEqual([0, 1, 10, 11].map(turn), [0, 250, 2_500, 2_500])
  assert.deepEqual(
    sharedOptions({ ...shared, sharedDir: false }, () => 0),
    {}
  )
})

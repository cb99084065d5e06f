import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { environmentNameOf, loadSecrets, MAX_SECRETS_BYTES } from '../../../src/adapters/geoserver/secrets.js'
import { GrapevineError } from '../../../src/errors.js'
import { isError } from '../../contract/adapter.js'

describe('the secrets of a node', () => {
  let base: string
  let file: string
  const write = (text: string, mode = 0o600): Promise<void> => writeFile(file, text, { mode })

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'grapevine-secrets-'))
    file = join(base, 'secrets.json')
  })
  afterEach(() => rm(base, { recursive: true, force: true }))

  test('come from a file of names and passwords, and an absent one holds none', async () => {
    assert.equal((await loadSecrets(file, {}))('w/s/passwd'), undefined)
    await write('{"w/s/passwd": "hunter2"}')
    const secrets = await loadSecrets(file, {})
    assert.deepEqual(
      [secrets('w/s/passwd'), secrets('w/other/passwd'), secrets('toString')],
      ['hunter2', undefined, undefined]
    )
  })

  test('come from the environment first', async () => {
    await write('{"my ws/s-1/passwd": "from the file", "w/s/passwd": "x"}')
    assert.equal(environmentNameOf('my ws/s-1/passwd'), 'GRAPEVINE_SECRET_MY_WS_S_1_PASSWD')
    const secrets = await loadSecrets(file, {
      GRAPEVINE_SECRET_MY_WS_S_1_PASSWD: 'from here',
      GRAPEVINE_SECRET_W_S_PASSWD: ''
    })
    assert.deepEqual([secrets('my ws/s-1/passwd'), secrets('w/s/passwd')], ['from here', 'x'])
  })

  test('in a file that others may read are refused', { skip: process.platform === 'win32' }, async () => {
    await write('{}')
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(file, mode)
      await assert.rejects(loadSecrets(file, {}), isError('home-unsafe'), mode.toString(8))
    }
  })

  test('in a file that is no such object are refused, and nothing of it is quoted', async () => {
    for (const text of ['', '{"a": "hunter2"', '["hunter2"]', 'null', '{"a": 1}', '"hunter2"']) {
      await write(text)
      await assert.rejects(loadSecrets(file, {}), (error) => {
        assert.ok(isError('config-invalid')(error) && error instanceof GrapevineError)
        assert.doesNotMatch(`${error.message} ${JSON.stringify(error.facts)} ${String(error.cause)}`, /hunter/)
        return true
      })
    }
    await rm(file)
    await mkdir(file, { mode: 0o700 })
    await assert.rejects(loadSecrets(file, {}), isError('config-invalid'))
  })

  test('may be as many as fit into the limit and not a byte more', async () => {
    const filled = (length: number): string => `{"a": "b"}${' '.repeat(length - 10)}`
    await write(filled(MAX_SECRETS_BYTES))
    assert.equal((await loadSecrets(file, {}))('a'), 'b')
    await write(filled(MAX_SECRETS_BYTES + 1))
    await assert.rejects(loadSecrets(file, {}), isError('config-invalid'))
  })
})

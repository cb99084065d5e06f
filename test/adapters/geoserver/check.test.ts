import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { checkDataDirectory } from '../../../src/adapters/geoserver/check.js'
import { MAX_XML_BYTES } from '../../../src/adapters/geoserver/xml.js'
import { writeLargeTree } from '../../../scripts/geoserver-tree.js'
import { isError } from '../../contract/adapter.js'
import { REPOSITORY } from '../../golden/files.js'
import { smallTree, writeTree } from './tree.js'

describe('a check of a data directory', () => {
  let base: string
  let count = 0
  const made = async (more: Record<string, string> = {}): Promise<string> => {
    const dir = join(base, String(count++))
    writeTree(dir, { ...smallTree(), ...more })
    return dir
  }

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'grapevine-check-'))
  })
  // rm of Node cannot remove what lies deeper than a path may be long
  after(() => execFileSync('rm', ['-rf', base]))

  test('counts files, objects and references and finds nothing wrong in the fixture', async () => {
    const report = await checkDataDirectory(join(REPOSITORY, 'test/fixtures/geoserver'))
    assert.deepEqual([report.objects, report.references, report.faults], [26, 29, 0])
    assert.equal(report.kinds['workspace'], 2)
    assert.equal(
      Object.values(report.sharing).reduce((a, b) => a + b),
      report.files
    )
  })

  test('finds faults and notes wherever they lie, in the order of paths', async () => {
    const dir = await made({ 'workspaces/coast/wfs.xml': '', 'styles/orphan.sld': '<a/>', 'logging.xml': '<logging>' })
    const { findings, faults } = await checkDataDirectory(dir)
    assert.deepEqual(
      findings.map(({ word, path }) => `${word} ${path}`),
      ['broken-file logging.xml', 'orphan styles/orphan.sld', 'broken-file workspaces/coast/wfs.xml']
    )
    assert.equal(faults, 2)
  })

  test('does not enter caches and logs, follows no link and reads no secret', async () => {
    const dir = await made({
      'gwc/tiles/1.xml': '<',
      'logs/a.xml': '<',
      'security/masterpw.xml': '<',
      'security/role/default/roles.xml': '<'
    })
    await symlink('/', join(dir, 'styles', 'link'))
    const { findings } = await checkDataDirectory(dir)
    assert.deepEqual(
      findings.map(({ word, path }) => `${word} ${path}`),
      [
        'node-local gwc/',
        'node-local logs/',
        'secret security/masterpw.xml',
        'broken-file security/role/default/roles.xml',
        'opt-in security/role/default/roles.xml',
        'not-a-file styles/link'
      ]
    )
  })

  test('reads nothing of a file that is larger than anything GeoServer writes', async () => {
    const dir = await made()
    await truncate(join(dir, 'styles/line.sld'), 6 * 2 ** 30)
    const { findings } = await checkDataDirectory(dir)
    assert.deepEqual(
      findings.map(({ word, message }) => [word, message]),
      [['broken-file', `is larger than ${MAX_XML_BYTES} bytes`]]
    )
  })

  test('names a name that is no text as it may be shown', { skip: process.platform !== 'linux' }, async () => {
    const dir = await made()
    await writeFile(Buffer.concat([Buffer.from(join(dir, 'styles/')), Buffer.from([0xff, 0x1b])]), '')
    const { findings, faults } = await checkDataDirectory(dir)
    assert.deepEqual(
      findings.map(({ word, path }) => `${word} ${path}`),
      ['unreadable styles/\\xff\\x1b']
    )
    assert.equal(faults, 1)
  })

  test('names what lies too deep to be opened, and goes on', { skip: process.platform !== 'linux' }, async () => {
    const dir = await made({ 'www/index.html': '' })
    const before = process.cwd()
    // each step is short enough, the whole path is not
    process.chdir(join(dir, 'www'))
    for (let at = 0; at < 19; at++) {
      await mkdir('d'.repeat(200))
      process.chdir('d'.repeat(200))
    }
    await writeFile(`${'f'.repeat(245)}.xml`, '')
    await mkdir('g'.repeat(250))
    process.chdir(before)
    const { findings } = await checkDataDirectory(dir)
    assert.deepEqual(
      findings.map(({ word, path, message }) => `${word} ${path.slice(-5)} ${message.slice(0, 14)}`),
      ['unreadable f.xml cannot be read', 'unreadable ggggg cannot be read']
    )
    await assert.rejects(checkDataDirectory(join(dir, 'x'.repeat(300))), isError('file-unreadable'))
  })

  test('of a large directory made for measurements finds all of it and nothing wrong', async () => {
    const dir = join(base, 'large')
    const files = writeLargeTree(dir, { workspaces: 5, stores: 12, layers: 60, styles: 3 })
    const report = await checkDataDirectory(dir)
    assert.deepEqual(report.findings, [])
    assert.deepEqual(
      [report.files, report.objects, report.references],
      [files, 5 * 2 + 12 + 60 * 2 + 3, 12 + 60 * 2 + 60 * 2 + 60]
    )
  })

  test('goes by the rules it is given', async () => {
    const dir = await made({ 'security/layers.properties': 'x', 'data/sea.tif': 'x' })
    const { sharing, findings } = await checkDataDirectory(dir, {
      rules: ['share security/layers.properties', 'local data/*']
    })
    assert.equal(sharing['opt-in'], undefined)
    assert.deepEqual(
      findings.map(({ word, path }) => `${word} ${path}`),
      ['node-local data/sea.tif']
    )
  })

  test('tells how far it is', async () => {
    const dir = await made()
    await mkdir(join(dir, 'www'))
    await Promise.all(Array.from({ length: 600 }, (_, at) => writeFile(join(dir, 'www', `${at}`), '')))
    const told: number[] = []
    const { files } = await checkDataDirectory(dir, { progress: (done) => told.push(done) })
    assert.ok(told.length >= 3)
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b)
    )
    assert.equal(told.at(-1), files)
  })

  test('counts nothing that went while it looked', async () => {
    const dir = await made()
    await mkdir(join(dir, 'www'))
    await Promise.all(Array.from({ length: 600 }, (_, at) => writeFile(join(dir, 'www', `${at}.xml`), '<a/>')))
    let looked = 0
    const { files, faults } = await checkDataDirectory(dir, {
      progress: (done) => {
        if (looked++ === 0) assert.ok(done < 300)
        rmSync(join(dir, 'www'), { recursive: true, force: true })
      }
    })
    assert.ok(files < 300)
    assert.equal(faults, 0)
  })

  test('of what is no directory says so', async () => {
    await assert.rejects(checkDataDirectory(join(base, 'nowhere')), isError('not-found'))
    await writeFile(join(base, 'file'), '')
    await assert.rejects(checkDataDirectory(join(base, 'file')), isError('not-a-directory'))
    await assert.rejects(checkDataDirectory(base, { rules: ['nonsense'] }), isError('config-invalid'))
  })
})

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ScanResult } from '../../../src/adapters/index.js'
import { bodyRefOf } from '../../../src/wire/index.js'
import { Bodies, covers, eventually, isError, outcomes } from '../../contract/adapter.js'
import { makeWorld, type World } from './world.js'

describe('watching a directory', () => {
  let world: World
  /** What scans of the hinted paths found, as a daemon would do it. */
  let seen: ScanResult[]
  let scans: Promise<void>

  beforeEach(async () => {
    world = await makeWorld({ emptySettleMs: 200 })
    seen = []
    scans = Promise.resolve()
  })
  afterEach(async () => {
    await world.adapter.stop()
    // a scan that was hinted at last may still be looking
    await scans
    await world.dispose()
  })

  async function start(): Promise<void> {
    world.adapter.onHint((hint) => {
      world.hints.push(hint)
      const options = 'all' in hint ? {} : { paths: hint.paths }
      scans = scans.then(async () => void seen.push(await world.adapter.scan(options)))
    })
    await world.adapter.start()
  }

  const hinted = (path: string) => world.hints.filter((hint) => covers(hint, path)).length
  const sizesSeen = (path: string) =>
    seen.flatMap(({ entries }) => {
      const entry = entries.get(path)
      return entry?.kind === 'file' ? [entry.body.size] : []
    })
  /** A change elsewhere whose hint shows that everything before it has been dealt with. */
  async function passTime(): Promise<void> {
    const marker = `marker-${randomUUID()}`
    await world.put(marker, '')
    await eventually(() => sizesSeen(marker).length > 0)
  }

  /** As GeoServer writes: a new file empty first, then a temporary file renamed over it. */
  async function geoserverWrites(path: string, content: string, isNew: boolean, gapMs = 0): Promise<void> {
    if (isNew) await writeFile(world.at(path), '')
    if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs))
    const temp = world.at(`${path}.${randomUUID()}.tmp`)
    await writeFile(temp, content)
    await rename(temp, world.at(path))
  }

  test("sees GeoServer's new file once, with its content, and never empty", async () => {
    await start()
    await geoserverWrites('layer.xml', '<layer/>', true)
    await eventually(() => sizesSeen('layer.xml').length > 0)
    await passTime()
    assert.deepEqual(sizesSeen('layer.xml'), [8])
    assert.equal(hinted('layer.xml'), 1)
  })

  test('never sees it empty either when the content takes longer than a file needs to settle', async () => {
    await start()
    await geoserverWrites('layer.xml', '<layer/>', true, 100)
    await eventually(() => sizesSeen('layer.xml').length > 0)
    await passTime()
    assert.deepEqual(sizesSeen('layer.xml'), [8])
  })

  test('never sees it empty when its directory is new as well', async () => {
    await start()
    for (let i = 0; i < 10; i++) {
      await mkdir(world.at(`ws${i}/store/layer`), { recursive: true })
      await geoserverWrites(`ws${i}/store/layer/layer.xml`, '<layer/>', true, i * 5)
    }
    for (let i = 0; i < 10; i++) await eventually(() => sizesSeen(`ws${i}/store/layer/layer.xml`).includes(8))
    for (let i = 0; i < 10; i++) assert.ok(!sizesSeen(`ws${i}/store/layer/layer.xml`).includes(0))
  })

  test("sees GeoServer's changes of a file, also through two renames", async () => {
    await world.makeDir('gwc-layers')
    await world.put('gwc-layers/L.xml', 'old')
    await start()
    await geoserverWrites('gwc-layers/L.xml.tmp', 'newer', false)
    await rename(world.at('gwc-layers/L.xml.tmp'), world.at('gwc-layers/L.xml'))
    await eventually(() => sizesSeen('gwc-layers/L.xml').length > 0)
    await passTime()
    assert.deepEqual(sizesSeen('gwc-layers/L.xml'), [5])
    assert.equal(hinted('gwc-layers/L.xml.tmp'), 0)
  })

  test('sees a template that stays empty', async () => {
    await start()
    await world.put('title.ftl', '')
    await eventually(() => sizesSeen('title.ftl').length > 0)
    assert.equal(hinted('title.ftl'), 1)
  })

  test('comes back to an empty file that only a scan met', async () => {
    await world.put('title.ftl', '')
    await start()
    await world.adapter.scan()
    await eventually(() => sizesSeen('title.ftl').length > 0)
  })

  test('sees the rename of a directory, and goes on watching it under its new name', async () => {
    await mkdir(world.at('ws/store/layer'), { recursive: true })
    await world.put('ws/store/layer/layer.xml', 'x')
    await start()
    await world.rename('ws', 'renamed')
    await eventually(() => hinted('ws') > 0 && sizesSeen('renamed/store/layer/layer.xml').length > 0)
    world.hints.length = 0
    await world.put('renamed/store/layer/layer.xml', 'longer')
    await eventually(() => sizesSeen('renamed/store/layer/layer.xml').includes(6))
    assert.equal(hinted('ws/store/layer/layer.xml'), 0)
  })

  test('sees files made while a deep new directory is not watched yet', async () => {
    await start()
    const wanted: string[] = []
    for (let i = 0; i < 60; i++) {
      await mkdir(world.at(`ws${i}/store/layer`), { recursive: true })
      for (const name of ['a.xml', 'b.xml']) {
        await writeFile(world.at(`ws${i}/store/layer/${name}`), `${i}`)
        wanted.push(`ws${i}/store/layer/${name}`)
      }
    }
    for (const path of wanted) await eventually(() => sizesSeen(path).length > 0)
  })

  test('sees the removal of a whole tree and what is made in its place', async () => {
    await mkdir(world.at('ws/store'), { recursive: true })
    await world.put('ws/store/a', 'x')
    await start()
    await rm(world.at('ws'), { recursive: true })
    await eventually(() => hinted('ws/store/a') > 0)
    await mkdir(world.at('ws/store'), { recursive: true })
    await world.put('ws/store/a', 'again')
    await eventually(() => sizesSeen('ws/store/a').includes(5))
  })

  test('sees the last of many writes in a row', async () => {
    await start()
    for (let i = 1; i <= 30; i++) {
      await world.put('a', 'x'.repeat(i))
      await new Promise((resolve) => setTimeout(resolve, i))
    }
    await eventually(() => sizesSeen('a').includes(30))
  })

  test('neither follows a symlink nor watches what is ignored', async () => {
    await world.makeDir('.grapevine')
    await symlink(world.outside, world.at('link'))
    await start()
    await writeFile(`${world.outside}/a`, 'x')
    await world.put('.grapevine/key', 'x')
    await passTime()
    assert.equal(hinted('link/a') + hinted('.grapevine') + hinted('.grapevine/key'), 0)
  })

  test('looks at everything when the ignore file changes', async () => {
    await world.makeDir('logs')
    await world.put('.grapevineignore', 'logs/\n')
    await world.put('logs/a', 'x')
    await start()
    await world.put('.grapevineignore', '# nothing\n')
    await eventually(() => sizesSeen('logs/a').length > 0)
    await world.put('logs/b', 'now watched')
    await eventually(() => sizesSeen('logs/b').length > 0)
  })

  test('says nothing about what the adapter wrote itself', async () => {
    await start()
    const bodies = new Bodies()
    const items = Array.from({ length: 20 }, (_, i) => {
      return { do: 'write', path: `f${i}`, body: bodies.add(`content ${i}`), exec: false, expect: null } as const
    })
    assert.deepEqual(outcomes(await world.adapter.apply(items, bodies.source)), Array(20).fill('done'))
    await passTime()
    assert.equal(items.filter((item) => hinted(item.path) > 0).length, 0)
    await world.put('f0', 'not ours')
    await eventually(() =>
      seen.some(({ entries }) => {
        const entry = entries.get('f0')
        return entry?.kind === 'file' && entry.body.hash === bodyRefOf(Buffer.from('not ours')).hash
      })
    )
  })

  test('watches again when a disk that was unmounted is back', async (context) => {
    const image = `${world.outside}/disk`
    const mount = () => execFileSync('mount', [device, world.root], { stdio: 'pipe' })
    let device = ''
    try {
      await writeFile(image, Buffer.alloc(2 * 1024 * 1024))
      execFileSync('mkfs.ext4', ['-q', image], { stdio: 'pipe' })
      device = execFileSync('losetup', ['--find', '--show', image], { stdio: 'pipe', encoding: 'utf8' }).trim()
      mount()
    } catch {
      if (device !== '') execFileSync('losetup', ['-d', device])
      context.skip('needs the right to mount a disk image')
      return
    }
    try {
      await start()
      execFileSync('umount', [world.root])
      await assert.rejects(world.adapter.scan(), isError('target-missing'))
      mount()
      await world.adapter.scan()
      await world.put('a', 'x')
      await eventually(() => sizesSeen('a').length > 0)
    } finally {
      await world.adapter.stop()
      execFileSync('umount', ['-l', world.root])
      execFileSync('losetup', ['-d', device])
    }
  })

  test('warns once when the system has no more watches, and goes on without', (context) => {
    const child = fileURLToPath(new URL('./few-watches.ts', import.meta.url)).replace(
      /\.ts$/,
      import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    )
    // a user namespace has limits of its own, so that nobody else on this machine is touched
    const script = 'echo 2 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"'
    const run = spawnSync(
      'unshare',
      [
        '--user',
        '--map-root-user',
        'sh',
        '-c',
        script,
        process.execPath,
        ...process.execArgv.filter((arg) => !arg.startsWith('--test')),
        child,
        world.root
      ],
      { encoding: 'utf8' }
    )
    if (run.error !== undefined || /unshare|cannot create|Permission denied/.test(run.stderr)) {
      context.skip('needs the right to make a user namespace')
      return
    }
    assert.equal(run.status, 0, run.stderr)
    assert.deepEqual(JSON.parse(run.stdout), { complete: false, warnings: 1, entries: 10 })
  })
})

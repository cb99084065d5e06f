/**
 * Looks at one power cut, in mount and network namespaces of its own: mounts the copy where the disk was, lets the
 * adapter and then the daemon recover, and compares with the promises. Started by power-cut.ts; answers with JSON.
 *
 *   power-check.ts IMAGE MOUNT_POINT PROMISES_FILE LOG_DIRECTORY
 */
import '../src/polyfill.js'
import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createDirectoryAdapter, MemoryStatCache } from '../src/adapters/index.js'
import { reasonOf } from '../src/errors.js'
import { systemClock } from '../src/runtime-node.js'
import { silentLogger } from '../src/runtime.js'
import { call } from '../test/e2e/call.js'
import { entriesOf, settled } from '../test/e2e/catalog.js'
import { Node } from '../test/e2e/node.js'
import { SETS, setPaths } from './power-load.js'
import { generationOf, keeps, type Promises } from './power-promises.js'

export interface CutReport {
  readonly failures: string[]
  startMs: number
  /** Files in the shared directory right after the cut. */
  files: number
  /** Whether a set was under way when the power went, and was finished or taken back. */
  recovered: number
}

const SCRATCH = /(^|\/)\.grapevine-tmp-/

const [image, mountPoint, promisesFile, place] = process.argv.slice(2) as [string, string, string, string]
const promises = JSON.parse(readFileSync(promisesFile, 'utf8')) as Promises
const home = join(mountPoint, 'home')
const dir = join(mountPoint, 'catalog')
const report: CutReport = { failures: [], startMs: 0, files: 0, recovered: 0 }

call('ip', 'link', 'set', 'lo', 'up')
call('mount', '-o', 'loop', image, mountPoint)
const node = new Node({ name: 'after the cut', place, home, dir, also: ['--no-mdns'] })
try {
  forgetBoot()
  checkFiles('after the cut')
  await recoverSets()
  const began = performance.now()
  await node.start()
  report.startMs = Math.round(performance.now() - began)
  await checkCatalog()
  await settled(node)
  checkFiles('at the end')
  checkSets('at the end')
} catch (error) {
  report.failures.push(`${reasonOf(error)}\n${node.tail()}`)
} finally {
  await node.kill()
  call('umount', mountPoint)
}
process.stdout.write(`${JSON.stringify(report)}\n`)
process.exit(0)

/** The machine did not restart, so the stores are shown what they would find after a restart: another boot. */
function forgetBoot(): void {
  for (const store of ['index', 'target']) {
    const file = join(home, store, 'open-state.json')
    if (!existsSync(file)) continue
    const marker = JSON.parse(readFileSync(file, 'utf8')) as { boot?: string }
    if (marker.boot !== undefined) writeFileSync(file, JSON.stringify({ ...marker, boot: 'before the power cut' }))
  }
}

/** Every file that has its real name holds one whole content. */
function checkFiles(when: string): void {
  const files = filesOf()
  report.files = files.length
  for (const path of files) {
    const content = readFileSync(join(dir, path), 'utf8')
    if (generationOf(path, content) !== undefined) continue
    report.failures.push(`${when}: ${path} holds ${content.length} bytes that are no whole content of it`)
  }
}

function filesOf(): string[] {
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = found.map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
  return paths.filter((path) => !SCRATCH.test(path))
}

/** What the adapter alone makes of it, before anybody goes on with the rest. */
async function recoverSets(): Promise<void> {
  const adapter = createDirectoryAdapter(
    { clock: systemClock, logger: silentLogger, cache: new MemoryStatCache() },
    { root: dir, journalDir: join(home, 'journal') }
  )
  await adapter.start()
  report.recovered = adapter.recovered.length
  await adapter.stop()
  checkFiles('after the adapter recovered')
  checkSets('after the adapter recovered')
}

function checkSets(when: string): void {
  for (let set = 0; set < SETS; set++) {
    const generations = setPaths(set).map((path) => {
      const file = join(dir, path)
      return existsSync(file) ? String(generationOf(path, readFileSync(file, 'utf8'))) : 'absent'
    })
    if (new Set(generations).size > 1) report.failures.push(`${when}: half of set ${set}: ${generations.join(' ')}`)
  }
}

async function checkCatalog(): Promise<void> {
  const found = new Map<string, number | null>()
  for (const { path, kind } of await entriesOf(node)) {
    if (kind !== 'file') continue
    const generation = generationOf(path, await contentAt(path))
    if (generation === undefined) report.failures.push(`the catalog holds no whole content of ${path}`)
    else found.set(path, generation)
  }
  for (const [path, promised] of Object.entries(promises)) {
    const generation = found.get(path) ?? null
    if (keeps(promised, generation)) continue
    const acknowledged = promised.tried[promised.acknowledged]
    report.failures.push(`${path} is ${generation ?? 'absent'} where ${acknowledged ?? 'its removal'} was acknowledged`)
  }
  const { conflicts } = await node.space()
  if (conflicts > 0) report.failures.push(`${conflicts} conflicts although every path has one writer`)
}

async function contentAt(path: string): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of (await node.client.open(path)).body) parts.push(part)
  return Buffer.concat(parts).toString()
}

/**
 * Judges images one after the other, in a mount namespace of its own: shows a copy where the recorded daemon saw the
 * original, lets the daemon recover, and checks what it comes back with. Started by crash-judges.ts.
 *
 *   crash-judge.ts PLACE NUMBER
 */
import '../../src/polyfill.js'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createDirectoryAdapter, MemoryStatCache } from '../../src/adapters/index.js'
import { reasonOf } from '../../src/errors.js'
import { systemClock } from '../../src/runtime-node.js'
import { silentLogger } from '../../src/runtime.js'
import type { Case, Verdict } from './crash-case.js'
import { checkAfterCrash, readOrAbsent, type Checked } from './crash-check.js'
import { Places } from './crash-images.js'
import { Models } from './crash-model.js'
import { crashNode, type Side } from './crash-recorder.js'
import { halfSets } from './crash-script.js'
import { keepProbeWarm } from './crash-warm-probe.js'
import { WarmDaemon, warmUp } from './crash-warm.js'
import { cpuMsOf, PACKAGE_ROOT } from './program.js'

interface Hook {
  numberOperations(crash: Numbered): Promise<void>
  seemOneDevice(): Promise<void>
}

interface Numbered {
  operations: number
  tears(number: number): boolean
  reached(number: number, side: Side): void
}

const [place, number] = process.argv.slice(2) as [string, string]
const places = new Places(place)
const models = new Models()
const work = `work-${number}`

/** The recovery under way, as the hook sees it. */
const numbered: Numbered = { operations: 0, tears: () => false, reached: () => undefined }

async function prepare(): Promise<void> {
  const file = pathToFileURL(join(PACKAGE_ROOT, 'test', 'e2e', 'crash-hook.mjs')).href
  const hook = (await import(file)) as Hook
  await hook.seemOneDevice()
  await hook.numberOperations(numbered)
  keepProbeWarm()
  await warmUp()
  // each start looks once more whether somebody reads
  for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)
}

async function judge(one: Case): Promise<Verdict> {
  await places.copy(one.image, work)
  await places.show(work)
  const taking = takeAgain(one.again)
  try {
    if (one.look) await lookBetween()
    const verdict = await (one.real ? judgeReal(one) : judgeWarm(one))
    return { ...verdict, operations: numbered.operations, again: taking.taken }
  } catch (error) {
    return { failure: reasonOf(error), startMs: 0, operations: numbered.operations, again: taking.taken }
  } finally {
    taking.end()
    await places.hide()
    await places.discard(work)
  }
}

/** Numbers this recovery from 1 and takes the image it is asked for. */
function takeAgain(again: Case['again']): { readonly taken: boolean; end(): void } {
  const taking = { taken: false, end: () => (numbered.reached = () => undefined) }
  numbered.operations = 0
  numbered.tears = (operation) => again?.operation === operation && again.side === 'torn'
  numbered.reached = (operation, side) => {
    if (taking.taken || operation !== again?.operation || side !== again.side) return
    places.copyNow(work, again.image)
    taking.taken = true
  }
  return taking
}

async function judgeWarm(one: Case): Promise<Omit<Verdict, 'again' | 'operations'>> {
  const daemon = new WarmDaemon(places.here)
  const began = performance.now()
  try {
    await daemon.start()
    const startMs = performance.now() - began
    await check(daemon, one)
    const code = await daemon.stop()
    if (code !== 0) throw new Error(`the daemon stopped with ${code}`)
    return { startMs }
  } catch (error) {
    await daemon.stop().catch(() => undefined)
    throw new Error(`${reasonOf(error)}\n${daemon.tail()}`, { cause: error })
  }
}

async function judgeReal(one: Case): Promise<Omit<Verdict, 'again' | 'operations'>> {
  const node = crashNode(places.here)
  const began = performance.now()
  try {
    await node.start()
    const verdict = { startMs: performance.now() - began, startCpuMs: cpuMsOf(node.pid) }
    await check(node, one)
    return verdict
  } catch (error) {
    throw new Error(`${reasonOf(error)}\n${node.tail()}`, { cause: error })
  } finally {
    await node.kill()
  }
}

function check(daemon: Checked, { moment }: Case): Promise<void> {
  return checkAfterCrash(daemon, models.allowedAt(moment))
}

/** What the target would be told: the adapter has recovered and nobody has gone on with the rest. */
async function lookBetween(): Promise<void> {
  const dir = join(places.here, 'catalog')
  const adapter = createDirectoryAdapter(
    { clock: systemClock, logger: silentLogger, cache: new MemoryStatCache() },
    { root: dir, journalDir: join(places.here, 'home', 'journal') }
  )
  await adapter.start()
  await adapter.stop()
  const broken = halfSets((path) => readOrAbsent(join(dir, path)))
  if (broken.length > 0) throw new Error(`half a set after the adapter recovered: ${broken.join('; ')}`)
}

await prepare()
process.on('message', (one: Case) => void judge(one).then((verdict) => process.send!(verdict)))
process.on('disconnect', () => process.exit())
process.send!('ready')

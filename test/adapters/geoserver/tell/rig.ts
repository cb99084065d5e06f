/** A teller over a directory, with a stand-in for GeoServer and a clock that the test moves. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { Classifier } from '../../../../src/adapters/geoserver/classify.js'
import { MemoryTextMemory } from '../../../../src/adapters/geoserver/memory.js'
import { Debt } from '../../../../src/adapters/geoserver/tell/debt.js'
import { Knowledge } from '../../../../src/adapters/geoserver/knowledge.js'
import { Caller } from '../../../../src/adapters/geoserver/tell/caller.js'
import { Teller } from '../../../../src/adapters/geoserver/tell/teller.js'
import type { Turn } from '../../../../src/adapters/geoserver/tell/windows.js'
import { until } from '../../../e2e/until.js'
import { smallTree, worldOf, type Tree, type World } from '../../../geoserver/world.js'
import { HandClock } from '../../../net/hand-clock.js'
import { recordingLogger } from '../../../control/world.js'

export const LAYER = 'workspaces/coast/depth/contours/layer.xml'
export const FEATURE = 'workspaces/coast/depth/contours/featuretype.xml'
export const TILE_LAYER = 'gwc-layers/La-1.xml'
export const STYLE_BODY = 'styles/line.sld'

export interface Rig {
  readonly world: World
  readonly clock: HandClock
  readonly rows: MemoryTextMemory
  readonly teller: Teller
  readonly passwordFile: string
  readonly lines: ReturnType<typeof recordingLogger>['lines']
  /** Changes files as the adapter does; null: removed. */
  write(changes: Readonly<Record<string, string | null>>): Promise<void>
  /** Lets time pass until GeoServer knows everything, or this holds. */
  settled(holds?: () => boolean): Promise<void>
}

interface RigOptions {
  readonly tree?: Tree
  readonly turn?: () => Turn
  readonly rows?: MemoryTextMemory
  readonly world?: World
  readonly password?: string
  readonly beforeCall?: () => Promise<void>
  readonly recovered?: readonly string[]
  /** Whether other GeoServers write to the directory, too. */
  readonly shared?: boolean
}

const ALONE: Turn = { rank: 0, nodes: 1, share: 1 }

export async function rig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const world = options.world ?? (await worldOf(t, options.tree))
  const clock = new HandClock()
  const rows = options.rows ?? new MemoryTextMemory()
  const { logger, lines } = recordingLogger()
  const classifier = new Classifier()
  const passwordFile = join(await mkdtemp(join(tmpdir(), 'gv-teller-')), 'password')
  t.after(() => rm(dirname(passwordFile), { recursive: true }))
  await writeFile(passwordFile, options.password ?? 'geoserver', { mode: 0o600 })
  const caller = new Caller({ url: world.standIn.url, user: 'admin', passwordFile })
  const teller = new Teller({
    clock,
    logger,
    caller: {
      text: async (call, signal) => {
        await options.beforeCall?.()
        return caller.text(call, signal)
      }
    },
    knowledge: new Knowledge(world.dir, classifier),
    debt: new Debt(rows, classifier),
    bytesOf: (path) => readFile(join(world.dir, path)).catch(() => undefined),
    turn: options.turn ?? (() => ALONE),
    shared: options.shared ?? false
  })
  await teller.start(options.recovered)
  await teller.ready()
  t.after(() => teller.stop())
  const settled = async (holds = () => teller.view().state === 'told' && teller.view().owed === 0): Promise<void> => {
    await until('GeoServer is told', async () => {
      await clock.pass(50)
      return holds()
    })
  }
  const write = async (changes: Readonly<Record<string, string | null>>): Promise<void> => {
    await teller.changing(Object.keys(changes), async () => {
      for (const [path, text] of Object.entries(changes))
        if (text === null) await rm(world.at(path))
        else await world.write(path, text)
    })
  }
  return { world, clock, rows, teller, passwordFile, lines, write, settled }
}

export const counts = ({ world }: Rig) => world.standIn.report().counts
export const calls = ({ world }: Rig): string[] =>
  world.standIn
    .report()
    .asked.filter(({ method, path }) => method !== 'GET' && !path.startsWith('/stand-in'))
    .map(({ method, path }) => `${method} ${path}`)

/** Another layer of the store, as files. */
export function layerFiles(name: string): Record<string, string> {
  const { [LAYER]: layer, [FEATURE]: feature } = smallTree() as Record<string, string>
  const renamed = (text: string): string => text.replaceAll('contours', name).replaceAll(/(La|Ft)-1/g, `$1-${name}`)
  return {
    [FEATURE.replace('contours', name)]: renamed(feature!),
    [LAYER.replace('contours', name)]: renamed(layer!)
  }
}

/** What must hold once a daemon that was killed runs again. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { entriesOf, settled } from './catalog.js'
import { halfSets, hashOf, type Model } from './crash-script.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** What the catalog may hold: without the change that was under way, or with it. */
export interface Allowed {
  readonly before: Model
  readonly after: Model
  /**
   * Somebody had made the change in the directory already: the catalog must end with it, and may pass through whatever
   * the scan makes of it in between.
   */
  readonly stays: boolean
}

/** What is looked at of a daemon; it need not be a process of its own. */
export type Checked = Pick<Node, 'name' | 'dir' | 'client' | 'files' | 'space'>

/** How long a started daemon may take to be in step with its directory, ms. */
const SETTLE_MS = 30_000
const SCRATCH = /(^|\/)\.grapevine-tmp-[0-9a-f]{24}$/

/** Throws, with what is wrong, unless everything acknowledged is there, whole, and nothing else. */
export async function checkAfterCrash(node: Checked, allowed: Allowed): Promise<void> {
  const { before, after, stays } = allowed
  const soon = await catalogOf(node)
  const lost = stays ? unlikeBoth(allowed, soon) : differsFromAll([before, after], soon)
  if (lost !== undefined) throw new Error(`acknowledged and not there: ${lost}`)
  const ends = stays ? [after] : [before, after]
  let last: string | undefined
  await until(
    'the catalog is as it must be',
    async () => (last = differsFromAll(ends, await catalogOf(node))) === undefined,
    SETTLE_MS
  ).catch(() => {
    throw new Error(`the catalog did not become what it must be: ${last}`)
  })
  await settled(node)
  await checkDirectory(node)
}

async function checkDirectory(node: Checked): Promise<void> {
  const half = halfSets((path) => readOrAbsent(join(node.dir, path)))
  if (half.length > 0) throw new Error(`half a set: ${half.join('; ')}`)
  const scratch = readdirSync(node.dir, { recursive: true })
    .map(String)
    .filter((path) => SCRATCH.test(path))
  if (scratch.length > 0) throw new Error(`scratch files are left: ${scratch.join(', ')}`)
  const { conflicts } = await node.space()
  if (conflicts > 0) throw new Error(`${conflicts} conflicts although nobody else writes`)
}

async function catalogOf(node: Checked): Promise<Map<string, string>> {
  const entries = await entriesOf(node)
  return new Map(entries.flatMap(({ path, hash }) => (hash === undefined ? [] : [[path, hash] as const])))
}

/** How a catalog differs from the last of some models, unless it equals one of them. */
function differsFromAll(models: readonly Model[], catalog: ReadonlyMap<string, string>): string | undefined {
  const differences = models.map((model) => difference(model, catalog))
  return differences.includes('') ? undefined : differences.at(-1)
}

/** As `differsFromAll`, leaving out the paths the change is about. */
function unlikeBoth({ before, after }: Allowed, catalog: ReadonlyMap<string, string>): string | undefined {
  const changed = new Set([...before.keys(), ...after.keys()].filter((path) => before.get(path) !== after.get(path)))
  const rest = <T>(all: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...all].filter(([path]) => !changed.has(path)))
  return differsFromAll([rest(before)], rest(catalog))
}

function difference(model: Model, catalog: ReadonlyMap<string, string>): string {
  const missing = [...model].filter(([path, content]) => catalog.get(path) !== hashOf(content))
  const more = [...catalog.keys()].filter((path) => !model.has(path))
  const words = missing.map(([path]) => `${path} ${catalog.has(path) ? 'differs' : 'is missing'}`)
  return [...words, ...more.map((path) => `${path} should not be there`)].join(', ')
}

export function readOrAbsent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** Runs scenarios at a fleet and says of each what it cost; the same report for real GeoServers and for stand-ins. */
import { join } from 'node:path'
import type { VectorView } from '../../src/control/target.js'
import type { Fleet } from './geoserver-fleet.js'
import { isChange, isReload, type Recorded } from './geoserver-recorder.js'
import type { Scenario } from './geoserver-scenarios.js'
import { equalByMeaning } from './geoserver-meaning.js'
import { complaintsIn, editsSince, textsOf } from './geoserver-scenario-evidence.js'

export interface ScenarioResult {
  readonly name: string
  readonly ok: boolean
  /** Why it is not well. */
  readonly why?: string
  /** Until all GeoServers showed it, and until all were told everything, seconds. */
  readonly seenSeconds: number
  readonly toldSeconds: number
  /** Records by the nodes at which something was done, and by all others. */
  readonly records: number
  readonly echoes: number
  /** What is in the records of those others. */
  readonly echoed: readonly string[]
  /** Calls that change something, at each GeoServer from its node, without reloads. */
  readonly calls: readonly number[]
  readonly reloads: readonly number[]
  readonly reloadsAtOnce: number
  readonly maps: ReadonlyArray<{ readonly asked: number; readonly failed: number }>
  /** What was called, at the second GeoServer. */
  readonly called: readonly string[]
}

export interface ScenarioReport {
  readonly version: string
  readonly results: readonly ScenarioResult[]
  /** What GeoServers said they could not load. */
  readonly lost: readonly string[]
  readonly ok: boolean
}

export async function runScenarios(
  fleet: Fleet,
  scenarios: readonly Scenario[],
  progress: (result: ScenarioResult) => void
): Promise<ScenarioReport> {
  const results: ScenarioResult[] = []
  for (const scenario of scenarios) {
    const result = await runOne(fleet, scenario)
    results.push(result)
    progress(result)
    // what comes after would fail for this reason, not for its own
    if (!result.ok && result.why?.startsWith('not seen')) break
  }
  const about = await fleet.first.ask('GET', '/rest/about/version.xml')
  const lost = fleet.sites.flatMap(({ name, node, geoserver }) =>
    complaintsIn([join(node.dir, 'logs', 'geoserver.log'), geoserver.logFile]).map((line) => `${name}: ${line}`)
  )
  const done = results.length === scenarios.length
  return {
    version: /<Version>(.*?)<\/Version>/.exec(about)?.[1] ?? 'unknown',
    results,
    lost,
    ok: done && lost.length === 0 && results.every(({ ok }) => ok)
  }
}

async function runOne(fleet: Fleet, scenario: Scenario): Promise<ScenarioResult> {
  const before = await standing(fleet)
  const began = performance.now()
  let seen = began
  const faults: string[] = []
  try {
    await scenario.run(fleet)
    seen = performance.now()
    await fleet.told()
    await equalByMeaning(fleet.sites.map(({ node }) => node))
  } catch (error) {
    faults.push(`not seen: ${error instanceof Error ? error.message : String(error)}`)
  }
  const told = performance.now()
  const after = await standing(fleet)
  const authors = new Set(scenario.authors ?? ['a'])
  const { node } = fleet.first
  const written = node.running ? await editsSince(node.client, before.vector) : []
  const nameOf = (author: string): string => fleet.sites.find((site) => site.node.id === author)!.name
  const echoes = written.filter(({ author }) => !authors.has(nameOf(author)))
  const recorded = fleet.sites.map(({ recorder }, at) => recorder.calls.slice(before.calls[at]).filter(isChange))
  const result: Omit<ScenarioResult, 'ok' | 'why'> = {
    name: scenario.name,
    seenSeconds: seconds(seen - began),
    toldSeconds: seconds(told - began),
    records: written.length - echoes.length,
    echoes: echoes.length,
    echoed: await Promise.all(echoes.map(({ id, ops }) => textsOf(node.client, id, ops))),
    calls: recorded.map((calls) => calls.filter((call) => !isReload(call)).length),
    reloads: recorded.map((calls) => calls.filter(isReload).length),
    reloadsAtOnce: mostAtOnce(recorded.flatMap((calls) => calls.filter(isReload))),
    maps: after.maps.map(({ asked, failed }, at) => ({
      asked: asked - before.maps[at]!.asked,
      failed: failed - before.maps[at]!.failed
    })),
    called: recorded[1]!.map(({ method, path, status }) => `${method} ${path} ${status}`)
  }
  faults.push(...judge(scenario, result), ...(await refusals(fleet)))
  return { ...result, ok: faults.length === 0, ...(faults.length > 0 && { why: faults.join('; ') }) }
}

function judge(
  { calls = Infinity, records = Infinity, reloads, silent = false }: Scenario,
  found: Omit<ScenarioResult, 'ok' | 'why'>
): string[] {
  const faults: string[] = []
  const most = (counts: readonly number[]): number => Math.max(...counts)
  if (most(found.calls.slice(1)) > calls) faults.push(`more than ${calls} calls`)
  if (most(found.reloads.slice(1)) > reloads) faults.push(`more than ${reloads} reloads`)
  if (found.records > records) faults.push(`more than ${records} records`)
  if (found.reloadsAtOnce > 1) faults.push(`${found.reloadsAtOnce} reloaded at once`)
  if (found.echoes > 0) faults.push(`${found.echoes} records of nodes at which nothing was done`)
  if (silent && found.records > 0) faults.push(`${found.records} records of what means nothing`)
  return faults
}

/** What GeoServers did not take. */
async function refusals(fleet: Fleet): Promise<string[]> {
  const views = await Promise.all(fleet.sites.map(async ({ name, node }) => ({ name, status: node.running ? await node.status() : null }))) // prettier-ignore
  return views.flatMap(({ name, status }) =>
    (status?.target?.telling?.failed ?? []).map(({ about, reason }) => `${name} refuses ${about}: ${reason}`)
  )
}

interface Standing {
  readonly vector: VectorView
  readonly calls: readonly number[]
  readonly maps: ReadonlyArray<{ readonly asked: number; readonly failed: number }>
}

async function standing({ sites, first }: Fleet): Promise<Standing> {
  const vector = first.node.running ? (await first.node.space()).vector : {}
  return {
    vector,
    calls: sites.map(({ recorder }) => recorder.calls.length),
    maps: sites.map(({ maps }) => ({ ...maps }))
  }
}

function mostAtOnce(calls: readonly Recorded[]): number {
  return Math.max(0, ...calls.map((one) => calls.filter(({ from, to }) => from <= one.from && one.from < to).length))
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10

/** One line of the table. */
export function lineOf(result: ScenarioResult): string {
  const { name, ok, seenSeconds, records, echoes, calls, reloads, maps, why } = result
  const failed = maps.map(({ asked, failed: lost }) => `${lost}/${asked}`).join(' ')
  return (
    `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(32)} ${`${seenSeconds} s`.padStart(8)} ${String(records).padStart(4)} rec ${String(echoes).padStart(2)} echo` +
    `   calls ${calls.join(' ')}   reloads ${reloads.join(' ')}   maps failed ${failed}${why === undefined ? '' : `\n         ${why}`}`
  )
}

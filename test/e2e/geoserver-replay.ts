/**
 * A history of a data directory played at one node, and every single write of the others held against it: none may leave
 * a reference that leads nowhere where the source had none.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Classifier, travels } from '../../src/adapters/geoserver/classify.js'
import { startStandIn, type StandIn } from '../geoserver/server.js'
import type { Cluster } from './cluster.js'
import { freePort } from './free-port.js'
import { accessTo } from './geoserver-access.js'
import { equalByMeaning, meansSame } from './geoserver-meaning.js'
import type { History, Step } from './history.js'
import type { Node } from './node.js'
import { eyes, judge, turnsIn, watching, type Around, type References, type Verdict } from './references.js'
import { PATIENCE_MS, until } from './until.js'

export interface ReplayOptions {
  /** Steps that are there when the nodes start, and how many are played from there; absent: all. */
  readonly from: number
  readonly steps?: number
  readonly nodes: number
  /** A stand-in for GeoServer runs over each receiving directory. */
  readonly geoservers: boolean
  /** How long a node waits for what is nowhere, ms. */
  readonly brokenAfterMs: number
  readonly progress?: (done: number, of: number, ms: number) => void
}

export interface ReplayReport {
  readonly steps: number
  /** Steps after which something was broken at the source. */
  readonly brokenAtSource: number
  readonly files: number
  readonly seconds: number
  /** From the last write of a step until all other nodes have it. */
  readonly msPerStep: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly receivers: ReadonlyArray<
    Omit<Verdict, 'brokenAtTheEnd'> & { readonly node: string; readonly reloads: number }
  >
  /** Files of one node alone that are not as they were. */
  readonly touched: readonly string[]
}

/** Files of one node alone, which nothing may touch; where a GeoServer runs, those of its keystore are its own. */
const OWN: readonly string[] = ['logs/own.log', 'gwc/own/tile.png', 'cluster/cluster.properties', 'styles/old.sld.bak']
const KEYS: readonly string[] = ['security/geoserver.jceks', 'security/masterpw.digest']
const classifier = new Classifier()

interface Receiver {
  readonly node: Node
  readonly port: number
  readonly log: string
}

export async function replayGeoServer(
  cluster: Cluster,
  history: History,
  options: ReplayOptions
): Promise<ReplayReport> {
  const began = performance.now()
  const own = options.geoservers ? OWN : [...OWN, ...KEYS]
  const also = ['--adapter', 'geoserver', '--geoserver-broken-after-ms', String(options.brokenAfterMs)]
  let left: readonly Step[] = []
  const source = await cluster.found('a', {
    also,
    before: (dir) => {
      left = history.begin(dir, options.from)
      writeOwn(dir, 'a', own)
    }
  })
  const receivers: Receiver[] = []
  for (let at = 1; at < options.nodes; at++)
    receivers.push(await receiverOf(cluster, String.fromCharCode(97 + at), also, own, options))
  const nodes = [source, ...receivers.map(({ node }) => node)]
  const geoservers = new Map<Receiver, StandIn>()
  try {
    await cluster.connected()
    await equalByMeaning(nodes)
    if (options.geoservers)
      for (const receiver of receivers)
        geoservers.set(
          receiver,
          await startStandIn({ dir: receiver.node.dir, port: receiver.port, noticeEveryMs: 500, reloadMs: () => 50 })
        )
    const played = await playAll(nodes, history, left.slice(0, options.steps), options)
    const files = (await equalByMeaning(nodes)).size
    for (const { node } of receivers) if (options.geoservers) await told(node)
    for (const node of nodes) await node.stop()
    return {
      steps: played.times.length,
      brokenAtSource: played.brokenAtSource,
      files,
      seconds: Math.round((performance.now() - began) / 100) / 10,
      msPerStep: shares(played.times),
      receivers: await Promise.all(
        receivers.map(async (receiver) => ({
          ...(await verdictOn(receiver, played)),
          node: receiver.node.name,
          reloads: geoservers.get(receiver)?.report().counts.reloads ?? 0
        }))
      ),
      touched: nodes.flatMap((node) => touchedOwn(node, own))
    }
  } finally {
    for (const geoserver of geoservers.values()) await geoserver.stop()
  }
}

async function receiverOf(
  cluster: Cluster,
  name: string,
  also: readonly string[],
  own: readonly string[],
  { geoservers }: ReplayOptions
): Promise<Receiver> {
  const log = join(cluster.place, `${name}.references`)
  const dir = join(cluster.place, name, 'catalog')
  const port = await freePort()
  const telling = accessTo(`http://127.0.0.1:${port}/geoserver`, cluster)
  const node = await cluster.join(name, {
    also: geoservers ? [...also, ...telling, '--geoserver-reload-share', '1'] : also,
    env: watching(dir, log),
    before: (place) => writeOwn(place, name, own)
  })
  assert.equal(node.dir, dir)
  return { node, port, log }
}

interface Played {
  readonly around: readonly Around[]
  readonly times: readonly number[]
  readonly brokenAtSource: number
  /** What is broken at the source in the end. */
  readonly atRest: ReadonlySet<string>
}

async function playAll(
  nodes: readonly Node[],
  history: History,
  steps: readonly Step[],
  { progress }: ReplayOptions
): Promise<Played> {
  const [source, ...others] = nodes as [Node, ...Node[]]
  const eye = await eyes()
  const state = new eye.References()
  for (const path of eye.filesBelow(source.dir)) state.set(path, eye.textAt(source.dir, path))
  const around: Around[] = [{ at: 0, step: 0, broken: new Set(state.broken), replaced: new Set() }]
  const times: number[] = []
  let brokenAtSource = 0
  for (const [at, step] of steps.entries()) {
    around.push(aroundOf(state, step, history))
    if (state.broken.size > 0) brokenAtSource++
    history.play(source.dir, step, 'geoserver')
    const written = performance.now()
    await until(`step ${step.step} is everywhere`, () => holdAll(source, others, step, history), PATIENCE_MS, 10)
    times.push(performance.now() - written)
    progress?.(at + 1, steps.length, times.at(-1)!)
  }
  return { around, times, brokenAtSource, atRest: new Set(state.broken) }
}

/** What is broken before and after a step, and the ids that are replaced by it; the state goes on to after it. */
function aroundOf(state: References, { step, put, del }: Step, history: History): Around {
  const before = new Set(state.broken)
  const owned = new Map([...del, ...put.map(([path]) => path)].map((path) => [path, state.ownId(path)]))
  for (const path of del) state.set(path, undefined)
  for (const [path, hash] of put) state.set(path, history.content(hash).toString())
  const replaced = new Set<string>()
  for (const [path, id] of owned) {
    const now = state.ownId(path)
    if (id === undefined || now === undefined || id === now) continue
    replaced.add(id).add(now)
  }
  return { at: Date.now(), step, broken: new Set([...before, ...state.broken]), replaced }
}

/** Throws with what is not as it should be yet. */
async function holdAll(source: Node, others: readonly Node[], { put, del }: Step, history: History): Promise<true> {
  const kept = new Set(put.map(([path]) => path))
  for (const { name, dir, client } of others) {
    const { waiting } = await client.waiting()
    const shown = JSON.stringify(waiting.slice(0, 3))
    for (const path of del)
      assert.ok(kept.has(path) || !goes(path) || !existsSync(join(dir, path)), `${name} still has ${path} ${shown}`)
    for (const [path, hash] of put) {
      const there = existsSync(join(dir, path))
      const same = meansSame(path, there ? readFileSync(join(dir, path)) : Buffer.alloc(0), history.content(hash))
      // what is no well-formed document of its kind does not travel
      assert.ok(
        same !== false && (there || same === undefined),
        `${name} has ${there ? 'another' : 'no'} ${path} ${shown}`
      )
    }
    assert.equal(shown, '[]')
  }
  const spaces = await Promise.all([source, ...others].map((node) => node.space()))
  assert.equal(new Set(spaces.map(({ root }) => root)).size, 1, 'the roots differ')
  return true
}

const goes = (path: string): boolean => travels(classifier.classify(path).sharing)

async function verdictOn(
  { node, log }: Receiver,
  { around, atRest }: Played
): Promise<Omit<Verdict, 'brokenAtTheEnd'>> {
  const { brokenAtTheEnd, ...verdict } = judge(turnsIn(log), around)
  const eye = await eyes()
  const left = new eye.References()
  for (const path of eye.filesBelow(node.dir)) left.set(path, eye.textAt(node.dir, path))
  for (const each of new Set([...brokenAtTheEnd, ...left.broken]))
    if (!atRest.has(each)) verdict.violations.push(`at the end: ${each}`)
  return verdict
}

function told(node: Node): Promise<unknown> {
  return until(`${node.name} has told its GeoServer`, async () => {
    const telling = (await node.status()).target?.telling
    return telling?.state === 'told'
  })
}

function shares(times: readonly number[]): ReplayReport['msPerStep'] {
  const sorted = times.toSorted((a, b) => a - b)
  const share = (part: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)
  return { p50: share(0.5), p99: share(0.99), max: share(1) }
}

function writeOwn(dir: string, name: string, own: readonly string[]): void {
  for (const path of own) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), `${path} of ${name}`)
  }
}

function touchedOwn({ dir, name }: Node, own: readonly string[]): string[] {
  const isOwn = (path: string): boolean =>
    existsSync(join(dir, path)) && readFileSync(join(dir, path), 'utf8') === `${path} of ${name}`
  return own.filter((path) => !isOwn(path)).map((path) => `${name}: ${path}`)
}

/**
 * One damaged file of a home at a time, and what the node makes of it: found before it is served, never spread, healed
 * where somebody has it, named where nobody does. With real daemons.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import type { LossView, ScrubReport, StatusView } from '../../src/control/target.js'
import { GrapevineError, reasonOf } from '../../src/errors.js'
import { type Cluster } from '../e2e/cluster.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'
import { WarmProgram } from '../e2e/warm.js'
import { harmed, type Case } from './harm.js'
import { isNewestKept, type Version } from './versions.js'

/**
 * healed: everything is right again. named: what is lost is named, the rest is right. refused: the node does not start and
 * says which file. harmless: nothing that counts was changed. All others are failures.
 */
export type Outcome = 'healed' | 'named' | 'refused' | 'harmless' | 'wrong-bytes' | 'spread' | 'unnoticed' | 'dead'

export interface Result extends Case {
  readonly outcome: Outcome
  /** Times the daemon ended by itself and was started again, as whoever keeps it running would. */
  readonly restarts: number
  readonly detail: string
}

export const GOOD: ReadonlySet<Outcome> = new Set(['healed', 'named', 'refused', 'harmless'])

/** Not stores: settings of people, locks, logs of LevelDB, and what is made anew with every start. */
const LEFT_OUT = /(^|\/)(config\.json|LOCK|LOG|LOG\.old|control\.sock|control\.path)$/
/** Starts before a daemon counts as dead. */
const MAX_STARTS = 4
/** How long a node with a peer may call something lost before that counts, ms. */
const SETTLE_MS = 20_000

/** How long a daemon may take to end in order before it is killed, ms. */
const ORDERLY_END_MS = 5_000

/** A home at rest, and the content every file must have. */
export interface Template {
  readonly home: string
  readonly dir: string
  readonly expected: ReadonlyMap<string, string>
  /** What each file held one after the other, the expected content last. */
  readonly versions: ReadonlyMap<string, readonly Version[]>
  readonly files: string[]
}

export interface Rig {
  readonly cluster: Cluster
  /** The node that is harmed. */
  readonly node: Node
  /** Its peer; undefined when it is alone. */
  readonly peer: Node | undefined
  readonly template: Template
}

async function* from(bytes: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(bytes)
}

/** A node with some history, records of its own and of a peer, small and large bodies; stopped, and copied. */
export async function makeRig(cluster: Cluster, alone: boolean): Promise<Rig> {
  const also = ['--scrub-bytes-per-second', '0']
  const warm = new WarmProgram()
  cluster.onClose(() => warm.close())
  const first = await cluster.found('a', alone ? { also, launcher: warm.launch } : { also })
  const node = alone ? first : await cluster.join('b', { also, launcher: warm.launch })
  const expected = new Map<string, string>()
  const versions = new Map<string, Version[]>()
  const write = async (writer: Node, path: string, content: string): Promise<void> => {
    const { record } = await writer.client.put(path, from(content))
    const { log, seq } = await writer.client.record(record!)
    expected.set(path, content)
    versions.set(path, [...(versions.get(path) ?? []), { content, log, seq }])
  }
  for (let at = 0; at < 12; at++) await write(node, `small/${at}.txt`, `text ${at} `.repeat(20 + at))
  for (let at = 0; at < 4; at++) await write(node, 'changed.txt', `version ${at}`)
  await write(node, 'large.bin', `${'0123456789abcdef'.repeat(40_000)}`)
  if (!alone) for (let at = 0; at < 6; at++) await write(first, `theirs/${at}.txt`, `theirs ${at} `.repeat(30))
  if (!alone) await cluster.equal()
  await until('everything is in the directory', () =>
    [...expected].every(([path, content]) => readFileSync(join(node.dir, path), 'utf8') === content)
  )
  await node.stop()
  const place = join(cluster.place, 'template')
  mkdirSync(place)
  cpSync(node.home, join(place, 'home'), { recursive: true, preserveTimestamps: true })
  cpSync(node.dir, join(place, 'dir'), { recursive: true, preserveTimestamps: true })
  const files = filesOf(join(place, 'home')).filter((file) => !LEFT_OUT.test(file))
  return {
    cluster,
    node,
    peer: alone ? undefined : first,
    template: { home: join(place, 'home'), dir: join(place, 'dir'), expected, versions, files }
  }
}

function filesOf(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    return entry.isDirectory() ? filesOf(dir, path) : [path]
  })
}

/** Harms one file of the template's copy; false when that changes nothing (zeros over zeros). */
function harm(file: string, what: Case): boolean {
  const before = readFileSync(file)
  const after = harmed(before, what)
  if (after === undefined) unlinkSync(file)
  else writeFileSync(file, after)
  return after === undefined || !before.equals(after)
}

/** Runs one case from a fresh copy of the template. The node is stopped before and after. */
export async function runCase(rig: Rig, what: Case): Promise<Result> {
  const { node, template } = rig
  for (const [from_, to] of [
    [template.home, node.home],
    [template.dir, node.dir]
  ] as const) {
    // emptied, not removed: the directory that is shared must stay the same one
    for (const name of existsSync(to) ? readdirSync(to) : []) rmSync(join(to, name), { recursive: true, force: true })
    cpSync(from_, to, { recursive: true, preserveTimestamps: true })
  }
  goOn(node.home)
  const done = (outcome: Outcome, detail = '', restarts = 0): Result => ({ ...what, outcome, detail, restarts })
  if (!harm(join(node.home, what.file), what)) return done('harmless', 'nothing changed')
  const starter = new Starter(node)
  try {
    const refusal = await starter.start()
    if (refusal !== undefined)
      return done(
        /store-damaged|store-newer|home-missing/.test(refusal) ? 'refused' : 'dead',
        refusal,
        starter.restarts
      )
    const [outcome, detail] = await judge(rig, starter)
    return done(outcome, detail, starter.restarts)
  } finally {
    await ended(node)
  }
}

/** In order where it can: its process then serves the next case as well. */
async function ended(node: Node): Promise<void> {
  const late = setTimeout(() => void node.kill(), ORDERLY_END_MS)
  await node.stop()
  clearTimeout(late)
}

/** The copy stands for the home itself, whose stamp a copy cannot keep. */
function goOn(home: string): void {
  const { ino, ctimeNs } = statSync(join(home, 'life'), { bigint: true })
  const stamp = JSON.parse(readFileSync(join(home, 'life.json'), 'utf8')) as object
  writeFileSync(
    join(home, 'life.json'),
    `${JSON.stringify({ ...stamp, inode: String(ino), changedNs: String(ctimeNs) })}\n`,
    { mode: 0o600 }
  )
}

/** Starts the daemon again when it ends by itself. */
class Starter {
  restarts = -1

  constructor(readonly node: Node) {}

  /** What it said when it refused to start at all. */
  async start(): Promise<string | undefined> {
    for (let last = ''; ;) {
      this.restarts += 1
      // what it says is read from its log when it does not come up
      rmSync(this.node.logFile, { force: true })
      try {
        await this.node.start()
        return undefined
      } catch (error) {
        const said = reasonOf(error)
        const code = /grapevine: ([a-z-]+): [^\n]*/.exec(said)
        // a refusal in words is not worth another try; a crash is
        if (code !== null) return code[0]
        if (this.restarts >= MAX_STARTS) return last || said
        last = said
      }
    }
  }

  /** Runs `work` against the daemon; when that dies meanwhile, starts it and runs `work` anew. */
  async with<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (
          !(error instanceof GrapevineError) ||
          !['daemon-unreachable', 'stopped'].includes(error.code) ||
          this.restarts >= MAX_STARTS
        )
          throw error
        if (this.node.running) await new Promise((done) => setTimeout(done, 100))
        else if ((await this.start()) !== undefined) throw error
      }
    }
  }
}

async function judge(rig: Rig, starter: Starter): Promise<[Outcome, string]> {
  const { node, peer, template } = rig
  const began = performance.now()
  let report = await starter.with(() => scrub(node))
  // an index that is made again takes the daemon through a restart inside; then all is looked over once more
  for (
    let again = 0;
    again < 3 && (report.rebuild !== undefined || report.damaged > report.healed + report.lost.length);
    again++
  ) {
    await until(`${node.name} is up`, async () => (await node.status()).state !== 'starting')
    report = await starter.with(() => scrub(node))
  }
  if (peer !== undefined)
    await until(`${node.name} is in step with its peer`, () =>
      starter.with(async () => inStep(await node.status(), await peer.status()))
    )
  // what came back from the peer is looked for every few seconds
  const status = await until('what is lost is told or back', async () => {
    const now = await starter.with(() => node.status())
    return peer === undefined || !isLost(now) || performance.now() - began > SETTLE_MS ? now : undefined
  })
  const verdict = await compare(starter, template.expected)
  const wrong = await unexcused(rig, starter, verdict.wrong)
  if (wrong.length > 0) return ['wrong-bytes', wrong.join()]
  if (peer !== undefined && (await unlike(peer, template.expected))) return ['spread', 'the peer has other content now']
  if (peer !== undefined && contradicted(peer)) return ['spread', 'the peer was sent records that contradict others']
  if (verdict.wrong.size > 0) return ['named', `older: ${[...verdict.wrong.keys()].join()}; ${namesOf([], status)}`]
  if (verdict.missing.length === 0) return [isLost(status) ? 'named' : 'healed', namesOf(report.lost, status)]
  if (isLost(status) || report.lost.length > 0)
    return ['named', `${verdict.missing.length} files lack; ${namesOf(report.lost, status)}`]
  return ['unnoticed', verdict.missing.join()]
}

async function scrub(node: Node): Promise<ScrubReport> {
  for await (const line of node.client.scrub()) if ('report' in line) return line.report
  throw new GrapevineError('stopped', 'the scrub ended early', { next: 'again' })
}

function inStep(a: StatusView, b: StatusView): boolean {
  return a.spaces[0]!.root === b.spaces[0]!.root && a.spaces[0]!.waiting === 0 && a.blobs.wanted === 0
}

function isLost(status: StatusView): boolean {
  return status.state === 'read-only' && status.problems.some(({ code }) => code === 'records-lost')
}

function namesOf(lost: readonly LossView[], status: StatusView): string {
  const problem = status.problems.find(({ code }) => code === 'records-lost')
  return problem?.message ?? (lost.length > 0 ? JSON.stringify(lost) : '')
}

/** What is served must be right; what is not served must be refused. */
async function compare(
  starter: Starter,
  expected: ReadonlyMap<string, string>
): Promise<{ wrong: Map<string, string>; missing: string[] }> {
  const wrong = new Map<string, string>()
  const missing: string[] = []
  for (const [path, content] of expected) {
    const served = await starter.with(() => read(starter.node, path))
    if (served === undefined) missing.push(path)
    else if (served !== content) wrong.set(path, served)
  }
  return { wrong, missing }
}

/**
 * Files with content that nothing excuses. A node alone may serve what a file held before, as long as it names each of
 * the records it lacks since; it ends the node's being read-only to ask for the names.
 */
async function unexcused(rig: Rig, starter: Starter, wrong: ReadonlyMap<string, string>): Promise<string[]> {
  if (rig.peer !== undefined || wrong.size === 0) return [...wrong.keys()]
  const losses = await starter.with(() => rig.node.client.acknowledgeLosses())
  const { versions } = rig.template
  return [...wrong].filter(([path, served]) => !isNewestKept(versions.get(path)!, served, losses)).map(([path]) => path)
}

async function read(node: Node, path: string): Promise<string | undefined> {
  try {
    const { body } = await node.client.open(path)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  } catch (error) {
    if (
      error instanceof GrapevineError &&
      ['not-found', 'blob-missing', 'blob-damaged', 'store-damaged'].includes(error.code)
    )
      return undefined
    throw error
  }
}

/** A node that acts on an index with holes writes what it wrote before, and others refuse it. */
function contradicted(peer: Node): boolean {
  return /A record was rejected|Two different records claim one place/.test(readFileSync(peer.logFile, 'utf8'))
}

async function unlike(node: Node, expected: ReadonlyMap<string, string>): Promise<boolean> {
  for (const [path, content] of expected) if ((await read(node, path)) !== content) return true
  return false
}

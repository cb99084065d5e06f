/** What every scenario needs: daemons that keep only the catalog, and questions about all of them at once. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EventView, StatusView } from '../src/control/target.js'
import type { NetworkInspection } from '../src/net/index.js'
import { Cluster, succeeded } from '../test/e2e/cluster.js'
import type { Node } from '../test/e2e/node.js'
import { until } from '../test/e2e/until.js'
import { Lan } from './network-lan.js'

/** Files take no part here: they only cost CPU that the nodes of one machine share. */
const CATALOG_ONLY = ['--adapter', 'none']
/** Patience for what is not measured, ms: the machine may be busy with other things. */
export const PATIENCE_MS = 90_000
/** Command lines that run at once while a world is built. */
const AT_ONCE = 4

export interface WorldOptions {
  readonly nodes: number
  /** These only dial. */
  readonly deaf?: (index: number) => boolean
}

export class World {
  readonly cluster = new Cluster()
  readonly lan: Lan | undefined
  readonly #logLevel: string
  #watches: AbortController[] = []

  constructor(options: { lan?: boolean; logLevel?: string } = {}) {
    if (options.lan === true) this.lan = new Lan()
    this.#logLevel = options.logLevel ?? 'info'
  }

  get nodes(): readonly Node[] {
    return this.cluster.nodes
  }

  /** The founder `n0` and the others, all started, who know the founder's address and nothing else. */
  async build(options: WorldOptions): Promise<void> {
    const [founder, ...others] = Array.from({ length: options.nodes }, (_, at) => this.fresh(`n${at}`))
    succeeded(await founder!.cli('init', '--cluster', 'network', '--name', founder!.name))
    await this.start(founder!)
    const uses = Math.max(1, others.length)
    const { token } = await founder!.client.invite({ role: 'author', expiresMs: 3_600_000, uses })
    await inParallel(others, async (node) => {
      const index = this.nodes.indexOf(node)
      succeeded(await node.cli('join', token, '--name', node.name, '--no-mdns'))
      const deaf = options.deaf?.(index) ?? false
      if (deaf) writeFileSync(join(node.home, 'config.json'), '{"listen":[]}', { mode: 0o600 })
      await (deaf ? node.start() : this.start(node))
    })
  }

  fresh(name: string): Node {
    const prefix = this.lan?.add(name)
    const flags = ['--no-mdns', ...CATALOG_ONLY, '--log-level', this.#logLevel]
    return this.cluster.fresh(name, { flags, ...(prefix === undefined ? {} : { prefix }) })
  }

  /** On its port of before, when it had one; `port` names another, 0 for any free one. */
  async start(node: Node, port?: number): Promise<void> {
    await node.start('--listen', this.lan === undefined ? `/ip4/127.0.0.1/tcp/${port ?? 0}` : '/ip4/0.0.0.0/tcp/4470')
  }

  statuses(nodes = this.nodes): Promise<StatusView[]> {
    return Promise.all(nodes.map((node) => node.status()))
  }

  /** Everyone has a link to everyone. */
  async meshed(nodes = this.nodes, ms = PATIENCE_MS): Promise<number> {
    return this.linked(nodes, nodes.length - 1, ms)
  }

  /** Everyone has at least so many links; resolves with ms it took. */
  async linked(nodes: readonly Node[], links: number, ms = PATIENCE_MS): Promise<number> {
    return timed(() =>
      until(
        `each of ${nodes.length} nodes has ${links} links`,
        async () => (await this.statuses(nodes)).every((status) => connected(status) >= links),
        ms,
        100
      )
    )
  }

  /** Resolves with the ms until all hold the same records and the same catalog. */
  async equal(nodes = this.nodes, ms = PATIENCE_MS): Promise<number> {
    let seen: unknown
    return timed(async () => {
      try {
        await until(
          'all nodes are equal',
          async () => {
            const spaces = (await this.statuses(nodes)).map(({ spaces }) => spaces)
            const views = spaces.map((list) =>
              JSON.stringify(list.map(({ root, vector }) => [root, Object.entries(vector).sort()]))
            )
            seen = spaces.map(
              (list, at) =>
                `${nodes[at]!.name}: ${list.map(({ entries, root, waiting }) => `${entries}/${root.slice(0, 6)}/${waiting}`).join(' ')}`
            )
            return new Set(views).size === 1 && spaces.flat().every(({ waiting }) => waiting === 0)
          },
          ms,
          50
        )
      } catch (error) {
        throw new Error(`the nodes did not become equal within ${ms} ms: ${JSON.stringify(seen)}`, { cause: error })
      }
    })
  }

  /** Writes one small change at a node. */
  async put(node: Node, path: string, text = path): Promise<void> {
    await node.client.put(path, once(Buffer.from(text)))
  }

  /** Writes `count` bodies of `bytes` bytes at a node, `flying` at a time. */
  async flood(node: Node, prefix: string, count: number, bytes: number, flying = 32): Promise<number> {
    const numbers = Array.from({ length: count }, (_, at) => at)
    return timed(() =>
      inParallel(
        numbers,
        (at) => this.put(node, `${prefix}/${at % 50}/${at}.txt`, text(`${prefix}-${at}`, bytes)),
        flying
      )
    )
  }

  /** Until the entry can be read at every one of the nodes; resolves with ms. */
  seen(nodes: readonly Node[], path: string, ms = PATIENCE_MS): Promise<number> {
    return timed(() =>
      Promise.all(nodes.map((node) => until(`${node.name} has ${path}`, () => node.client.entry(path), ms, 10)))
    )
  }

  gossip(node: Node): Promise<NetworkInspection> {
    return node.client.inspect('gossip') as Promise<NetworkInspection>
  }

  /**
   * The mute among the nodes: every connected pair must have gossip both ways, and of one change made at each node every
   * other must hear by gossip. Returns what is wrong, nothing when all hear each other.
   */
  async mute(nodes = this.nodes): Promise<string[]> {
    const before = await Promise.all(nodes.map((node) => this.gossip(node)))
    for (const node of nodes) await this.put(node, `probe/${node.name}`, `${performance.now()}`)
    await this.equal(nodes)
    const short = async (): Promise<string[]> => {
      const after = await Promise.all(nodes.map((node) => this.gossip(node)))
      return after.flatMap(({ counters, peers }, at) => {
        const heard = counters.received - before[at]!.counters.received
        const streams = peers.filter(({ gossip }) => !gossip.outbound || !gossip.inbound || gossip.score < 0)
        return [
          ...(heard < nodes.length - 1 ? [`${nodes[at]!.name} heard ${heard} of ${nodes.length - 1}`] : []),
          ...streams.map(({ node, gossip }) => `${nodes[at]!.name} with ${node.slice(-6)}: ${JSON.stringify(gossip)}`)
        ]
      })
    }
    return until('nobody is mute', async () => ((await short()).length === 0 ? ['none'] : undefined), 15_000, 500).then(
      () => [],
      short
    )
  }

  /** Counts events of some kinds at a node from now on. */
  watch(node: Node, ...kinds: EventView['event'][]): EventView[] {
    const seen: EventView[] = []
    const end = new AbortController()
    this.#watches.push(end)
    const reading = async (): Promise<void> => {
      for await (const event of node.client.events(end.signal)) if (kinds.includes(event.event)) seen.push(event)
    }
    // a daemon that ends, ends its events
    reading().catch(() => undefined)
    return seen
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.abort()
    this.#watches = []
    await this.cluster.close()
    this.lan?.close()
  }
}

export function connected(status: StatusView): number {
  return status.peers.filter((peer) => peer.connected).length
}

/** CPU time a process has used, ms. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return Math.round(performance.now() - began)
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}

export async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  flying = AT_ONCE
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(flying, items.length) }, worker))
}

/** Text of a length that does not compress to nothing and is never the same twice. */
export function text(seed: string, bytes: number): string {
  let line = `${seed} `
  for (let at = 0; line.length < bytes; at++) line += (Math.imul(at + seed.length, 2_654_435_761) >>> 0).toString(36)
  return line.slice(0, bytes)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

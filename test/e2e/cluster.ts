/** A few real daemons on loopback, joined by invitation, that end and leave nothing behind whatever happens. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { VerifyView } from '../../src/control/target.js'
import { countCheckpoints, proposeAlways } from './always.js'
import { Node, type NodeOptions } from './node.js'
import { atExit } from './program.js'
import { PATIENCE_MS, until } from './until.js'

export interface JoinOptions extends Partial<NodeOptions> {
  /** Flags of `join`. */
  readonly join?: readonly string[]
  readonly role?: 'author' | 'public' | 'relay' | 'admin'
  /** Paths it may write to, and below. */
  readonly scope?: readonly string[]
  /** Fills the directory before the first start. */
  readonly before?: (dir: string) => void
}

const SHOWN_DIFFERENCES = 10
/** How long a daemon may take to end by itself when its coverage is wanted, ms. */
const ORDERLY_END_MS = 10_000

export class Cluster {
  readonly place: string
  readonly nodes: Node[] = []
  readonly #forget: () => void
  readonly #undo: Array<() => void> = []

  constructor() {
    this.place = mkdtempSync(join(tmpdir(), 'gv-e2e-'))
    this.#forget = atExit(() => this.#remove())
  }

  /** A node that is no member of anything yet. */
  fresh(name: string, options: Partial<NodeOptions> = {}): Node {
    const place = join(this.place, name)
    mkdirSync(place, { recursive: true })
    const node = new Node({ name, place, ...options })
    this.nodes.push(node)
    this.#undo.push(proposeAlways(node.client))
    return node
  }

  /** Makes the cluster's first node and starts it. */
  async found(name: string, options: JoinOptions = {}): Promise<Node> {
    const { before, ...rest } = options
    const node = this.fresh(name, rest)
    before?.(node.dir)
    succeeded(await node.cli('init', '--cluster', 'test', '--name', name))
    await node.start()
    return node
  }

  /** Invites a new node at `issuer` (the first one), lets it join and starts it. */
  async join(name: string, options: JoinOptions = {}, issuer = this.nodes[0]!): Promise<Node> {
    const node = await this.admit(name, options, issuer)
    await node.start()
    return node
  }

  /** As `join`, without starting it. */
  async admit(name: string, options: JoinOptions = {}, issuer = this.nodes[0]!): Promise<Node> {
    const { before, join: flags = ['--no-mdns'], role = 'author', scope, ...rest } = options
    const node = this.fresh(name, rest)
    before?.(node.dir)
    const { token } = await issuer.client.invite({
      role,
      expiresMs: 3_600_000,
      uses: 1,
      ...(scope === undefined ? {} : { scope: [...scope] })
    })
    succeeded(await node.cli('join', token, '--name', name, ...flags))
    return node
  }

  /** `count` nodes called a, b, c and so on. */
  async of(count: number, options: JoinOptions = {}): Promise<Node[]> {
    const nodes = [await this.found('a', options)]
    for (let at = 1; at < count; at++) nodes.push(await this.join(String.fromCharCode(97 + at), options))
    return nodes
  }

  /** Running nodes that hear each other. */
  async connected(nodes = this.#running()): Promise<void> {
    await until('all are connected', async () => {
      const all = await Promise.all(nodes.map((node) => node.status()))
      return all.every(({ peers }) => peers.filter((peer) => peer.connected).length >= nodes.length - 1)
    })
  }

  /** Waits until roots, directories and nothing waiting say that all are the same; resolves with the tree hash. */
  async equal(nodes = this.#running(), ms = PATIENCE_MS): Promise<string> {
    let seen: unknown
    const same = async (): Promise<string | undefined> => {
      const spaces = await Promise.all(nodes.map((node) => node.space()))
      const trees = await Promise.all(nodes.map((node) => node.treeHash()))
      seen = spaces.map(
        (space, at) =>
          `${nodes[at]!.name} root=${space.root.slice(0, 8)} waiting=${space.waiting} tree=${trees[at]!.slice(0, 8)}`
      )
      const alike = new Set(spaces.map((space) => space.root)).size === 1 && new Set(trees).size === 1
      return alike && spaces.every((space) => space.waiting === 0) ? trees[0] : undefined
    }
    try {
      return await until('all nodes are equal', same, ms)
    } catch (error) {
      throw new Error(`the nodes did not become equal: ${JSON.stringify(seen)}${await differences(nodes)}`, {
        cause: error
      })
    }
  }

  /** `grapevine verify` at each node, which must be content. */
  async verified(nodes = this.#running()): Promise<void> {
    for (const node of nodes) {
      const view = await node.json<VerifyView>('verify', '--wait', '30s')
      assert.equal(view.equal, true)
      assert.equal(view.nodes.filter((other) => other.reachable && other.equal).length, nodes.length)
    }
  }

  #running(): Node[] {
    return this.nodes.filter((node) => node.running)
  }

  tails(): string {
    return this.nodes
      .map((node) => `---- ${node.name}, ${node.running ? 'running' : 'stopped'}\n${node.tail()}\n`)
      .join('')
  }

  /** Runs at the end, after the daemons and before the directories are gone. */
  onClose(undo: () => void): void {
    this.#undo.unshift(undo)
  }

  async close(): Promise<void> {
    // a process that is killed leaves no coverage behind: an orderly end shows what its daemons executed
    if (process.env['NODE_V8_COVERAGE'] !== undefined)
      await Promise.race([Promise.all(this.nodes.map((node) => node.stop())), pause(ORDERLY_END_MS)])
    await Promise.all(this.nodes.map((node) => node.kill()))
    for (const node of this.nodes) countCheckpoints(node)
    this.#forget()
    this.#remove()
  }

  #remove(): void {
    for (const undo of this.#undo) undo()
    rmSync(this.place, { recursive: true, force: true })
  }
}

/** Files that are not the same on all nodes, a few of them. */
async function differences(nodes: readonly Node[]): Promise<string> {
  const holders = new Map<string, string[]>()
  for (const node of nodes) {
    for (const [path, hash] of await node.files()) {
      const line = `${path} ${hash.slice(0, 8)}`
      holders.set(line, [...(holders.get(line) ?? []), node.name])
    }
  }
  const some = [...holders].filter(([, names]) => names.length < nodes.length).slice(0, SHOWN_DIFFERENCES)
  return some.map(([line, names]) => `\n  only on ${names.join(', ')}: ${line}`).join('')
}

/** The body of a test with a cluster of its own: logs are shown when it fails, and it is gone afterwards. */
export function withCluster(
  body: (cluster: Cluster, t: TestContext) => Promise<void>
): (t: TestContext) => Promise<void> {
  return async (t) => {
    const cluster = new Cluster()
    try {
      await body(cluster, t)
    } catch (error) {
      process.stderr.write(`\nlogs of "${t.name}":\n${cluster.tails()}`)
      throw error
    } finally {
      await cluster.close()
    }
  }
}

export function succeeded(outcome: { code: number; stdout: string; stderr: string }): string {
  assert.equal(outcome.code, 0, outcome.stderr)
  return outcome.stdout
}

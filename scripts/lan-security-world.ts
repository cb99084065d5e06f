/** Five machines of a LAN with daemons that hold canaries, and what is said and found about them. */
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { succeeded, type Cluster } from '../test/e2e/cluster.js'
import type { Node } from '../test/e2e/node.js'
import { launch, spawnNode, type Launcher } from '../test/e2e/program.js'
import type { Found } from './canaries.js'
import type { Capture } from './lan-capture.js'
import { LanSecrets, type Planted } from './lan-secrets.js'
import type { Lan } from './network-lan.js'

/** Where `--plant` can put a secret. */
export const PLACES = ['capture', 'log', 'output', 'process', 'home'] as const
export type Place = (typeof PLACES)[number]

const LISTEN = ['--listen', '/ip4/0.0.0.0/tcp/4470', '--log-level', 'debug']
/** Far more than a record holds, so that it travels as a blob in many pieces, bytes. */
const LARGE_BYTES = 4 * 1024 * 1024
const ECHO_PORT = 4999
const SHOWN = 20

export class SecurityLan {
  readonly secrets = new LanSecrets()
  readonly cluster: Cluster
  readonly lan: Lan
  readonly capture: Capture | undefined
  /** The only admin. */
  readonly admin: Node
  readonly author: Node
  /** Stopped for the whole of it. */
  readonly away: Node
  /** Cut off for a part of it. */
  readonly cut: Node
  readonly removed: Node
  /** What commands printed, but for the tokens they are asked for. */
  readonly output: string[] = []
  /** Of daemons that are started from now on. */
  environment: Record<string, string> = {}
  failed = 0

  constructor(cluster: Cluster, lan: Lan, capture: Capture | undefined) {
    this.cluster = cluster
    this.lan = lan
    this.capture = capture
    this.admin = this.#fresh('admin')
    this.author = this.#fresh('author')
    this.away = this.#fresh('away')
    this.cut = this.#fresh('cut')
    this.removed = this.#fresh('removed')
  }

  get nodes(): readonly Node[] {
    return this.cluster.nodes
  }

  #fresh(name: string): Node {
    const launcher: Launcher = (args, where) => {
      const child = launch(args, { ...where, env: this.environment })
      child.stdout!.on('data', (chunk: Buffer) => appendFileSync(this.stdoutOf(name), chunk))
      return child
    }
    return this.cluster.fresh(name, { prefix: this.lan.add(name), flags: LISTEN, launcher })
  }

  /** What daemons said on stdout; the log holds their stderr. */
  stdoutOf(name: string): string {
    return join(this.cluster.place, name, 'stdout.txt')
  }

  /** A command that must succeed; what it prints must not hold a secret. */
  async say(node: Node, ...args: string[]): Promise<string> {
    const outcome = await node.cli(...args)
    this.output.push(outcome.stdout, outcome.stderr)
    return succeeded(outcome)
  }

  /** A token, which is there to be printed. */
  async invite(...args: string[]): Promise<string> {
    return this.secrets.token(succeeded(await this.admin.cli('invite', ...args)).trim())
  }

  async join(node: Node, token: string): Promise<void> {
    const called = ['--name', this.memberName(node)]
    const outcome = await node.cliWith({ stdin: token }, 'join', '-', ...called)
    this.output.push(outcome.stdout, outcome.stderr)
    succeeded(outcome)
    this.secrets.note(this.nodes)
  }

  memberName(node: Node): string {
    return `${this.secrets.word('member name')} ${node.name}`
  }

  /** Writes a file whose path and content are words to be looked for. */
  write(node: Node, name: string, kind: Planted = 'small file'): string {
    const path = `${this.secrets.word('file name')} ${node.name}/${name}`
    mkdirSync(join(node.dir, path, '..'), { recursive: true })
    const line = (): string => `${this.secrets.word(kind)} ${randomBytes(20).toString('hex')}\n`
    const lines = kind === 'large file' ? Math.ceil(LARGE_BYTES / line().length) : 1
    writeFileSync(join(node.dir, path), Array.from({ length: lines }, line).join(''))
    return path
  }

  /** Until these hold the same catalog and have it in their directories; resolves with ms. */
  async inStep(nodes: readonly Node[], began = performance.now()): Promise<number> {
    await this.cluster.equal([...nodes])
    return performance.now() - began
  }

  /** Sends a text in two halves, each in a packet of its own, from one machine to another that returns it. */
  async tellInClear(from: Node, to: Node, text: string): Promise<void> {
    const echo = `require('node:net').createServer((s) => s.pipe(s)).listen(${ECHO_PORT}, () => console.log('up'))`
    const server = spawnNode(['-e', echo], { prefix: this.lan.prefixOf(to.name) }, ['ignore', 'pipe', 'inherit'])
    const half = Math.floor(text.length / 2)
    const tell = `const [first, second] = JSON.parse(process.env.HALVES)
      const s = require('node:net').connect(${ECHO_PORT}, '${this.lan.addressOf(to.name)}', () => s.write(first))
      s.once('data', () => { s.write(second); s.once('data', () => s.end()) })`
    const env = { HALVES: JSON.stringify([text.slice(0, half), text.slice(half)]) }
    try {
      await new Promise((up) => server.stdout!.once('data', up))
      const client = spawnNode(['-e', tell], { prefix: this.lan.prefixOf(from.name), env }, 'inherit')
      const code = await new Promise((done) => client.once('exit', done))
      if (code !== 0) throw new Error(`the text could not be sent: ${String(code)}`)
    } finally {
      server.kill('SIGKILL')
    }
  }

  took(what: string, ms: number, limitMs: number): void {
    this.check(`${what}: ${Math.round(ms)} ms`, ms <= limitMs, `the limit is ${limitMs} ms`)
  }

  /** Prints how often something was found that must not be anywhere. */
  none(what: string, found: readonly Found[]): void {
    const count = found.reduce((total, each) => total + each.count, 0)
    const shown = found.slice(0, SHOWN).map((each) => `\n    ${each.what}: ${each.count}`)
    this.check(`${what}: ${count}`, count === 0, `must be 0${shown.join('')}`)
  }

  check(what: string, good: boolean, otherwise: string): void {
    if (!good) this.failed++
    process.stdout.write(`${what} (${good ? 'ok' : `FAILED, ${otherwise}`})\n`)
  }

  /** Peers that a node has a link to, by their ids. */
  async linksOf(node: Node): Promise<string[]> {
    return (await node.status()).peers.filter(({ connected }) => connected).map((peer) => peer.node)
  }
}

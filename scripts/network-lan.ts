/**
 * A LAN of network namespaces: one holds a switch of two bridges, each node has one with an address of its own. A cut
 * moves a node's port to the other bridge: packets vanish while every socket stays open, which is the nastiest way for
 * a network to fail. Needs root and iproute2; leaves nothing behind.
 */
import { execFileSync } from 'node:child_process'
import { atExit } from '../test/e2e/program.js'

const NEAR = 'near'
const FAR = 'far'

/** A machine: its namespace, its port on the switch, its IPv4 address. */
interface Place {
  readonly space: string
  readonly port: string
  readonly address: string
}

export class Lan {
  readonly #switch = `gv${process.pid}s`
  readonly #spaces = new Map<string, Place>()
  readonly #forget: () => void

  /** Whether namespaces can be made here. */
  static get available(): boolean {
    if (process.getuid?.() !== 0) return false
    const probe = `gv${process.pid}p`
    try {
      ip('netns', 'add', probe)
      ip('netns', 'del', probe)
      return true
    } catch {
      return false
    }
  }

  constructor() {
    sweep()
    this.#forget = atExit(() => this.#remove())
    ip('netns', 'add', this.#switch)
    for (const bridge of [NEAR, FAR]) {
      ip('-n', this.#switch, 'link', 'add', bridge, 'type', 'bridge')
      ip('-n', this.#switch, 'link', 'set', bridge, 'up')
    }
  }

  /** A new machine on this LAN: the words before a command that runs on it. */
  add(name: string): string[] {
    const number = this.#spaces.size + 1
    const space = `gv${process.pid}n${number}`
    const port = `p${number}`
    const address = `10.77.0.${number}`
    this.#spaces.set(name, { space, port, address })
    ip('netns', 'add', space)
    ip('-n', space, 'link', 'add', 'e0', 'type', 'veth', 'peer', 'name', port, 'netns', this.#switch)
    ip('-n', this.#switch, 'link', 'set', port, 'master', NEAR, 'up')
    ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', 'e0')
    for (const device of ['lo', 'e0']) ip('-n', space, 'link', 'set', device, 'up')
    ip('-n', space, 'route', 'add', '224.0.0.0/4', 'dev', 'e0')
    return this.prefixOf(name)
  }

  prefixOf(name: string): string[] {
    return ['ip', 'netns', 'exec', this.#of(name).space]
  }

  addressOf(name: string): string {
    return this.#of(name).address
  }

  /** Where all that is sent on this LAN can be watched: the device, and the words before a command that sees it. */
  switchboard(): Array<{ prefix: string[]; device: string }> {
    return [NEAR, FAR].map((device) => ({ prefix: ['ip', 'netns', 'exec', this.#switch], device }))
  }

  /** From now on these reach each other and nobody else. */
  cut(names: readonly string[]): void {
    this.#move(names, FAR)
  }

  heal(names: readonly string[]): void {
    this.#move(names, NEAR)
  }

  /** Limits what a machine sends and receives; up to `queueMs` of it wait in a queue, as in a home router. */
  slow(name: string, bytesPerSecond: number, queueMs: number): void {
    const { space, port } = this.#of(name)
    for (const [where, device] of [
      [space, 'e0'],
      [this.#switch, port]
    ] as const) {
      const shape = ['rate', `${bytesPerSecond * 8}bit`, 'burst', '32kb', 'latency', `${queueMs}ms`]
      execFileSync('tc', ['-n', where, 'qdisc', 'replace', 'dev', device, 'root', 'tbf', ...shape])
    }
  }

  close(): void {
    this.#remove()
    this.#forget()
  }

  #move(names: readonly string[], bridge: string): void {
    for (const name of names) ip('-n', this.#switch, 'link', 'set', this.#of(name).port, 'master', bridge)
  }

  #of(name: string): Place {
    const found = this.#spaces.get(name)
    if (found === undefined) throw new Error(`there is no machine ${name} on this LAN`)
    return found
  }

  #remove(): void {
    for (const space of [...[...this.#spaces.values()].map(({ space }) => space), this.#switch]) {
      try {
        ip('netns', 'del', space)
      } catch {
        // it was never made: the constructor or add() failed before it
      }
    }
    this.#spaces.clear()
  }
}

/** Removes what a process left that was killed before it could. */
function sweep(): void {
  const listed = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  for (const [, space, pid] of listed.matchAll(/^(gv(\d+)(?:s|p|n\d+))\b/gm)) {
    if (!alive(Number(pid))) ip('netns', 'del', space!)
  }
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

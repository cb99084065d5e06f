/**
 * Finds out whether a silent peer is dead or only its connection: where another connection can be made, which takes a
 * peer that is awake, the silent ones are dead, and everything begins anew. After a short outage this is quicker than
 * TCP, which doubles its pauses, and than waiting until the silence is long enough to close a connection for it alone.
 */
import type { Connection } from '@libp2p/interface'
import type { NodeId } from '../runtime.js'

export interface DoubtDeps {
  /** Peers that are up. */
  peers(): readonly NodeId[]
  connections(node: NodeId): readonly Connection[]
  /** ms since something was read on it. */
  silentFor(connection: Connection): number
  /** Where the peer may be dialled. */
  addresses(node: NodeId): readonly string[]
  /** Makes another connection, whether there is one or not. */
  dial(addresses: readonly string[]): Promise<Connection>
  hangUp(node: NodeId, reason: string): void
}

export interface DoubtOptions {
  readonly doubtMs: number
}

export class Doubt {
  readonly #deps: DoubtDeps
  readonly #doubtMs: number
  readonly #dialling = new Set<NodeId>()

  constructor(deps: DoubtDeps, options: DoubtOptions) {
    this.#deps = deps
    this.#doubtMs = options.doubtMs
  }

  /** To be called every few seconds. */
  look(): void {
    for (const node of this.#deps.peers()) {
      if (!this.#dialling.has(node) && this.#silent(this.#deps.connections(node))) void this.#check(node)
    }
  }

  async #check(node: NodeId): Promise<void> {
    const old = this.#deps.connections(node)
    const addresses = this.#deps.addresses(node)
    if (addresses.length === 0) return
    this.#dialling.add(node)
    try {
      const fresh = await this.#deps.dial(addresses)
      if (this.#silent(old)) this.#deps.hangUp(node, 'a new connection can be made where the old one is silent')
      else await fresh.close()
    } catch {
      // It cannot be reached (yet): the next look tries again, and in the end the silence alone is enough.
    } finally {
      this.#dialling.delete(node)
    }
  }

  #silent(connections: readonly Connection[]): boolean {
    const open = connections.filter(({ status }) => status === 'open')
    return open.length > 0 && open.every((connection) => this.#deps.silentFor(connection) >= this.#doubtMs)
  }
}

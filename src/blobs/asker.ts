import type { NodeId, Transport } from '../runtime.js'
import { MAX_HAVE_HASHES } from '../wire/blob-messages.js'
import { requestHave } from './requests.js'
import type { Wanted } from './wanted.js'

interface Link {
  readonly abort: AbortController
  readonly toAsk: Set<Wanted>
  asking: boolean
}

/** Asks connected peers which of the wanted blobs they hold: many blobs a message, one message at a time a peer. */
export class HaveAsker {
  readonly #transport: Pick<Transport, 'request'>
  readonly #links = new Map<NodeId, Link>()

  constructor(transport: Pick<Transport, 'request'>) {
    this.#transport = transport
  }

  get nodes(): NodeId[] {
    return [...this.#links.keys()]
  }

  /** False when it was connected already. */
  connect(node: NodeId): boolean {
    if (this.#links.has(node)) return false
    this.#links.set(node, { abort: new AbortController(), toAsk: new Set(), asking: false })
    return true
  }

  /** False when it was not connected. */
  disconnect(node: NodeId): boolean {
    this.#links.get(node)?.abort.abort()
    return this.#links.delete(node)
  }

  add(node: NodeId, wanted: Wanted): void {
    this.#links.get(node)?.toAsk.add(wanted)
  }

  forget(wanted: Wanted): void {
    for (const link of this.#links.values()) link.toAsk.delete(wanted)
  }

  /** Sends what can be sent; `told` is called once for each blob asked about, unless the peer is gone by then. */
  ask(told: (wanted: Wanted, node: NodeId, has: boolean) => void): Array<Promise<void>> {
    const sent: Array<Promise<void>> = []
    for (const [node, link] of this.#links)
      if (!link.asking && link.toAsk.size > 0) sent.push(this.#ask(node, link, told))
    return sent
  }

  async #ask(node: NodeId, link: Link, told: (wanted: Wanted, node: NodeId, has: boolean) => void): Promise<void> {
    const batch: Wanted[] = []
    for (const wanted of link.toAsk) {
      if (batch.length === MAX_HAVE_HASHES) break
      batch.push(wanted)
      link.toAsk.delete(wanted)
    }
    link.asking = true
    const hashes = batch.map((wanted) => wanted.ref.hash)
    const outcome = await requestHave(this.#transport, node, hashes, link.abort.signal)
    link.asking = false
    if (this.#links.get(node) !== link) return
    for (const [at, wanted] of batch.entries()) {
      if (wanted.transfer.state.at === 'ended') continue
      told(wanted, node, outcome.got === 'answer' && outcome.value[at] === wanted.ref.size)
    }
  }
}

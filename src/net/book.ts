/**
 * Where members are, kept across restarts: addresses that worked (libp2p forgets an address after an hour), and what a
 * member that was connected said of itself. The second is all a node has that was only ever dialled by the others, and
 * without it nobody would find it again after it has moved.
 */
import { reasonOf } from '../errors.js'
import type { Clock, Logger, NodeId } from '../runtime.js'
import { withoutNode } from './addresses.js'
import type { PeerAddress } from './hello.js'
import { ADDRESSES_PER_TARGET, BOOK_SAVE_MS, MAX_BOOK_ROWS } from './limits.js'

export interface AddressRow {
  readonly node: NodeId
  /** A multiaddr without `/p2p/`. */
  readonly address: string
  /** Wall clock, ms, when a dial to it last succeeded; 0: only its node says so. */
  readonly lastOk: number
}

/** Where the rows are kept; both may throw, and then the book lives in memory only. */
export interface AddressStore {
  load(): AddressRow[]
  save(rows: AddressRow[]): void
}

export class AddressBook {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #store: AddressStore
  #rows: AddressRow[] = []
  #cancel: (() => void) | undefined

  constructor(deps: { clock: Clock; logger: Logger; store: AddressStore }) {
    this.#clock = deps.clock
    this.#logger = deps.logger
    this.#store = deps.store
  }

  load(): readonly AddressRow[] {
    try {
      this.#rows = this.#store.load()
    } catch (error) {
      this.#logger.warn('The address book cannot be read; peers must be found again', { reason: reasonOf(error) })
    }
    return this.#rows
  }

  worked(node: NodeId, address: string): void {
    const row = { node, address: withoutNode(address), lastOk: this.#clock.now() }
    const others = this.#rows.filter((other) => other.node !== node || other.address !== row.address)
    const ofNode = others.filter((other) => other.node === node).slice(0, ADDRESSES_PER_TARGET - 1)
    this.#replace([row, ...others.filter((other) => other.node !== node || ofNode.includes(other))])
  }

  /** What a connected member says about itself, in place of what it said before; behind all that worked. */
  claimed(node: NodeId, addresses: readonly string[]): void {
    if (addresses.length === 0) return
    const bare = [...new Set(addresses.map(withoutNode))]
    const kept = this.#rows.filter((row) => row.node !== node || row.lastOk > 0)
    const worked = kept.filter((row) => row.node === node).map((row) => row.address)
    const fresh = bare.filter((address) => !worked.includes(address)).slice(0, ADDRESSES_PER_TARGET - worked.length)
    const before = this.#rows.filter((row) => row.node === node && row.lastOk === 0).map((row) => row.address)
    if (fresh.join(' ') === before.join(' ')) return
    this.#replace([...kept, ...fresh.map((address) => ({ node, address, lastOk: 0 }))])
  }

  /** What worked last comes first. */
  known(): readonly PeerAddress[] {
    return this.#rows
  }

  #replace(rows: AddressRow[]): void {
    this.#rows = rows.slice(0, MAX_BOOK_ROWS)
    this.#cancel ??= this.#clock.timer(BOOK_SAVE_MS, () => this.flush())
  }

  flush(): void {
    if (this.#cancel === undefined) return
    this.#cancel()
    this.#cancel = undefined
    try {
      this.#store.save(this.#rows)
    } catch (error) {
      this.#logger.warn('The address book cannot be saved', { reason: reasonOf(error) })
    }
  }
}

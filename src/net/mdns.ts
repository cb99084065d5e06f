/**
 * Discovery by multicast DNS, with a service tag of the cluster's own. The module's `peer` event is used directly:
 * libp2p passes on only peers it has never seen, so that a lost one would not be found again.
 */
import { mdns } from '@libp2p/mdns'
import type { ComponentLogger, PeerInfo } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { reasonOf } from '../errors.js'
import type { Logger } from '../runtime.js'
import type { Candidate, Discovery } from './discovery.js'
import { isDialable } from './hello.js'
import { ADDRESSES_PER_TARGET } from './limits.js'

export interface MdnsDeps {
  readonly logger: Logger
  readonly componentLogger: ComponentLogger
  /** What to announce, each with `/p2p/`; none: only ask. */
  addresses(): Multiaddr[]
}

type Components = Parameters<ReturnType<typeof mdns>>[0]
type Module = ReturnType<ReturnType<typeof mdns>> & { start(): Promise<void>; stop(): Promise<void> }

export class MdnsDiscovery implements Discovery {
  readonly #deps: MdnsDeps
  readonly #serviceTag: string
  #module: Module | undefined

  constructor(deps: MdnsDeps, options: { serviceTag: string }) {
    this.#deps = deps
    this.#serviceTag = options.serviceTag
  }

  async start(found: (candidate: Candidate) => void): Promise<void> {
    if (this.#module !== undefined) return
    const components = {
      logger: this.#deps.componentLogger,
      addressManager: { getAddresses: () => this.#deps.addresses() }
    }
    const module = mdns({ serviceTag: this.#serviceTag })(components as unknown as Components) as Module
    module.addEventListener('peer', (event: CustomEvent<PeerInfo>) => {
      const addresses = event.detail.multiaddrs.map(String).filter(isDialable).slice(0, ADDRESSES_PER_TARGET)
      if (addresses.length > 0) found({ node: event.detail.id.toString(), addresses })
    })
    try {
      await module.start()
      this.#module = module
    } catch (error) {
      this.#deps.logger.warn('Multicast DNS does not work here; peers must be given by address', {
        reason: reasonOf(error)
      })
    }
  }

  async stop(): Promise<void> {
    const module = this.#module
    this.#module = undefined
    await module
      ?.stop()
      .catch((error: unknown) =>
        this.#deps.logger.debug('Multicast DNS did not stop cleanly', { reason: reasonOf(error) })
      )
  }
}

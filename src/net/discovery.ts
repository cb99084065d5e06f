/** Finding addresses on the local network. An address is a hint, never an admission: the gate decides on the key. */
import type { NodeId } from '../runtime.js'

export interface Candidate {
  readonly node: NodeId
  readonly addresses: readonly string[]
}

export interface Discovery {
  start(found: (candidate: Candidate) => void): Promise<void>
  stop(): Promise<void>
}

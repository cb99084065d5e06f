/** What a teller is given. */
import type { Clock, Logger } from '../../../runtime.js'
import type { Knowledge } from '../knowledge.js'
import type { Caller } from './caller.js'
import type { Debt } from './debt.js'
import type { Sayings } from './taken.js'
import type { Turn } from './windows.js'

export interface TellerDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly caller: Pick<Caller, 'text'>
  readonly knowledge: Knowledge
  readonly debt: Debt
  /** The bytes of a file as it lies there; undefined: it is gone. */
  readonly bytesOf: (path: string) => Promise<Uint8Array | undefined>
  readonly turn: () => Turn
  /** What GeoServer has of a file before that is changed; undefined where that cannot be compared. */
  readonly sayingsAt?: (path: string) => Promise<Sayings | undefined>
  /**
   * Makes `call`, by which GeoServer is told of the object at this path with these bytes; `was` is what it knew before. Throws
   * what `call` throws, and `geoserver-not-taken`.
   */
  readonly whileTold?: (
    path: string,
    sent: Uint8Array,
    call: () => Promise<void>,
    was: Sayings | undefined
  ) => Promise<void>
  /** Fields that GeoServer put into the file at this path by itself. */
  readonly ownFields?: (path: string) => readonly string[]
  /** Whether other GeoServers write to the directory, too. */
  readonly shared?: boolean
}

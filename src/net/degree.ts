/**
 * How many links there are: all members up to a number, and of more only some, chosen at random. Each member dials until it
 * has enough links; one to which too many come asks some of them to let go, and who has others does. So nobody hangs on one
 * hub, nobody is cut off, and which are linked changes a little all the time: that also joins what a long outage has parted,
 * when both parts have links enough.
 */
import type { Clock, NodeId, Random } from '../runtime.js'
import { FrameType } from './frames.js'
import { ASKED_TO_LET_GO, LINKS_DIALLED_UP_TO, LINKS_EXPLORE_MS, LINKS_KEPT, LINKS_MANY } from './limits.js'
import type { Link } from './link.js'

export interface DegreeDeps {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly random: Random
  /** All that are up. */
  links(): readonly Link[]
  /** Neither asked to let go, nor let go. */
  mustMeet(node: NodeId): boolean
  /** Ends a link that is not needed, and does not dial that member for a while. */
  letGo(node: NodeId): void
  /** Dials some member that is not linked. */
  explore(): void
}

export interface DegreeOptions {
  /** See limits.ts: LINKS_DIALLED_UP_TO, LINKS_MANY, LINKS_KEPT, LINKS_EXPLORE_MS. */
  readonly dialledUpTo?: number
  readonly many?: number
  readonly kept?: number
  readonly exploreMs?: number
}

export class Degree {
  readonly #deps: DegreeDeps
  readonly #options: Required<DegreeOptions>
  #exploreAt: number

  constructor(deps: DegreeDeps, options: DegreeOptions = {}) {
    this.#deps = deps
    this.#options = {
      dialledUpTo: options.dialledUpTo ?? LINKS_DIALLED_UP_TO,
      many: options.many ?? LINKS_MANY,
      kept: options.kept ?? LINKS_KEPT,
      exploreMs: options.exploreMs ?? LINKS_EXPLORE_MS
    }
    this.#exploreAt = this.#nextExplore()
  }

  /** Now and then. */
  look(): void {
    const links = this.#deps.links()
    const loose = links.filter(({ node }) => !this.#deps.mustMeet(node))
    const over = Math.min(links.length - this.#options.many, ASKED_TO_LET_GO)
    for (const link of someOf(loose, over, this.#deps.random))
      link.outgoing('sync')?.tell(FrameType.enough, new Uint8Array())
    if (this.#deps.clock.monotonic() < this.#exploreAt) return
    this.#exploreAt = this.#nextExplore()
    if (links.length >= this.#options.dialledUpTo) this.#deps.explore()
  }

  /** A peer has links enough and asks for this one to be ended: not while it is in use, nor when we have few. */
  asked(node: NodeId): void {
    const links = this.#deps.links()
    const link = links.find((each) => each.node === node)
    if (link === undefined || links.length <= this.#options.kept || this.#deps.mustMeet(node)) return
    const inUse = (['sync', 'blob'] as const).some((lane) => (link.outgoing(lane)?.inFlight ?? 0) > 0)
    if (!inUse) this.#deps.letGo(node)
  }

  /** Half of it is fixed and the rest random, so that a fleet does not do it in step. */
  #nextExplore(): number {
    return this.#deps.clock.monotonic() + this.#options.exploreMs * (0.5 + this.#deps.random.float())
  }
}

/** At most so many, each as likely as any other; all of them when they are not more. */
export function someOf<T>(all: readonly T[], most: number, random: Pick<Random, 'float'>): T[] {
  const left = [...all]
  const some: T[] = []
  while (some.length < most && left.length > 0) {
    const at = Math.floor(random.float() * left.length)
    some.push(left[at]!)
    left[at] = left.at(-1)!
    left.pop()
  }
  return some
}

/**
 * The share of one member over all its streams: what it may send and ask for (`Share`), and how much of what it asked
 * for may lie here because it does not read it.
 */
import type { Clock } from '../runtime.js'
import type { Share } from '../share.js'
import { MAX_UNSENT_ANSWER_BYTES, UNREAD_LOOK_MS } from './limits.js'

/** What has to be paid before the next frame of a lane; gossip waits for itself. */
const LANE_BUCKETS = ['bytes', 'work', 'requests', 'parts']

export class PeerShare {
  readonly #share: Share
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  #unsent = 0

  constructor(share: Share, clock: Clock) {
    this.#share = share
    this.#clock = clock
  }

  take(name: 'bytes' | 'requests' | 'parts', amount: number): void {
    this.#share.take(name, amount)
  }

  turn(): Promise<void> {
    return this.#share.turn(LANE_BUCKETS)
  }

  working<T>(work: () => T): T {
    return this.#share.working('work', work)
  }

  /** Bytes of answers that are made and not yet on their way. */
  get unsent(): number {
    return this.#unsent
  }

  /** An answer of so many bytes waits; call what this returns when it is sent or given up. */
  holding(bytes: number): () => void {
    this.#unsent += bytes
    return () => {
      this.#unsent -= bytes
      for (const wake of this.#waiting) wake()
    }
  }

  /** Resolves when another question may be taken: not while too much waits, unless the stream is over. */
  async room(stream: { open(): boolean; queued(): number }): Promise<void> {
    while (this.#unsent >= MAX_UNSENT_ANSWER_BYTES && stream.open())
      await this.unread((wake) => void this.#waiting.add(wake), stream.queued)
  }

  /**
   * Resolves when woken, or at the latest after a while; when nothing at all left the stream meanwhile, its peer is one
   * that does not read what it asked for.
   */
  async unread(hook: (wake: () => void) => void, queued: () => number): Promise<void> {
    const before = queued()
    const woken = await new Promise<boolean>((resolve) => {
      const cancel = this.#clock.timer(UNREAD_LOOK_MS, () => done(false))
      const wake = (): void => done(true)
      const done = (how: boolean): void => {
        cancel()
        this.#waiting.delete(wake)
        resolve(how)
      }
      hook(wake)
    })
    if (!woken && before > 0 && queued() >= before) this.#share.slowed('answers', UNREAD_LOOK_MS)
  }
}

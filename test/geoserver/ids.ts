/** Ids as GeoServer makes them: bound to this node and the time of its start, so two nodes never make the same. */
import { randomBytes } from 'node:crypto'

export class Ids {
  readonly #node = randomBytes(4).toString('hex')
  readonly #start: string
  #count = -0x8000

  /** `now` in ms since 1970. */
  constructor(now: number) {
    this.#start = now.toString(16)
  }

  /** Such as `WorkspaceInfoImpl-7173b04e:1a1fef18592:-7fd0`. */
  make(prefix: string): string {
    const count = this.#count++
    const last = count < 0 ? `-${(-count).toString(16)}` : count.toString(16)
    return `${prefix}-${this.#node}:${this.#start}:${last}`
  }
}

/** Such as `2020-03-05 14:42:21.78 UTC`. */
export function dateOf(now: number): string {
  return new Date(now)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.?0*Z$/, ' UTC')
}

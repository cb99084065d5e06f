/**
 * What one member may make this node do: token buckets that may be overdrawn once and then have to be waited for. Who is
 * over its share waits itself; nobody else does, and nothing of it is lost.
 */
import type { Clock } from './runtime.js'

/** `burst` may be used at once, `perSecond` for ever. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export class Bucket {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #rate: Rate
  #level: number
  #at: number

  constructor(clock: Pick<Clock, 'monotonic'>, rate: Rate) {
    this.#clock = clock
    this.#rate = rate
    this.#level = rate.burst
    this.#at = clock.monotonic()
  }

  /** Uses up; below nothing it is in debt. */
  take(amount: number): void {
    this.#refill()
    this.#level -= amount
  }

  /** How long until it is out of debt, ms; 0: now. */
  debtMs(): number {
    this.#refill()
    return this.#level > 0 ? 0 : Math.max(1, Math.ceil((-this.#level / this.#rate.perSecond) * 1_000))
  }

  /** Nothing to remember. */
  get full(): boolean {
    this.#refill()
    return this.#level >= this.#rate.burst
  }

  #refill(): void {
    const now = this.#clock.monotonic()
    this.#level = Math.min(this.#rate.burst, this.#level + ((now - this.#at) / 1_000) * this.#rate.perSecond)
    this.#at = now
  }
}

/** The same rate for each of many, by any name they have. */
export class Allowances {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #rate: Rate
  readonly #most: number
  readonly #buckets = new Map<string, Bucket>()

  /** @param most Names remembered; at one more all are forgotten. */
  constructor(clock: Pick<Clock, 'monotonic'>, rate: Rate, most: number) {
    this.#clock = clock
    this.#rate = rate
    this.#most = most
  }

  /** Uses up so much of the allowance, unless it is in debt. */
  may(name: string, amount: number): boolean {
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#most) this.#buckets.clear()
      bucket = new Bucket(this.#clock, this.#rate)
      this.#buckets.set(name, bucket)
    }
    if (bucket.debtMs() > 0) return false
    bucket.take(amount)
    return true
  }
}

/** What a member was slowed for: the name of a bucket, or what its owner calls it. */
export interface Throttled {
  readonly reason: string
  /** Wall clock, ms. */
  readonly since: number
}

export interface SharesDeps {
  readonly clock: Clock
  /** Once when a member begins to be slowed (`state`), and once when that is over. */
  changed(member: string, state: Throttled | undefined): void
}

/** Waiting that adds up to this, ms, before a pause ends it, is being slowed; less is a hiccup. */
export const THROTTLED_AFTER_MS = 500
/** A member that had not to wait for so long is slowed no more, ms. */
export const THROTTLED_UNTIL_MS = 10_000
/** What one member keeps us busy with before others get a turn, ms: what they do needs some twenty of them. */
const TURN_MS = 2
/** Turns of the event loop that others get in between, so that what follows from one another is done in one go. */
const TURNS_BETWEEN = 4
/** Members remembered. */
const MAX_MEMBERS = 4_096

/** The shares of all members, by any name they have. */
export class Shares {
  readonly #deps: SharesDeps
  readonly #rates: ReadonlyMap<string, Rate>
  readonly #members = new Map<string, Share>()

  constructor(deps: SharesDeps, rates: Readonly<Record<string, Rate>>) {
    this.#deps = deps
    this.#rates = new Map(Object.entries(rates))
  }

  of(member: string): Share {
    let share = this.#members.get(member)
    if (share === undefined) {
      if (this.#members.size >= MAX_MEMBERS) this.#forget()
      share = new Share(this.#deps.clock, this.#rates, (state) => this.#deps.changed(member, state))
      this.#members.set(member, share)
    }
    return share
  }

  /** Who is being slowed, and why. */
  throttled(): Map<string, Throttled> {
    const found = new Map<string, Throttled>()
    for (const [member, { throttled }] of this.#members) if (throttled !== undefined) found.set(member, throttled)
    return found
  }

  stop(): void {
    for (const share of this.#members.values()) share.stop()
  }

  /** Who has used nothing lately; if there is nobody, the one known longest. */
  #forget(): void {
    const idle = [...this.#members].filter(([, share]) => share.idle)
    const gone = idle.length > 0 ? idle : [...this.#members].slice(0, 1)
    for (const [member, share] of gone) {
      share.stop()
      this.#members.delete(member)
    }
  }
}

export class Share {
  readonly #clock: Clock
  readonly #buckets: ReadonlyMap<string, Bucket>
  readonly #changed: (state: Throttled | undefined) => void
  #throttled: Throttled | undefined
  #waitedMs = 0
  #lastWait = Number.NEGATIVE_INFINITY
  #turnBegan: number
  #cancel: (() => void) | undefined

  constructor(clock: Clock, rates: ReadonlyMap<string, Rate>, changed: (state: Throttled | undefined) => void) {
    this.#clock = clock
    this.#buckets = new Map([...rates].map(([name, rate]) => [name, new Bucket(clock, rate)]))
    this.#changed = changed
    this.#turnBegan = clock.monotonic()
  }

  get throttled(): Throttled | undefined {
    return this.#throttled
  }

  get idle(): boolean {
    return this.#throttled === undefined && [...this.#buckets.values()].every(({ full }) => full)
  }

  take(name: string, amount: number): void {
    this.#buckets.get(name)?.take(amount)
  }

  /** Runs `work` and counts the time it took on the spot in the bucket `name`. */
  working<T>(name: string, work: () => T): T {
    const began = this.#clock.monotonic()
    try {
      return work()
    } finally {
      this.take(name, this.#clock.monotonic() - began)
    }
  }

  /** Whether some bucket is in debt. */
  get over(): boolean {
    return this.#longest() !== undefined
  }

  /** How long it has to be left alone, ms; 0: not at all. Whoever asks leaves it alone for so long. */
  restMs(): number {
    const debt = this.#longest()
    if (debt !== undefined) this.slowed(debt.name, debt.ms)
    return debt?.ms ?? 0
  }

  /**
   * Resolves when none of these buckets (or of all) is in debt, and lets others run first when this member has kept us
   * busy. Whoever reads what a member sends, or answers what it asks, waits for this before the next piece.
   */
  async turn(names?: readonly string[]): Promise<void> {
    for (let debt = this.#longest(names); debt !== undefined; debt = this.#longest(names)) {
      const { ms, name } = debt
      this.slowed(name, ms)
      await new Promise<void>((resolve) => this.#clock.timer(ms, resolve))
      this.#turnBegan = this.#clock.monotonic()
    }
    await this.rest()
  }

  /** Lets others run when this member has kept us busy for a while; of many who wait for it one goes on. */
  async rest(): Promise<void> {
    for (let began = this.#turnBegan; this.#clock.monotonic() - began >= TURN_MS; began = this.#turnBegan) {
      for (let turn = 0; turn < TURNS_BETWEEN; turn++) await this.#clock.pause()
      if (this.#turnBegan === began) this.#turnBegan = this.#clock.monotonic()
    }
  }

  /** It has to wait for this long, for this reason. */
  slowed(reason: string, ms: number): void {
    const now = this.#clock.monotonic()
    if (now - this.#lastWait > THROTTLED_UNTIL_MS) this.#waitedMs = 0
    this.#waitedMs += ms
    this.#lastWait = now + ms
    if (this.#waitedMs < THROTTLED_AFTER_MS || this.#throttled !== undefined) return
    this.#throttled = { reason, since: this.#clock.now() }
    this.#changed(this.#throttled)
    this.#await()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #longest(names: Iterable<string> = this.#buckets.keys()): { name: string; ms: number } | undefined {
    let longest: { name: string; ms: number } | undefined
    for (const name of names) {
      const ms = this.#buckets.get(name)?.debtMs() ?? 0
      if (ms > (longest?.ms ?? 0)) longest = { name, ms }
    }
    return longest
  }

  #await(): void {
    const left = this.#lastWait + THROTTLED_UNTIL_MS - this.#clock.monotonic()
    this.#cancel = this.#clock.timer(Math.max(1, left), () => {
      if (this.#clock.monotonic() - this.#lastWait < THROTTLED_UNTIL_MS) return this.#await()
      this.#throttled = undefined
      this.#waitedMs = 0
      this.#changed(undefined)
    })
  }
}

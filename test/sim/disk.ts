/**
 * The disk of the simulation: deterministic, in memory, and as unkind as real ones. It tells what a file shows from
 * what would still be there after a power cut. Promises settle in microtasks; no timers.
 */
import type { Disk, DiskFile, Random } from '../../src/runtime.js'

/** One file as the system shows it, and how much of it is on the platter. */
class Content {
  bytes = new Uint8Array(1024)
  size = 0
  /** Bytes from the start that survive a power cut. */
  durable = 0
  /** Whether the file's name survives one. */
  named = false
  /** Ranges that a failed sync dropped though the file still shows them; a later sync does not bring them back. */
  dropped: [from: number, to: number][] = []

  append(added: Uint8Array): void {
    if (this.size + added.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.size + added.length))
      grown.set(this.bytes.subarray(0, this.size))
      this.bytes = grown
    }
    this.bytes.set(added, this.size)
    this.size += added.length
  }

  /** Cuts or zero-fills to `size`. */
  resize(size: number): void {
    if (size > this.size) this.append(new Uint8Array(size - this.size))
    this.size = size
    this.durable = Math.min(this.durable, size)
    this.dropped = this.dropped.flatMap(([from, to]): [number, number][] =>
      from < size ? [[from, Math.min(to, size)]] : []
    )
  }
}

export type DiskOperation = 'append' | 'sync' | 'truncate' | 'open' | 'read'

export class SimDisk implements Disk {
  readonly #files = new Map<string, Content>()
  readonly #failures: { kind: DiskOperation; error: Error }[] = []
  /** Grows with every crash; handles of an earlier life are dead. */
  #life = 0
  /** Bytes all files may have together; an append beyond writes what fits and fails with ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY
  /** Calls so far, for tests that count them. */
  readonly counts: Record<DiskOperation, number> = { append: 0, sync: 0, truncate: 0, open: 0, read: 0 }

  /**
   * The disk as one process has it: dead after the next `kill()` or `crash()`, as are its open files. Hand this to
   * whatever a crash stops, or the stopped process could still open files afterwards.
   */
  mount(): Disk {
    const life = this.#life
    return {
      list: async () => {
        this.assertAlive(life)
        return this.list()
      },
      open: (name) => this.#open(name, life),
      remove: async (name) => {
        this.assertAlive(life)
        await this.remove(name)
      }
    }
  }

  async list(): Promise<string[]> {
    return [...this.#files.keys()].sort()
  }

  open(name: string): Promise<DiskFile> {
    return this.#open(name, this.#life)
  }

  async #open(name: string, life: number): Promise<DiskFile> {
    this.begin('open', life)
    let content = this.#files.get(name)
    if (content === undefined) {
      content = new Content()
      this.#files.set(name, content)
    }
    await Promise.resolve()
    this.assertAlive(life)
    content.named = true
    return new SimFile(this, content, life)
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name)
  }

  /** The next operation of this kind fails with `error`. Several queue up. */
  failNext(kind: DiskOperation, error: Error = failure('EIO', 'input/output error')): void {
    this.#failures.push({ kind, error })
  }

  /** The process dies: open handles are dead, the system keeps all it was given. */
  kill(): void {
    this.#life += 1
  }

  /**
   * Power is cut. Of each file's unsynced tail nothing, all, a prefix, or a prefix followed by zeros or garbage is left;
   * files whose creation was not awaited may be gone.
   */
  crash(random: Random): void {
    this.#life += 1
    for (const [name, content] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!content.named && random.float() < 0.5) this.#files.delete(name)
      else tear(content, random)
    }
  }

  /** The faults that wait are over: there is room again, and nothing fails. */
  heal(): void {
    this.#failures.length = 0
    this.capacityBytes = Number.POSITIVE_INFINITY
  }

  /** The bytes a file shows, for checks. */
  contentOf(name: string): Uint8Array {
    const content = this.#contentOf(name)
    return content.bytes.slice(0, content.size)
  }

  /** How many of them would survive a power cut. */
  durableBytesOf(name: string): number {
    return this.#contentOf(name).durable
  }

  /** Whether these bytes would be there, as they were written, after a power cut. */
  isDurable(name: string, from: number, to: number): boolean {
    const { durable, dropped } = this.#contentOf(name)
    return durable >= to && dropped.every(([begin, end]) => end <= from || to <= begin)
  }

  /** Changes bytes on the platter, as failing hardware does. */
  damage(name: string, offset: number, bytes: Uint8Array): void {
    const content = this.#contentOf(name)
    if (offset + bytes.length > content.size) throw new RangeError('the damage lies outside of the file')
    content.bytes.set(bytes, offset)
  }

  /** All files as they are now, to be put back with `restore`. */
  backup(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#files].map(([name, content]) => [name, content.bytes.slice(0, content.size)]))
  }

  /** The process is gone, and in the place of its files are those of a backup. */
  restore(backup: ReadonlyMap<string, Uint8Array>): void {
    this.#life += 1
    this.#files.clear()
    for (const [name, bytes] of backup) this.place(name, bytes)
  }

  /** Replaces a file's bytes, durably. */
  place(name: string, bytes: Uint8Array): void {
    const content = new Content()
    content.append(bytes)
    content.durable = bytes.length
    content.named = true
    this.#files.set(name, content)
  }

  /** For handles: counts the call, refuses dead handles, and throws the failure that waits for this kind. */
  begin(kind: DiskOperation, life: number): void {
    this.assertAlive(life)
    this.counts[kind] += 1
    const at = this.#failures.findIndex((waiting) => waiting.kind === kind)
    if (at >= 0) throw this.#failures.splice(at, 1)[0]!.error
  }

  assertAlive(life: number): void {
    if (life !== this.#life) throw failure('EBADF', 'the process that opened this file is dead')
  }

  /** Failures that were asked for and have not happened yet. */
  get failuresWaiting(): number {
    return this.#failures.length
  }

  usedBytes(): number {
    let used = 0
    for (const content of this.#files.values()) used += content.size
    return used
  }

  freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes())
  }

  #contentOf(name: string): Content {
    const content = this.#files.get(name)
    if (content === undefined) throw failure('ENOENT', `no file ${name}`)
    return content
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk
  readonly #content: Content
  readonly #life: number
  #closed = false

  constructor(disk: SimDisk, content: Content, life: number) {
    this.#disk = disk
    this.#content = content
    this.#life = life
  }

  get size(): number {
    return this.#content.size
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      this.#begin('append')
    } catch (error) {
      // A write that fails midway leaves a part of itself; a dead process leaves nothing.
      if (!this.#closed && !isDead(error)) this.#content.append(bytes.subarray(0, bytes.length >> 1))
      throw error
    }
    const fitting = Math.min(bytes.length, this.#disk.freeBytes())
    this.#content.append(bytes.subarray(0, fitting))
    await Promise.resolve()
    this.#disk.assertAlive(this.#life)
    if (fitting < bytes.length) throw failure('ENOSPC', 'no space left on device')
  }

  async sync(): Promise<void> {
    const covered = this.#content.size
    try {
      this.#begin('sync')
    } catch (error) {
      if (!isDead(error) && covered > this.#content.durable)
        this.#content.dropped.push([this.#content.durable, covered])
      throw error
    }
    await Promise.resolve()
    this.#disk.assertAlive(this.#life)
    this.#content.durable = Math.max(this.#content.durable, Math.min(covered, this.#content.size))
  }

  read(offset: number, length: number): Uint8Array {
    this.#begin('read')
    return this.#content.bytes.slice(offset, Math.max(offset, Math.min(offset + length, this.#content.size)))
  }

  async truncate(size: number): Promise<void> {
    this.#begin('truncate')
    this.#content.resize(size)
    await Promise.resolve()
    this.#disk.assertAlive(this.#life)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #begin(kind: DiskOperation): void {
    if (this.#closed) throw failure('EBADF', 'the file is closed')
    this.#disk.begin(kind, this.#life)
  }
}

/** What a power cut leaves of one file. */
function tear(content: Content, random: Random): void {
  const unsynced = content.size - content.durable
  for (const [from, to] of content.dropped) content.bytes.fill(0, from, to)
  content.dropped = []
  if (unsynced > 0) {
    const fate = Math.floor(random.float() * 5)
    const kept = fate === 0 ? 0 : fate === 1 ? unsynced : Math.floor(random.float() * (unsynced + 1))
    const end = content.durable + kept
    if (fate === 3) content.bytes.fill(0, end, content.size)
    else if (fate === 4) scramble(content.bytes.subarray(end, content.size), random)
    else content.resize(end)
  }
  content.durable = content.size
}

/** What an old block of the disk held, where a new one should be. */
function scramble(bytes: Uint8Array, random: Random): void {
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random.float() * 256)
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}

export { failure as diskFailure }

function isDead(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EBADF'
}

/** The world as Node gives it. Only `node.ts` and the command line use this; every part is handed interfaces. */
import { randomBytes } from 'node:crypto'
import { constants, readSync } from 'node:fs'
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pino, type DestinationStream } from 'pino'
import { syncDirectory } from './durable.js'
import { isErrno } from './errors.js'
import type { Clock, Disk, DiskFile, Facts, Logger, Random } from './runtime.js'

/** Longest delay one timer of Node takes, ms; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  pause: () => new Promise((resolve) => setImmediate(resolve)),
  timer(ms, fn) {
    let left = ms
    let timer: NodeJS.Timeout
    const arm = (): void => {
      const step = Math.min(left, MAX_TIMER_MS)
      left -= step
      timer = setTimeout(left > 0 ? arm : fn, step)
      timer.unref()
    }
    arm()
    return () => clearTimeout(timer)
  }
}

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  float: () => Math.random()
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Bytes of a binary fact that a log line shows. */
const SHOWN_BYTES = 32

/** JSON has no form for some values that are natural as facts. */
function showFact(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.subarray(0, SHOWN_BYTES)).toString('hex')
  if (typeof value === 'bigint') return value.toString()
  if (!(value instanceof Error)) return value
  return { name: value.name, message: value.message, ...('code' in value && { code: value.code }) }
}

/**
 * A logger that writes one JSON object a line: `level` by name, `time` in ISO 8601, `msg`, and the facts under `facts`,
 * where no name of theirs can collide. To standard error unless told otherwise, since standard output is for results.
 */
export function createLogger(options: { level: LogLevel; destination?: DestinationStream }): Logger {
  const lines = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      nestedKey: 'facts'
    },
    options.destination ?? pino.destination({ dest: 2, sync: true })
  )
  const write = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, facts?: Facts) => {
    if (!lines.isLevelEnabled(level)) return
    if (facts === undefined) lines[level](message)
    else lines[level](plain(facts), message)
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** Facts as JSON can show them; a fact that cannot be shown at all must not stop the one who logs it. */
function plain(facts: Facts): object {
  try {
    // JSON calls `toJSON` before the replacer, which would turn a Buffer into a list of numbers: convert the top first.
    const shown = Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, showFact(key, value)]))
    return JSON.parse(JSON.stringify(shown, showFact)) as object
  } catch {
    return { unshowable: Object.keys(facts) }
  }
}

/** The log's files in one directory, which is created (0700) when first needed; files are 0600. */
export class NodeDisk implements Disk {
  readonly #directory: string
  /** Whether all names in the directory are known to be durable. */
  #durable = false

  constructor(directory: string) {
    this.#directory = directory
  }

  async list(): Promise<string[]> {
    try {
      const entries = await readdir(this.#directory, { withFileTypes: true })
      return entries.flatMap((entry) => (entry.isFile() ? entry.name : []))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    }
  }

  async open(name: string): Promise<DiskFile> {
    const path = this.#path(name)
    if (!this.#durable) await this.#createDirectory()
    let handle: FileHandle
    try {
      handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      this.#durable = false
      handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
    }
    try {
      // A file we find may be left by a process that died before its name was durable, so the first open syncs as well.
      if (!this.#durable) await syncDirectory(this.#directory)
      this.#durable = true
      return new NodeFile(handle, (await handle.stat()).size)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async remove(name: string): Promise<void> {
    await rm(this.#path(name), { force: true })
    await syncDirectory(this.#directory)
  }

  #path(name: string): string {
    if (!/^[\w-][\w.-]*$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a plain file name`)
    return join(this.#directory, name)
  }

  async #createDirectory(): Promise<void> {
    const first = await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    if (first === undefined) return
    for (let created = this.#directory; ; created = dirname(created)) {
      await syncDirectory(dirname(created))
      if (created === first || created === dirname(created)) return
    }
  }
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle
  #size: number
  #closing: Promise<void> | undefined

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  async append(bytes: Uint8Array): Promise<void> {
    // The system may take fewer bytes than asked, for one when the disk gets full.
    for (let done = 0; done < bytes.byteLength;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.byteLength - done, this.#size)
      done += bytesWritten
      this.#size += bytesWritten
    }
  }

  async sync(): Promise<void> {
    await this.#handle.datasync()
  }

  /** Fewer bytes than `length` at the end of the file. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const count = readSync(this.#handle.fd, bytes, done, length - done, offset + done)
      if (count === 0) return bytes.subarray(0, done)
      done += count
    }
    return bytes
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size)
    this.#size = size
    await this.#handle.sync()
  }

  close(): Promise<void> {
    this.#closing ??= this.#handle.close()
    return this.#closing
  }
}

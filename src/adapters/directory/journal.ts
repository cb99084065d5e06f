/**
 * The set that is being applied, on disk: one file with one entry. An entry that is whole says that all new contents lie
 * staged and durable, so the set can be finished whatever happens; anything else in the file says that nothing was put
 * in place yet. Its directory belongs to the node, not to the target.
 *
 * The file is one line `grapevine-set VERSION LENGTH CRC32` and then LENGTH bytes of JSON. Empty: no set is under way.
 */
import { constants } from 'node:fs'
import { mkdir, open, readFile, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { syncDirectory } from '../../durable.js'
import { diskError, GrapevineError, isErrno } from '../../errors.js'
import type { ApplyItem } from '../contract.js'
import type { RootIdentity } from './root.js'

/** Where the new content of a write waits: a file `temp` in `dir`, a path relative to the root. */
export interface Staged {
  readonly dir: string
  readonly temp: string
}

export interface JournalStep {
  readonly item: ApplyItem
  /** Null for what needs no content. */
  readonly staged: Staged | null
}

export interface JournalEntry {
  /** The directory the set is for. */
  readonly root: RootIdentity & { readonly place: string }
  readonly steps: readonly JournalStep[]
}

export const JOURNAL_FILE = 'set.journal'
/** Since 1. A greater one is refused: what a newer daemon began only that one can finish. */
const VERSION = 1
const HEAD = /^grapevine-set (\d{1,9}) (\d{1,15}) ([0-9a-f]{8})\n/
/** Longest first line, bytes. */
const MAX_HEAD_BYTES = 64

export class Journal {
  readonly #directory: string
  readonly #file: string
  /** Whether the file's name is known to be durable. */
  #named = false

  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, JOURNAL_FILE)
  }

  /** Makes the entry durable; it takes the place of an earlier one. Throws `disk-full` or `store-failed`. */
  async begin(entry: JournalEntry): Promise<void> {
    const bytes = encode(entry)
    await this.#write('a set of changes could not be written down, so none of it was applied', async (file) => {
      await file.truncate(0)
      for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten
      await file.sync()
    })
  }

  /** Nothing is under way any more; durable when it resolves. */
  async retire(): Promise<void> {
    await this.#write('the end of a set of changes could not be written down', async (file) => {
      if ((await file.stat()).size === 0) return
      await file.truncate(0)
      await file.sync()
    })
  }

  /**
   * What was under way when the last run ended: an entry, nothing, or `torn` when writing the entry was interrupted.
   * Throws `store-newer`, `store-failed`.
   */
  async read(): Promise<JournalEntry | null | 'torn'> {
    let bytes: Buffer
    try {
      bytes = await readFile(this.#file)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return null
      throw diskError(error, 'store-failed', 'the journal of the shared directory cannot be read', { file: this.#file })
    }
    return bytes.length === 0 ? null : decode(bytes, this.#file)
  }

  async #write(failure: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
    try {
      if (!this.#named) await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)
      // opened anew each time: a handle whose fsync failed must never be believed again
      const file = await open(this.#file, flags, 0o600)
      try {
        await work(file)
        if (!this.#named) await this.#makeNamesDurable()
        this.#named = true
      } finally {
        await file.close()
      }
    } catch (error) {
      throw diskError(error, 'store-failed', failure, { file: this.#file })
    }
  }

  async #makeNamesDurable(): Promise<void> {
    for (const path of [this.#directory, dirname(this.#directory)]) await syncDirectory(path)
  }
}

function encode(entry: JournalEntry): Buffer {
  const body = Buffer.from(JSON.stringify(entry))
  const head = `grapevine-set ${VERSION} ${body.length} ${checksum(body)}\n`
  return Buffer.concat([Buffer.from(head), body])
}

function decode(bytes: Buffer, file: string): JournalEntry | 'torn' {
  const head = HEAD.exec(bytes.toString('latin1', 0, MAX_HEAD_BYTES))
  if (head === null) return 'torn'
  const [line, version, length, sum] = head
  if (Number(version) > VERSION) {
    throw new GrapevineError('store-newer', 'a newer grapevine left a set of changes half applied', {
      next: 'run the newer grapevine again',
      facts: { file, found: Number(version), newest: VERSION }
    })
  }
  const body = bytes.subarray(line.length)
  if (body.length !== Number(length) || checksum(body) !== sum) return 'torn'
  return JSON.parse(body.toString()) as JournalEntry
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0')
}

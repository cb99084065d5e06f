/**
 * Writes a catalog as plain files: every directory, every file with its exec bit, and beside a file in conflict its
 * other values. Needs nothing of grapevine to be read again.
 */
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncDirectory } from '../durable.js'
import type { EntryLine, EntryView } from '../control/target.js'
import { diskError, GrapevineError, isErrno } from '../errors.js'
import type { Reader } from './reading.js'

/** What could not be written, and why. */
export interface NotExported {
  readonly path: string
  readonly code: string
  readonly message: string
}

export interface ExportReport {
  files: number
  directories: number
  bytes: number
  /** Values of conflicts that lie beside the one that wins. */
  conflictValues: number
  readonly failed: NotExported[]
}

export interface TreeExportOptions {
  /** Absolute; empty or missing. */
  readonly dir: string
}

/** Files written at once: fsync leaves the disk time for more than one. */
const PARALLEL_FILES = 8
/** A name in a file system, UTF-8 bytes. */
const MAX_NAME_BYTES = 255
const CONFLICT_MARK = '.conflict-'
const HASH_SHOWN = 8
/** A longer ending is no file type and is cut like the rest of the name, bytes. */
const MAX_ENDING_BYTES = 32

export class TreeExport {
  readonly #reader: Reader
  readonly #dir: string
  readonly #made = new Set<string>()
  readonly #running = new Set<Promise<void>>()
  readonly report: ExportReport = { files: 0, directories: 0, bytes: 0, conflictValues: 0, failed: [] }
  #broken: unknown

  constructor(deps: { reader: Reader }, options: TreeExportOptions) {
    this.#reader = deps.reader
    this.#dir = options.dir
  }

  /** Writes everything; durable when it resolves. What is not to be had is in the report. Throws `not-empty`, `disk-full`, ... */
  async run(): Promise<ExportReport> {
    await this.#prepare()
    for await (const entry of this.#reader.list('')) {
      if (entry.kind === 'dir') await this.#directory(entry.path)
      else await this.#start(entry)
      if (this.#broken !== undefined) break
    }
    await Promise.all(this.#running)
    if (this.#broken !== undefined) throw diskError(this.#broken, 'store-failed', `writing to ${this.#dir} failed`)
    await this.#makeNamesDurable()
    return this.report
  }

  async #prepare(): Promise<void> {
    const found = await readdir(this.#dir).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return []
      if (isErrno(error, 'ENOTDIR')) throw notEmpty(this.#dir, 'is not a directory')
      throw diskError(error, 'store-failed', `${this.#dir} cannot be looked at`)
    })
    if (found.length > 0) throw notEmpty(this.#dir, 'is not empty')
    await mkdir(this.#dir, { recursive: true }).catch((error: unknown) => {
      throw diskError(error, 'store-failed', `${this.#dir} cannot be made`)
    })
    this.#made.add(this.#dir)
  }

  async #directory(path: string): Promise<void> {
    await this.#makeDirectory(join(this.#dir, path))
    this.report.directories += 1
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#made.has(path)) return
    // a directory that was renamed while it was listed has not been made under its new name
    await this.#makeDirectory(dirname(path))
    await mkdir(path).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw diskError(error, 'store-failed', `${path} cannot be made`)
    })
    this.#made.add(path)
  }

  /** Begins a file, once fewer than `PARALLEL_FILES` are under way. */
  async #start(entry: EntryLine): Promise<void> {
    await this.#makeDirectory(dirname(join(this.#dir, entry.path)))
    while (this.#running.size >= PARALLEL_FILES) await Promise.race(this.#running)
    const work: Promise<void> = this.#file(entry)
      .catch((error: unknown) => this.#failed(entry.path, error))
      .finally(() => this.#running.delete(work))
    this.#running.add(work)
  }

  /** What one file lacks is noted and the rest goes on; what the place we write to lacks ends everything. */
  #failed(path: string, error: unknown): void {
    const ours =
      error instanceof GrapevineError && !['disk-full', 'store-failed', 'daemon-unreachable'].includes(error.code)
    if (!ours) this.#broken ??= error
    // removed since it was listed: then it is not in the catalog any more
    else if (error.code !== 'not-found') this.report.failed.push({ path, code: error.code, message: error.message })
  }

  async #file(line: EntryLine): Promise<void> {
    const { entry, body } = await this.#reader.open(line.path)
    await this.#write(line.path, body, entry.exec)
    this.report.files += 1
    if (line.conflict) await this.#otherValues(line, entry.hash)
  }

  async #otherValues(line: EntryLine, shown: string | undefined): Promise<void> {
    for (const hash of bodiesOf(await this.#reader.entry(line.path))) {
      if (hash === shown) continue
      const path = conflictPath(line.path, hash)
      try {
        const { body } = await this.#reader.open(line.path, { hash })
        await this.#write(path, body, line.exec)
        this.report.conflictValues += 1
      } catch (error) {
        this.#failed(path, error)
      }
    }
  }

  async #write(path: string, body: AsyncIterable<Uint8Array>, exec: boolean): Promise<void> {
    const target = join(this.#dir, path)
    const handle = await this.#create(target, exec)
    try {
      let bytes = 0
      for await (const chunk of body) {
        await onDisk(target, () => handle.writeFile(chunk))
        bytes += chunk.length
      }
      await onDisk(target, () => handle.sync())
      this.report.bytes += bytes
    } catch (error) {
      // half a file must not pass for a whole one
      await rm(target, { force: true }).catch(() => undefined)
      throw error
    } finally {
      await handle.close()
    }
  }

  async #create(target: string, exec: boolean): Promise<FileHandle> {
    try {
      return await open(target, 'wx', exec ? 0o777 : 0o666)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw diskError(error, 'store-failed', `${target} cannot be written`)
      throw new GrapevineError(
        'path-taken',
        `${target} is there already: the entry was moved during the export, or names differ only in case`,
        { next: 'export again to another directory' }
      )
    }
  }

  async #makeNamesDurable(): Promise<void> {
    for (const path of this.#made) {
      await onDisk(path, () => syncDirectory(path))
    }
  }
}

async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error, 'store-failed', `${path} cannot be written`)
  }
}

/** Hashes of every value the body of an entry has, each once. */
function bodiesOf(entry: EntryView): Set<string> {
  const hashes = new Set<string>()
  for (const { field, value } of entry.tuples) {
    if (field === 'body' && Array.isArray(value) && typeof value[0] === 'string') hashes.add(value[0])
  }
  return hashes
}

/** `a/report.xml` -> `a/report.conflict-35d3e606.xml`; a name too long for that loses the end of its stem. */
export function conflictPath(path: string, hash: string): string {
  const cut = path.lastIndexOf('/') + 1
  const name = path.slice(cut)
  const dot = name.lastIndexOf('.')
  const ends = dot > 0 && Buffer.byteLength(name.slice(dot)) <= MAX_ENDING_BYTES
  const stem = ends ? name.slice(0, dot) : name
  const tail = CONFLICT_MARK + hash.slice(0, HASH_SHOWN) + name.slice(stem.length)
  return path.slice(0, cut) + fitting(stem, MAX_NAME_BYTES - Buffer.byteLength(tail)) + tail
}

/** As many whole characters of `text` as fit into `bytes`. */
function fitting(text: string, bytes: number): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break
    kept += character
  }
  return kept
}

function notEmpty(dir: string, what: string): GrapevineError {
  return new GrapevineError('not-empty', `${dir} ${what}`, {
    next: 'name a directory that is empty or does not exist yet',
    facts: { dir }
  })
}

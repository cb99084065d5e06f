/**
 * The shared directory and safe ways into it. A directory inside can be swapped for a symlink at any moment, so nothing
 * is reached by path alone: a directory is opened, and where the opened one really lies is asked of the kernel; from
 * then on `/proc/self/fd/N/name` names its entries whatever happens to the path. Elsewhere than on Linux each parent is
 * checked right before use, which leaves a small window.
 */
import { existsSync, constants, type BigIntStats } from 'node:fs'
import { lstat, open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { isErrno } from '../../errors.js'
import { rootMissing } from './faults.js'

/** Which directory this is, beyond its name; decimal text. */
export interface RootIdentity {
  readonly dev: string
  readonly ino: string
}

const GONE = ['ENOENT', 'ENOTDIR', 'ELOOP']
const HAS_FD_PATHS = process.platform === 'linux' && existsSync('/proc/self/fd')

/** An open directory. Close it. */
export class Dir {
  readonly #handle: FileHandle | null
  readonly #place: string

  constructor(handle: FileHandle | null, place: string) {
    this.#handle = handle
    this.#place = place
  }

  /** A path to the entry `name` that no symlink can redirect. */
  at(name: string): string {
    return this.#handle !== null && HAS_FD_PATHS ? `/proc/self/fd/${this.#handle.fd}/${name}` : join(this.#place, name)
  }

  /** The names in it as the bytes they are. */
  names(): Promise<Buffer[]> {
    return readdir(this.#self, { encoding: 'buffer' })
  }

  /** The directories and plain files in it, without a stat of each. */
  async kinds(): Promise<Array<{ readonly name: Buffer; readonly kind: 'dir' | 'file' }>> {
    const found: Array<{ name: Buffer; kind: 'dir' | 'file' }> = []
    for (const entry of await readdir(this.#self, { encoding: 'buffer', withFileTypes: true })) {
      // the types of Node say text, but with this encoding a name is its bytes
      const name = entry.name as string | Buffer as Buffer
      if (entry.isDirectory()) found.push({ name, kind: 'dir' })
      else if (entry.isFile()) found.push({ name, kind: 'file' })
    }
    return found
  }

  stat(): Promise<BigIntStats> {
    return this.#handle === null ? lstat(this.#place, { bigint: true }) : this.#handle.stat({ bigint: true })
  }

  /** Whether the opened directory still lies where it was opened. */
  async inPlace(): Promise<boolean> {
    if (this.#handle === null || !HAS_FD_PATHS) return isRealDirectory(this.#place)
    return (await readlink(`/proc/self/fd/${this.#handle.fd}`)) === this.#place
  }

  /** Makes creations, renames and removals in it durable. */
  async sync(): Promise<void> {
    await this.#handle?.sync()
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  get #self(): string {
    return this.#handle !== null && HAS_FD_PATHS ? `/proc/self/fd/${this.#handle.fd}` : this.#place
  }
}

export class Root {
  readonly #given: string
  readonly #expectIno: string | undefined
  #place: string | null = null
  #identity: RootIdentity | null = null

  /** `expect`: what an earlier run saw. Only its inode counts, for device numbers change with a reboot. */
  constructor(given: string, expect?: RootIdentity) {
    this.#given = given
    this.#expectIno = expect?.ino
  }

  /** Known after the first successful `check`. */
  get identity(): RootIdentity | null {
    return this.#identity
  }

  /** The real path, known after the first successful `check`. */
  get place(): string {
    return this.#place ?? this.#given
  }

  /** Throws `target-missing` unless the directory is there and the one seen before. */
  async check(): Promise<void> {
    try {
      this.#place ??= await realpath(this.#given)
      const stat = await lstat(this.#place, { bigint: true })
      if (!stat.isDirectory()) throw rootMissing(this.#given, 'is not a directory')
      const seen = { dev: String(stat.dev), ino: String(stat.ino) }
      if (this.#isAnother(seen)) throw rootMissing(this.#given, 'was replaced by another directory')
      this.#identity = seen
    } catch (error) {
      if (isErrno(error, ...GONE)) throw rootMissing(this.#given, 'is missing')
      throw error
    }
  }

  /**
   * Opens a directory by its path relative to the root ('' is the root). Null when there is no directory at that place:
   * missing, something else, or only reached through a symlink. Other errors are thrown as they are.
   */
  async openDir(path: string): Promise<Dir | null> {
    const place = path === '' ? this.place : join(this.place, path)
    if (!HAS_FD_PATHS) return (await this.#isRealBelow(path)) ? new Dir(await openForSync(place), place) : null
    let handle: FileHandle
    try {
      handle = await open(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    } catch (error) {
      if (isErrno(error, ...GONE)) return null
      throw error
    }
    const dir = new Dir(handle, place)
    let inPlace = false
    try {
      inPlace = await dir.inPlace()
    } finally {
      if (!inPlace) await dir.close()
    }
    return inPlace ? dir : null
  }

  async #isRealBelow(path: string): Promise<boolean> {
    let place = this.place
    for (const name of path === '' ? [] : path.split('/')) {
      place += sep + name
      if (!(await isRealDirectory(place))) return false
    }
    return true
  }

  #isAnother(seen: RootIdentity): boolean {
    if (this.#identity !== null) return seen.dev !== this.#identity.dev || seen.ino !== this.#identity.ino
    return this.#expectIno !== undefined && seen.ino !== this.#expectIno
  }
}

/** `a/b/c` -> [`a/b`, `c`]; `c` -> [``, `c`]. */
export function splitPath(path: string): [parent: string, name: string] {
  const at = path.lastIndexOf('/')
  return at < 0 ? ['', path] : [path.slice(0, at), path.slice(at + 1)]
}

export function joinPath(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`
}

async function isRealDirectory(place: string): Promise<boolean> {
  try {
    return (await lstat(place)).isDirectory()
  } catch (error) {
    if (isErrno(error, ...GONE)) return false
    throw error
  }
}

/** Some systems cannot open a directory; there its changes are as durable as the system makes them. */
async function openForSync(place: string): Promise<FileHandle | null> {
  try {
    return await open(place, 'r')
  } catch (error) {
    if (isErrno(error, 'EISDIR', 'EPERM', 'EACCES')) return null
    throw error
  }
}

/** What a directory holds, as one hash and as a list. */
import { createHash } from 'node:crypto'
import { createReadStream, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Above this a file is hashed as a stream: a process that holds a gigabyte would disturb what it measures, bytes. */
const STREAM_ABOVE_BYTES = 16 * 1024 * 1024

interface Known {
  /** Inode, size and times: another content has another one. */
  readonly stamp: string
  readonly hash: string
}

/** Hashes directories again and again, reading only files that are new or were written since. */
export class TreeHasher {
  readonly #known = new Map<string, Known>()

  /**
   * SHA-256 over `<path>\0<sha256 of content>\n` for every file, paths as bytes and sorted bytewise: the `tree` of the
   * replayable histories. Directories, links and modes do not count.
   */
  async hash(root: string): Promise<string> {
    const sum = createHash('sha256')
    for (const [path, hash] of await this.files(root)) sum.update(`${path}\0${hash}\n`)
    return sum.digest('hex')
  }

  /** Path and SHA-256 of every file below `root`, sorted bytewise. */
  async files(root: string): Promise<Array<[string, string]>> {
    const found: Array<[string, string]> = []
    for (const path of walk(root)) {
      const hash = await this.#hashOf(join(root, path))
      if (hash !== undefined) found.push([path, hash])
    }
    return found.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  async #hashOf(file: string): Promise<string | undefined> {
    const stat = lstatSync(file, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined || !stat.isFile()) return undefined
    const stamp = `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
    const known = this.#known.get(file)
    if (known?.stamp === stamp) return known.hash
    const hash = stat.size > STREAM_ABOVE_BYTES ? await streamedHash(file) : sha256(readFileSync(file))
    this.#known.set(file, { stamp, hash })
    return hash
  }
}

export function treeHash(root: string): Promise<string> {
  return new TreeHasher().hash(root)
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Every directory below `root`, sorted; the tree hash does not see the empty ones. */
export function directories(root: string): string[] {
  return [...walk(root, 'dir')].sort()
}

function* walk(root: string, kind: 'file' | 'dir' = 'file', below = ''): Generator<string> {
  for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) {
      if (kind === 'dir') yield path
      yield* walk(root, kind, path)
    } else if (kind === 'file' && entry.isFile()) yield path
  }
}

async function streamedHash(file: string): Promise<string> {
  const sum = createHash('sha256')
  for await (const part of createReadStream(file, { highWaterMark: 1024 * 1024 })) sum.update(part as Buffer)
  return sum.digest('hex')
}

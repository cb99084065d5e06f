/** Keeps the rules in step with the ignore file of the directory. */
import type { BigIntStats } from 'node:fs'
import { isErrno, reasonOf } from '../../errors.js'
import type { Logger } from '../../runtime.js'
import { streamFile } from './content.js'
import { statOf } from './current.js'
import type { Root } from './root.js'
import { IGNORE_FILE, type Rules } from './rules.js'
import { sameStat } from './stat-cache.js'

/** More than anybody writes by hand; a larger one is a mistake and is not read, bytes. */
export const MAX_IGNORE_FILE_BYTES = 256 * 1024

export class IgnoreFile {
  readonly #deps: { readonly root: Root; readonly rules: Rules; readonly logger: Logger }
  #seen: BigIntStats | null = null

  constructor(deps: { readonly root: Root; readonly rules: Rules; readonly logger: Logger }) {
    this.#deps = deps
  }

  /** Reads it again when it changed; true when the rules may have changed. Keeps the old rules when it cannot be read. */
  async refresh(): Promise<boolean> {
    const dir = await this.#deps.root.openDir('')
    if (dir === null) return false
    try {
      const stat = await statOf(dir, IGNORE_FILE)
      if (stat === null ? this.#seen === null : this.#seen !== null && sameStat(stat, this.#seen)) return false
      this.#deps.rules.read(stat?.isFile() ? await this.#text(dir.at(IGNORE_FILE), stat) : '')
      this.#seen = stat
      return true
    } catch (error) {
      this.#deps.logger.warn('the ignore file cannot be read; its earlier rules stay in force', {
        file: IGNORE_FILE,
        reason: reasonOf(error),
        next: isErrno(error, 'EACCES') ? "give the daemon's user read access to it" : 'look at the cause'
      })
      return false
    } finally {
      await dir.close()
    }
  }

  async #text(at: string, stat: BigIntStats): Promise<string> {
    if (stat.size > BigInt(MAX_IGNORE_FILE_BYTES)) throw new Error(`it is larger than ${MAX_IGNORE_FILE_BYTES} bytes`)
    const pieces: Buffer[] = []
    for await (const piece of streamFile(at)) pieces.push(piece)
    return Buffer.concat(pieces).toString('utf8')
  }
}

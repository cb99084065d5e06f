/** A daemon whose calls for files fail on demand. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JoinOptions } from '../e2e/cluster.js'
import { HOOK, type Rule } from './files.js'

export class DaemonFaults {
  readonly #file: string
  /** What a daemon must be made with. */
  readonly options: JoinOptions

  constructor(place: string) {
    this.#file = join(place, 'faults.json')
    this.options = { env: { NODE_OPTIONS: `--import=${HOOK}`, FAULTS_FILE: this.#file } }
  }

  set(...rules: readonly Rule[]): void {
    // under its name at once: the daemon may look at any moment
    writeFileSync(`${this.#file}.new`, JSON.stringify(rules))
    renameSync(`${this.#file}.new`, this.#file)
  }

  clear(): void {
    rmSync(this.#file, { force: true })
  }

  /** Calls that failed so far, as `op path`. */
  hits(): string[] {
    const file = `${this.#file}.hits`
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  }
}

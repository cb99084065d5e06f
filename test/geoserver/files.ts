/** How GeoServer writes into its data directory: what a watcher must survive. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** One step on the disk: the words of the system call and the paths below the data directory. */
export interface WriteStep {
  readonly what: 'create' | 'write' | 'rename' | 'remove' | 'mkdir'
  readonly path: string
  readonly to?: string
}

export class Files {
  readonly root: string
  readonly #afterStep: (step: WriteStep) => void

  /** `afterStep` is called when a step is on the disk and the next has not begun. */
  constructor(root: string, afterStep: (step: WriteStep) => void = () => {}) {
    this.root = root
    this.#afterStep = afterStep
  }

  at(path: string): string {
    return join(this.root, path)
  }

  /** A new file is seen empty first; one that is there is replaced by a rename. */
  async save(path: string, content: string | Uint8Array): Promise<void> {
    await this.makeDir(dirname(path))
    if (!existsSync(this.at(path))) await this.#write('create', path, '')
    const temporary = `${path}.${randomUUID()}.tmp`
    await this.#write('write', temporary, content)
    await this.rename(temporary, path)
  }

  /** Tile layers go through a temporary file of a temporary file. */
  async saveTileLayer(path: string, content: string): Promise<void> {
    await this.makeDir(dirname(path))
    const outer = `${path}.tmp`
    const inner = `${outer}.${randomUUID()}.tmp`
    await this.#write('write', inner, content)
    await this.rename(inner, outer)
    await this.rename(outer, path)
  }

  async rename(path: string, to: string): Promise<void> {
    await rename(this.at(path), this.at(to))
    this.#afterStep({ what: 'rename', path, to })
  }

  /** A file, or a directory with all that is in it. */
  async remove(path: string): Promise<void> {
    if (!existsSync(this.at(path))) return
    await rm(this.at(path), { recursive: true })
    this.#afterStep({ what: 'remove', path })
  }

  async makeDir(path: string): Promise<void> {
    if (existsSync(this.at(path))) return
    await mkdir(this.at(path), { recursive: true })
    this.#afterStep({ what: 'mkdir', path })
  }

  async #write(what: 'create' | 'write', path: string, content: string | Uint8Array): Promise<void> {
    await writeFile(this.at(path), content)
    this.#afterStep({ what, path })
  }
}

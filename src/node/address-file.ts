/** The address book as a file of the home. It is a convenience: nothing that happens to it may keep the node from working. */
import { z } from 'zod'
import { reasonOf } from '../errors.js'
import type { AddressRow } from '../net/index.js'
import type { Logger } from '../runtime.js'
import { readJson, writePrivate } from './home.js'

export class AddressFile {
  readonly #file: string
  readonly #logger: Logger
  #rows: AddressRow[] = []
  /** Writes one after another: two at once would share a temporary file. */
  #written: Promise<void> = Promise.resolve()

  constructor(file: string, logger: Logger) {
    this.#file = file
    this.#logger = logger
  }

  /** Reads the rows for `load`; a file that cannot be read counts as none. */
  async open(): Promise<this> {
    try {
      const rows = await readJson(this.#file, z.unknown())
      if (Array.isArray(rows)) this.#rows = rows.filter(isRow)
    } catch (error) {
      this.#logger.warn('The address book cannot be read; peers must be found again.', { reason: reasonOf(error) })
    }
    return this
  }

  load(): AddressRow[] {
    return this.#rows
  }

  save(rows: AddressRow[]): void {
    const text = `${JSON.stringify(rows)}\n`
    this.#written = this.#written
      .then(() => writePrivate(this.#file, text))
      .catch((error: unknown) => this.#logger.warn('The address book could not be saved.', { reason: reasonOf(error) }))
  }

  /** Resolves when everything saved so far is on disk, or was given up. */
  async saved(): Promise<void> {
    await this.#written
  }
}

function isRow(value: unknown): value is AddressRow {
  const { node, address, lastOk } = (value ?? {}) as Record<string, unknown>
  return typeof node === 'string' && typeof address === 'string' && typeof lastOk === 'number'
}

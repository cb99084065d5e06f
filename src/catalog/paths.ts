/** Changes by path, on a draft: what the command line and the adapters say, in terms of entries. */
import { GrapevineError } from '../errors.js'
import { pathProblem, type BodyRef } from '../wire/index.js'
import type { Draft } from './draft.js'
import { type Seen } from './draft.js'
import { ROOT_ID } from './ids.js'
import { orderBetween, orderKeysFor } from './order.js'
import type { CatalogReader, Entry } from './reader.js'
import { BODY, EXEC } from './view.js'

export interface PathEdit {
  readonly id: string
  /** False when nothing had to be written. */
  readonly changed: boolean
}

export class PathEditor {
  readonly #draft: Draft
  readonly #reader: CatalogReader

  constructor(draft: Draft, reader: CatalogReader) {
    this.#draft = draft
    this.#reader = reader.over(draft.stage)
  }

  /** Writes a file; directories above it are made. Equal content is no change. */
  put(path: string, body: BodyRef, options: { exec?: boolean; seen?: Seen } = {}): PathEdit {
    checkPath(path)
    const found = this.#reader.resolve(path)
    if (found === undefined) return this.#create(path, body, options.exec ?? false)
    if (found.meaning.body === undefined) throw notAFile(path)
    return this.setFile(found, body, options)
  }

  /** Writes what differs of an existing file; what is not given stays. */
  setFile(found: Entry, body: BodyRef | undefined, options: { exec?: boolean; seen?: Seen } = {}): PathEdit {
    const { meaning } = found
    const exec = options.exec ?? meaning.exec
    const fields: { body?: BodyRef; exec?: boolean } = {}
    // whoever sees a conflict and writes one of its values ends it; a conflict of places is not theirs to end
    const ends = (field: string): boolean =>
      options.seen === undefined && meaning.conflicts.some((conflict) => conflict.field === field)
    const differs =
      meaning.body?.hash !== body?.hash || ends(BODY) || (options.seen === undefined && meaning.editDelete)
    if (body !== undefined && differs) fields.body = body
    if (meaning.exec !== exec || ends(EXEC)) fields.exec = exec
    if (fields.body === undefined && fields.exec === undefined) return { id: found.id, changed: false }
    this.#draft.set(found.id, fields, options.seen)
    return { id: found.id, changed: true }
  }

  #create(path: string, body: BodyRef, exec: boolean): PathEdit {
    const { parent, name } = this.#parentFor(path)
    return { id: this.#draft.create(parent, name, { kind: 'file', body, exec }), changed: true }
  }

  makeDirectory(path: string): PathEdit {
    checkPath(path)
    return this.#makeDirectory(path)
  }

  #makeDirectory(path: string): PathEdit {
    const found = this.#reader.resolve(path)
    if (found !== undefined) {
      if (!this.#reader.isDirectory(found)) throw notADirectory(path)
      return this.#ensureAlive(found)
    }
    const { parent, name } = this.#parentFor(path)
    return { id: this.#draft.create(parent, name, { kind: 'dir' }), changed: true }
  }

  /** A directory that only its children keep alive is written again. */
  #ensureAlive(found: Entry): PathEdit {
    if (found.meaning.alive) return { id: found.id, changed: false }
    this.#draft.create(found.parent, found.name, { kind: 'dir', id: found.id })
    return { id: found.id, changed: true }
  }

  /** The entry that holds `path`, made where missing. */
  #parentFor(path: string): { parent: string; name: string } {
    const cut = path.lastIndexOf('/')
    const name = path.slice(cut + 1)
    return { parent: cut < 0 ? ROOT_ID : this.#makeDirectory(path.slice(0, cut)).id, name }
  }

  /** Deletes a file, or a directory with everything below it (`below`, listed before, deepest last). */
  remove(path: string, below: readonly string[]): PathEdit {
    const found = this.#reader.resolve(path)
    if (found === undefined) throw notFound(path)
    for (const id of below.toReversed()) this.#draft.remove(id)
    this.#draft.remove(found.id)
    return { id: found.id, changed: true }
  }

  /** Moves or renames; `before` names the sibling it is to stand in front of, for catalogs whose order matters. */
  move(from: string, to: string, order?: { siblings: readonly Entry[]; before: string }): PathEdit {
    checkPath(to)
    const found = this.#reader.resolve(from)
    if (found === undefined) throw notFound(from)
    const target = this.#reader.resolve(to)
    if (target !== undefined && target.id !== found.id) {
      throw new GrapevineError('path-taken', `${JSON.stringify(to)} exists already`, {
        next: 'remove it first, or choose another name',
        facts: { path: to }
      })
    }
    const cut = to.lastIndexOf('/')
    const parentPath = cut < 0 ? '' : to.slice(0, cut)
    if (parentPath === from || parentPath.startsWith(`${from}/`)) {
      throw new GrapevineError('move-into-itself', 'a directory cannot be moved below itself', {
        next: 'choose another destination',
        facts: { from, to }
      })
    }
    const { parent, name } = this.#parentFor(to)
    this.#draft.move(found.id, parent, name, {
      order: order === undefined ? null : this.#orderIn(order.siblings, order.before)
    })
    return { id: found.id, changed: true }
  }

  /** A key before a sibling. Siblings that never had a place in an order are given one first, as they stand. */
  #orderIn(siblings: readonly Entry[], before: string): string {
    const keys = orderKeysFor(siblings)
    for (const { entry, order } of keys)
      if (entry.order !== order) this.#draft.move(entry.id, entry.parent, entry.name, { order })
    return orderBetween(
      keys.map(({ entry, order }) => ({ name: entry.name, order })),
      before
    )
  }
}

/** Throws `name-not-allowed`. */
export function checkPath(path: string): void {
  const problem = pathProblem(path)
  if (problem === undefined) return
  throw new GrapevineError(
    'name-not-allowed',
    `the path ${JSON.stringify(path.slice(0, 200))} ${path.startsWith('/') ? 'begins with a slash' : problem}`,
    {
      next: 'give a path relative to the catalog: names joined by "/", without control characters or backslashes'
    }
  )
}

function notFound(path: string): GrapevineError {
  return new GrapevineError('not-found', `there is nothing at ${JSON.stringify(path)}`, {
    next: 'see "grapevine ls"',
    facts: { path }
  })
}

function notAFile(path: string): GrapevineError {
  return new GrapevineError('not-a-file', `${JSON.stringify(path)} is a directory`, {
    next: 'name a file',
    facts: { path }
  })
}

function notADirectory(path: string): GrapevineError {
  return new GrapevineError('not-a-directory', `${JSON.stringify(path)} is a file`, {
    next: 'move it away first, or choose another path',
    facts: { path }
  })
}

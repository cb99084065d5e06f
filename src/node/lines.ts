/** Entries as listings have them. */
import type { Contents } from '../adapters/index.js'
import type { Entry, Listed } from '../catalog/index.js'
import type { EntryLine } from '../control/target.js'
import { nodeIdOf } from '../identity/index.js'
import { isoTime, type Replica } from '../replica/index.js'
import { bytesOf } from '../wire/index.js'

export interface LinesDeps {
  readonly replica: Replica
  /** What is known about the objects that files hold; undefined: nothing. */
  readonly contents?: Pick<Contents, 'objectAt'> | undefined
}

export class EntryLines {
  readonly #deps: LinesDeps
  /** Log -> node id of its author: encoding one costs as much as reading an entry. */
  readonly #names = new Map<string, string>()

  constructor(deps: LinesDeps) {
    this.#deps = deps
  }

  get reader(): Replica['reader'] {
    return this.#deps.replica.reader
  }

  authorName(log: string): string {
    let name = this.#names.get(log)
    if (name === undefined) {
      const author = this.#deps.replica.authorOf(log)
      if (author === '') return ''
      name = nodeIdOf(bytesOf(author))
      this.#names.set(log, name)
    }
    return name
  }

  of({ path, entry }: Listed): EntryLine {
    const { meaning } = entry
    const { newest, body } = meaning
    const line: EntryLine = {
      path,
      id: entry.id,
      kind: this.reader.isDirectory(entry) ? 'dir' : 'file',
      size: body?.size ?? 0,
      exec: meaning.exec,
      time: isoTime(newest?.time ?? 0),
      author: newest === undefined ? '' : this.authorName(newest.log),
      conflict: this.#isConflicting(entry),
      ...(body && { hash: body.hash })
    }
    const object = body && this.#deps.contents?.objectAt(path, () => this.reader.inlineBody(body))
    return object ? { ...line, object } : line
  }

  #isConflicting(entry: Entry): boolean {
    const { meaning, state, listed } = entry
    if (meaning.conflicts.length > 0 || meaning.editDelete || state.level > 0) return true
    return listed && this.reader.isNameShared(entry)
  }
}

/** An entry as its row of the index says, with what follows from it, worked out once. Never changed. */
import type { HeldRow } from '../store/index.js'
import type { BodyRef } from '../wire/index.js'
import { nameKey } from './ids.js'
import { decodeEntry, encodeEntry, entryHash, type EntryState } from './entry.js'
import {
  BODY,
  effectivePlace,
  meaningOf,
  readBody,
  type AuthorOf,
  type EffectivePlace,
  type EntryMeaning
} from './view.js'

/** What an entry takes in memory besides its values, and what each of its tuples takes, roughly, bytes. */
const ENTRY_BYTES = 700
const TUPLE_BYTES = 250

/** What of a row was worked out before. */
export interface Known {
  readonly meaning?: EntryMeaning | undefined
  readonly hash?: Buffer | undefined
}

export class EntryRow implements HeldRow {
  readonly id: string
  readonly state: EntryState
  readonly #authorOf: AuthorOf
  #meaning: EntryMeaning | undefined
  #hash: Buffer | undefined
  #place: EffectivePlace | undefined
  #nameKey: string | undefined
  #bodies: ReadonlyArray<{ readonly body: BodyRef; readonly log: string }> | undefined

  /** `state` is not to be changed from here on. */
  constructor(id: string, state: EntryState, authorOf: AuthorOf, known: Known = {}) {
    this.id = id
    this.state = state
    this.#authorOf = authorOf
    this.#meaning = known.meaning
    this.#hash = known.hash
  }

  static read(id: string, bytes: Uint8Array, authorOf: AuthorOf): EntryRow {
    return new EntryRow(id, decodeEntry(bytes), authorOf)
  }

  bytes(): Uint8Array {
    return encodeEntry(this.state)
  }

  get weight(): number {
    const { doc, tuples } = this.state
    return doc.reduce((sum, update) => sum + 3 * update.length, ENTRY_BYTES + tuples.length * TUPLE_BYTES)
  }

  get meaning(): EntryMeaning {
    this.#meaning ??= meaningOf(this.state, this.#authorOf)
    return this.#meaning
  }

  /** What of it was worked out so far. */
  get known(): Known {
    return { meaning: this.#meaning, hash: this.#hash }
  }

  /** Its canonical hash; undefined when nothing of it lives: else the order of arrival would show. */
  get hash(): Buffer | undefined {
    if (this.state.tuples.length > 0) this.#hash ??= entryHash(this.id, this.state)
    return this.#hash
  }

  /** Listed: it lives, or holds what lives. */
  get listed(): boolean {
    return this.meaning.alive || this.state.kids > 0
  }

  get parent(): string {
    return this.#effective.parent
  }

  /** The name its place gives it. */
  get name(): string {
    return this.#effective.name
  }

  get order(): string | null {
    return this.#effective.order
  }

  /** The key of the row that says who claims this name: kept, since text that was a key before is one faster. */
  get nameKey(): string {
    this.#nameKey ??= nameKey(this.parent, this.name)
    return this.#nameKey
  }

  get #effective(): EffectivePlace {
    this.#place ??= effectivePlace(this.id, this.meaning, this.state.level)
    return this.#place
  }

  /** Bodies of all its live values, the winner's among them, and the log each was written in. */
  get bodies(): ReadonlyArray<{ readonly body: BodyRef; readonly log: string }> {
    this.#bodies ??= this.state.tuples
      .filter((tuple) => tuple.field === BODY)
      .map((tuple) => ({ body: readBody(tuple.value), log: tuple.log }))
    return this.#bodies
  }
}

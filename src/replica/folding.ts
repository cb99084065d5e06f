/**
 * Folds one record: what it comes to is worked out in steps, between which others run, and taken into the index in one
 * piece. A record may hold a thousand edits.
 */
import type { Catalog, Ready } from '../catalog/index.js'
import { GrapevineError } from '../errors.js'
import { MEMBERS_SPACE, type Knows, type Members } from '../identity/index.js'
import type { Clock } from '../runtime.js'
import { atOnce } from '../steps.js'
import type { Overlay } from '../store/index.js'
import type { SignedRecord } from '../wire/index.js'
import { collect, type Applied } from './applied.js'
import { breathing, type Breath } from './breath.js'
import type { Removals } from './removals.js'

export interface FoldingDeps {
  readonly members: Members
  readonly catalog: Catalog
  readonly removals: Pick<Removals, 'begin'>
  readonly rows: Overlay
  readonly clock: Clock
}

/**
 * What the catalog is to take of a record, or why the record counts for nothing; `none`: it says nothing about the catalog.
 */
export type Folded = { readonly ready: Ready } | { readonly reason: string } | 'none'

export class Folding {
  readonly #deps: FoldingDeps

  constructor(deps: FoldingDeps) {
    this.#deps = deps
  }

  /**
   * The index stays as it is, and whoever calls sees to it that nothing changes the catalog or the members before it is
   * taken: that is why it holds the turn. Others read meanwhile, have the index written, and put checkpoints in force, all
   * of which finds the record not applied, as between two records.
   */
  async inSteps(record: SignedRecord, knows: Knows, breath: Breath): Promise<Folded> {
    const { catalog, clock } = this.#deps
    if (record.body.space === MEMBERS_SPACE) return 'none'
    try {
      return { ready: await breathing(catalog.fold(record, knows), clock, breath) }
    } catch (error) {
      return { reason: whyMalformed(error) }
    }
  }

  /** The same without a pause. */
  atOnce(record: SignedRecord, knows: Knows): Folded {
    if (record.body.space === MEMBERS_SPACE) return 'none'
    try {
      return { ready: atOnce(this.#deps.catalog.fold(record, knows)) }
    } catch (error) {
      return { reason: whyMalformed(error) }
    }
  }

  /** Takes it into the index, in one piece. Why the record counts for nothing, or undefined. */
  take(record: SignedRecord, folded: Folded, knows: Knows, result: Applied): string | undefined {
    const { catalog } = this.#deps
    if (folded === 'none') return this.#takeMembers(record, knows, result)
    if ('reason' in folded) return folded.reason
    collect(result, catalog.commit(folded.ready))
    return undefined
  }

  #takeMembers(record: SignedRecord, knows: Knows, result: Applied): string | undefined {
    const { members, removals, rows } = this.#deps
    try {
      result.admitted.push(...members.apply(record, knows, rows))
      if (members.needsRefold(record)) removals.begin()
      return undefined
    } catch (error) {
      return whyMalformed(error)
    }
  }
}

/** Only what follows from the record itself is the same verdict everywhere; whatever else was thrown is thrown again. */
function whyMalformed(error: unknown): string {
  if (!(error instanceof GrapevineError) || error.code !== 'record-malformed') throw error
  return error.message
}

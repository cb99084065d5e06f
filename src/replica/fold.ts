/** What becomes of records: the catalog and who may change it, made over one index. */
import { Catalog, CatalogReader, IndexRows } from '../catalog/index.js'
import type { Members } from '../identity/index.js'
import type { RecordLog } from '../log/index.js'
import type { Clock, Logger } from '../runtime.js'
import type { Overlay, Store } from '../store/index.js'
import { hexOf } from '../wire/index.js'
import { Applier } from './applier.js'
import type { Base } from './checkpoint/base.js'
import { Ledger } from './checkpoint/ledger.js'
import type { Heads } from './heads.js'
import { Quarantine, type QuarantineDeps } from './quarantine.js'
import { Removals } from './removals.js'
import { Scopes } from './scopes.js'

export interface FoldDeps {
  readonly rows: Overlay
  readonly store: Store
  readonly log: RecordLog
  readonly members: Members
  readonly heads: Heads
  readonly logger: Logger
  readonly clock: Clock
  readonly events: QuarantineDeps['events']
  readonly base: Base
}

export interface Fold {
  /** Hex public key of a log's author; '' when the log is not known. */
  readonly authorOf: (log: string) => string
  readonly catalog: Catalog
  readonly reader: CatalogReader
  readonly removals: Removals
  readonly quarantine: Quarantine
  readonly scopes: Scopes
  readonly ledger: Ledger
  readonly applier: Applier
}

export function makeFold(deps: FoldDeps): Fold {
  const { rows, store, log, members } = deps
  // asked for each two values that are compared, and the author of a log never changes
  const authors = new Map<string, string>()
  const authorOf = (id: string): string => {
    const known = authors.get(id)
    if (known !== undefined) return known
    const head = log.get(id)
    if (head === undefined) return ''
    const author = hexOf(head.author)
    authors.set(id, author)
    return author
  }
  const index = new IndexRows(rows, authorOf)
  const catalog = new Catalog({ rows, index, store, authorOf })
  const reader = new CatalogReader({ rows: index, store, authorOf })
  const { base } = deps
  const removals = new Removals({ log, members, catalog, reader, rows, store, base })
  const scopes = new Scopes({ log, members, catalog, reader, removals, base })
  const quarantine = new Quarantine(deps)
  const ledger = new Ledger({ rows, store, members, log })
  const applier = new Applier({ ...deps, catalog, removals, quarantine, scopes, ledger })
  return { authorOf, catalog, reader, removals, quarantine, scopes, ledger, applier }
}

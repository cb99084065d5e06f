/** What a teller says of itself. */
import type { Lack } from '../plugins.js'

export interface Failed {
  readonly path: string
  readonly about: string
  readonly reason: string
  /** Wall clock, ms. */
  readonly since: number
}

/** How far GeoServer knows what lies in its directory. */
export interface TellingView extends TellerView {
  /** Of the running GeoServer; absent until it said so. */
  readonly version?: string
  readonly lacks: readonly Lack[]
  /** Files of which it did not keep all when it was told, since this node started, and which elements it left out. */
  readonly leftOut: ReadonlyArray<{ readonly path: string; readonly elements: readonly string[] }>
}

/** What the teller alone can say. */
export interface TellerView {
  readonly state: 'told' | 'telling' | 'reload-due' | 'unreachable' | 'unauthorized'
  /** Files it was not told of yet. */
  readonly owed: number
  /** Why nothing can be told now. */
  readonly reason?: string
  readonly reloads: number
  /** When the last reload began (wall clock, ms) and how long service was disturbed, ms. */
  readonly lastReload?: { readonly at: number; readonly ms: number }
  readonly failed: readonly Failed[]
}

/** The adapter that the configuration names, with what it remembers in the store of the target. */
import { join } from 'node:path'
import { createDirectoryAdapter, GeoServerAdapter, type Adapter, type RootIdentity } from '../adapters/index.js'
import type { Config } from '../config.js'
import { systemClock } from '../runtime-node.js'
import type { Logger } from '../runtime.js'
import type { Overlay } from '../store/index.js'
import { HOME_DIRS } from './home.js'
import { StoredStatCache } from './stat-cache.js'
import { StoredTravelMemory } from './travel-memory.js'

/** In the home: the passwords that this node fills into stores. */
export const SECRETS_FILE = 'geoserver-secrets.json'

export type TargetAdapter = Adapter & { readonly rootIdentity: RootIdentity | null }

export interface AdapterDeps {
  readonly config: Config
  readonly logger: Logger
  /** The node's home. */
  readonly home: string
  readonly rows: Overlay
  /** The directory that was shared before. */
  readonly root: RootIdentity | undefined
}

/** Throws `config-invalid`. */
export function makeAdapter({ config, logger, home, rows, root }: AdapterDeps): TargetAdapter {
  const deps = { clock: systemClock, logger, cache: new StoredStatCache(rows) }
  const options = {
    root: config.dir,
    home,
    journalDir: join(home, HOME_DIRS.journal),
    ignore: config.ignore,
    settleMs: config.settleMs,
    ...(root === undefined ? {} : { expectRoot: root })
  }
  if (config.adapter !== 'geoserver') return createDirectoryAdapter(deps, options)
  return new GeoServerAdapter(
    { ...deps, memory: new StoredTravelMemory(rows), environment: process.env },
    { ...options, rules: config.geoserverRules, secretsFile: join(home, SECRETS_FILE) }
  )
}

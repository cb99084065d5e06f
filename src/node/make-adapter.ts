/** The adapter that the configuration names, with what it remembers in the store of the target. */
import { join } from 'node:path'
import {
  createDirectoryAdapter,
  geoServerContents,
  GeoServerAdapter,
  type Adapter,
  type Contents,
  type RootIdentity,
  type Telling,
  type TellingView
} from '../adapters/index.js'
import type { Config } from '../config.js'
import { systemClock } from '../runtime-node.js'
import type { Logger } from '../runtime.js'
import { GrapevineError } from '../errors.js'
import type { Overlay, Store } from '../store/index.js'
import { HOME_DIRS } from './home.js'
import { StoredStatCache } from './stat-cache.js'
import { StoredTextMemory } from './text-memory.js'
import { checkShared } from './shared-dir.js'
import { StoredTravelMemory } from './travel-memory.js'

/** In the home: the passwords that this node fills into stores. */
export const SECRETS_FILE = 'geoserver-secrets.json'

export type TargetAdapter = Adapter & {
  readonly rootIdentity: RootIdentity | null
  telling?(): TellingView | undefined
}

export interface AdapterDeps {
  readonly config: Config
  readonly logger: Logger
  /** The node's home. */
  readonly home: string
  readonly rows: Overlay
  readonly store: Store
  /** Nodes of the cluster in an order that is the same on each, and which of them this is. */
  readonly members: () => { readonly rank: number; readonly nodes: number }
  /** The directory that was shared before. */
  readonly root: RootIdentity | undefined
}

/** Throws `config-invalid`. */
export function makeAdapter(adapterDeps: AdapterDeps): TargetAdapter {
  const { config, logger, home, rows, store, root } = adapterDeps
  checkShared(config)
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
    {
      ...deps,
      memory: new StoredTravelMemory(rows),
      facts: new StoredTextMemory('facts', rows, store),
      environment: process.env,
      ...tellingOf(adapterDeps)
    },
    {
      ...options,
      rules: config.geoserverRules,
      secretsFile: join(home, SECRETS_FILE),
      broken: { rule: config.geoserverBroken, afterMs: config.geoserverBrokenAfterMs },
      shared: config.sharedDir
    }
  )
}

/** What is known about the objects in the target; undefined where nothing is. Throws `config-invalid`. */
export function contentsFor({ adapter, geoserverRules }: Partial<Config>): Contents | undefined {
  return adapter === 'geoserver' ? geoServerContents(geoserverRules ?? []) : undefined
}

/** Nobody is told where no address is given. */
function tellingOf({ config, rows, store, members }: AdapterDeps): { telling?: Telling } {
  const { geoserverUrl: url, geoserverUser: user, geoserverPasswordFile: passwordFile } = config
  if (url === '') return {}
  if (passwordFile === '')
    throw new GrapevineError('config-invalid', '--geoserver-url is given and no file with the password', {
      next: 'write the password of --geoserver-user into a file that nobody else can read, and give --geoserver-password-file'
    })
  const turn = (): ReturnType<Telling['turn']> => ({ ...members(), share: config.geoserverReloadShare })
  return { telling: { access: { url, user, passwordFile }, memory: new StoredTextMemory('owed', rows, store), turn } }
}

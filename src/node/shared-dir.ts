/** What a node of a shared directory does otherwise than others. */
import { isAbsolute, relative } from 'node:path'
import type { Config } from '../config.js'
import { GrapevineError } from '../errors.js'
import type { SharedDirOptions } from '../publish/index.js'

/** Each node leaves it so much longer than the one before it in the order of keys to others to record a change, ms, */
const TURN_MS = 250
/** and no node longer than the one at this place. */
const MAX_TURNS = 10

/** Throws `config-invalid` where a setting would have this node write to a directory that it shares. */
export function checkShared({ sharedDir, adapter, adopt, driftRules, dir, home }: Config): void {
  if (!sharedDir) return
  const inside = relative(dir, home)
  if (adapter !== 'geoserver') throw refused(`goes with the adapter geoserver, not with ${adapter}`, 'leave it out')
  if (adopt === 'cluster') throw refused('does not go with --adopt cluster, which sets files aside', 'leave that out')
  if (driftRules.some((rule) => rule.startsWith('restore')))
    throw refused('does not go with a drift rule "restore", which writes to the directory', 'use "report" or "adopt"')
  if (!inside.startsWith('..') && !isAbsolute(inside))
    throw refused(
      'does not go with a home in the directory: other nodes would share it',
      'give --home a place of its own'
    )
}

function refused(why: string, next: string): GrapevineError {
  return new GrapevineError('config-invalid', `--shared-dir ${why}`, { next })
}

/** Undefined where the directory is the node's own. `rank`: where this node stands among all. */
export function sharedOptions({ sharedDir }: Config, rank: () => number): { shared?: SharedDirOptions } {
  return sharedDir ? { shared: { turnMs: () => TURN_MS * Math.min(rank(), MAX_TURNS) } } : {}
}

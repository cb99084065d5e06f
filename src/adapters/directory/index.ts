import { DirectoryAdapter, type DirectoryDeps, type DirectoryOptions } from './adapter.js'

export { DirectoryAdapter, type DirectoryDeps, type DirectoryOptions } from './adapter.js'
export { BUILT_IN_RULES, IGNORE_FILE } from './rules.js'
export { MemoryStatCache, type StatCache, type StatRow } from './stat-cache.js'
export type { RootIdentity } from './root.js'

/** The adapter that keeps a directory of files in step with the catalog. */
export function createDirectoryAdapter(deps: DirectoryDeps, options: DirectoryOptions): DirectoryAdapter {
  return new DirectoryAdapter(deps, options)
}

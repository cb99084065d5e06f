export * from './contract.js'
export * from './names.js'
export {
  createDirectoryAdapter,
  DirectoryAdapter,
  MemoryStatCache,
  type DirectoryDeps,
  type DirectoryOptions,
  type RootIdentity,
  type StatCache,
  type StatRow
} from './directory/index.js'
export { Classifier, Inventory, readFacts } from './geoserver/index.js'

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
export {
  checkDataDirectory,
  geoServerContents,
  GeoServerAdapter,
  MemoryTextMemory,
  MemoryTravelMemory,
  type GeoServerDeps,
  type Failed,
  type GeoServerOptions,
  type Telling,
  type TellingView,
  type TextMemory,
  type TravelMemory,
  type TravelRow
} from './geoserver/index.js'

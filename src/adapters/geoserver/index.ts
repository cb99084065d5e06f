export { GeoServerAdapter, type GeoServerDeps, type GeoServerOptions } from './adapter.js'
export { checkDataDirectory, type CheckOptions, type CheckReport } from './check.js'
export { MemoryTravelMemory, type TravelMemory, type TravelRow } from './memory.js'

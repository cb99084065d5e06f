export { SyncEngine, type SyncEffect } from './engine.js'
export { SYNC_DEFAULTS, type SyncOptions } from './options.js'

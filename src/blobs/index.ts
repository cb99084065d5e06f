/** Content-addressed bodies: the store on disk, the server that answers peers, the fetcher that gets what is wanted. */
export { BlobStore } from './store.js'
export type { BlobStoreEvent, BlobStoreOptions } from './store.js'
export { BlobServer } from './server.js'
export type { BlobServerDeps } from './server.js'
export { BlobFetcher } from './fetch.js'
export type { BlobEvent, BlobFetcherDeps, BlobFetcherOptions } from './fetch.js'
export { KeyedLock } from './lock.js'

export * from './keys.js'
export * from './node-id.js'
export * from './cluster.js'
export * from './members.js'

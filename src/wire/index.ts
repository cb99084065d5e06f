export * from './limits.js'
export * from './body.js'

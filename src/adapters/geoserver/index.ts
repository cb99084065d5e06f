export { checkDataDirectory, type CheckOptions, type CheckReport } from './check.js'

export {
  Replica,
  CATALOG_SPACE,
  MEMBERS_SPACE,
  type ReplicaDeps,
  type ReplicaEvents,
  type ReplicaOptions,
  type OpenReport
} from './replica.js'
export { isoTime } from './clock.js'
export type { Written } from './writer.js'
export type { Scrubbed } from './scrub.js'

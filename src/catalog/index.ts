export {
  Catalog,
  bodyKey,
  conflictRange,
  HISTORY_ROWS,
  historyPlace,
  type CatalogDelta,
  type ConflictChange,
  type History,
  type Ready,
  type Touch
} from './catalog.js'
export { IndexRows } from './rows.js'
export { CatalogReader, type Entry, type Listed } from './reader.js'
export { PathEditor, checkPath, type PathEdit } from './paths.js'
export { TargetEditor, type TargetPlace } from './target-editor.js'
export { Draft, checkName, seenKey, type DraftContext, type Seen } from './draft.js'
export { ROOT_ID, clientIdOf, entryIdOfPath, type EntryKind } from './ids.js'
export { inspectDoc, type DocInspection } from './doc.js'
export {
  checkField,
  compareStamps,
  winnerOf,
  TOMBSTONE,
  PLACE,
  readPlace,
  BODY,
  EXEC,
  type AuthorOf,
  type EntryMeaning,
  type Stamp
} from './view.js'
export { decodeEntry, deleteRanges, entryHash, type EntryState, type Tuple } from './entry.js'
export { bodiesNamedBy, bodiesOf, ChunkWriter, readChunk, type FrozenEntry } from './frozen.js'
export { decodeUpdate, encodeUpdate, type DeleteRange, type Value } from './update.js'
export { bucketOf } from './buckets.js'
export { isSoundRow, storedBucketSum } from './check.js'
export { mayWriteAt, namedBy, ScopeCheck, type PlaceInPast, type Whereabouts } from './scope.js'
export { PackWriter, readPack } from './packs.js'
export { Ancestry, MAX_ANCESTRY_RECORDS, versionsIn, type Version } from './ancestry.js'

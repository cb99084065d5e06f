/**
 * A home as one stream of bytes, while it is worked on or not: who the node is, its cluster, every record up to one
 * position of the log, and the blobs. What can be derived is left out.
 */
import { join } from 'node:path'
import type { BlobStore } from '../blobs/index.js'
import { GrapevineError, reasonOf } from '../errors.js'
import type { DamagedRange } from '../log/index.js'
import type { Replica } from '../replica/index.js'
import type { BodyRef } from '../wire/index.js'
import { BackupWriter, KIND, packFile, packRecords } from './backup-format.js'
import type { Home } from './home.js'
import { readIfThere } from './read-file.js'
import { VERSION } from '../version.js'

export interface BackupDeps {
  readonly home: Home
  readonly records: Pick<Replica, 'stored' | 'checkpoints'>
  readonly blobs: BlobStore
}

export interface BackupAbout {
  readonly node: string
  readonly name: string
  readonly cluster: string
  readonly clusterName: string
  /** ISO 8601. */
  readonly created: string
  /** Of the grapevine that made it. */
  readonly version: string
}

export interface BackupEnd {
  readonly records: number
  readonly blobs: number
  readonly blobBytes: number
  /** Places of the log that were damaged and so are not in it. */
  readonly damaged: readonly DamagedRange[]
  /** Blobs that could not be read. */
  readonly missingBlobs: readonly BodyRef[]
}

/** Files of the home that make the node; those that are not there are left out. The first three must be. */
export const BACKUP_FILES = [
  'node.key',
  'cluster.secret',
  'cluster.json',
  'root.key',
  'config.json',
  'addresses.json'
] as const

/** Payload bytes of records gathered into one frame. */
const RECORDS_FRAME_BYTES = 256 * 1024
/** Must stay within what a reader takes, `MAX_FRAME_PAYLOAD_BYTES`. */
const BLOB_FRAME_BYTES = 1024 * 1024

/** The bytes of a backup. Throws what reading the home throws; what is damaged in it is left out and named at the end. */
export async function* backupOf(deps: BackupDeps): AsyncGenerator<Uint8Array> {
  const writer = new BackupWriter()
  const { home } = deps
  const { cluster, clusterName, nodeName } = home.cluster
  const about: BackupAbout = {
    node: home.node,
    name: nodeName,
    cluster,
    clusterName,
    created: new Date().toISOString(),
    version: VERSION
  }
  yield writer.head()
  yield writer.json(KIND.about, about)
  for (const name of BACKUP_FILES) {
    const bytes = await readIfThere(join(home.path, name))
    if (bytes !== undefined) yield writer.frame(KIND.file, packFile(name, bytes))
  }
  const counts = {
    records: 0,
    blobs: 0,
    blobBytes: 0,
    damaged: new Array<DamagedRange>(),
    missingBlobs: new Array<BodyRef>()
  }
  const { checkpoints } = deps.records
  const release = checkpoints?.hold()
  try {
    // a blob is stored before the record that names it, so listing blobs after the records misses none of theirs
    yield* recordFrames(deps, writer, counts)
    yield* blobFrames(deps, writer, counts)
    if (checkpoints?.inForce?.offer !== undefined) yield writer.json(KIND.checkpoint, checkpoints.inForce.offer)
  } finally {
    release?.()
  }
  yield writer.end(counts satisfies BackupEnd)
}

type Counts = {
  -readonly [K in keyof BackupEnd]: K extends 'damaged'
    ? DamagedRange[]
    : K extends 'missingBlobs'
      ? BodyRef[]
      : BackupEnd[K]
}

async function* recordFrames(
  { records }: BackupDeps,
  writer: BackupWriter,
  counts: Counts
): AsyncGenerator<Uint8Array> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  for await (const scanned of records.stored()) {
    if ('damaged' in scanned) {
      counts.damaged.push(scanned.damaged)
      continue
    }
    if (bytes + scanned.bytes.length > RECORDS_FRAME_BYTES && gathered.length > 0) {
      yield writer.frame(KIND.records, packRecords(gathered))
      gathered = []
      bytes = 0
    }
    gathered.push(scanned.bytes)
    bytes += scanned.bytes.length
    counts.records += 1
  }
  if (gathered.length > 0) yield writer.frame(KIND.records, packRecords(gathered))
}

async function* blobFrames({ blobs }: BackupDeps, writer: BackupWriter, counts: Counts): AsyncGenerator<Uint8Array> {
  const refs: BodyRef[] = []
  for await (const ref of blobs.list()) refs.push(ref)
  for (const ref of refs) {
    yield writer.json(KIND.blob, ref)
    try {
      for await (const chunk of blobs.read(ref))
        for (let at = 0; at < chunk.length; at += BLOB_FRAME_BYTES)
          yield writer.frame(KIND.bytes, chunk.subarray(at, at + BLOB_FRAME_BYTES))
      counts.blobs += 1
      counts.blobBytes += ref.size
    } catch (error) {
      // anything else, such as the end of the process, must not pass for a backup that lacks a blob
      if (!(error instanceof GrapevineError) || !['blob-damaged', 'blob-missing'].includes(error.code)) throw error
      counts.missingBlobs.push(ref)
      yield writer.json(KIND.noBlob, { reason: reasonOf(error) })
    }
  }
}

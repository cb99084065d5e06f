/** A home out of a backup. Nothing is written before all of the backup was found sound. */
import { createReadStream } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { BlobStore } from '../blobs/index.js'
import { diskError, GrapevineError, isErrno, type ErrorCode } from '../errors.js'
import { SegmentLog } from '../log/index.js'
import { BaseFile, fromOffer } from '../replica/index.js'
import { NodeDisk } from '../runtime-node.js'
import { silentLogger } from '../runtime.js'
import { decodeRecord, type BodyRef } from '../wire/index.js'
import { BACKUP_FILES, type BackupAbout, type BackupEnd } from './backup.js'
import {
  backupDamaged,
  KIND,
  readBackup,
  readJson,
  unpackFile,
  unpackRecords,
  type BackupFrame
} from './backup-format.js'
import { contentsIn } from './contents.js'
import { HOME_DIRS, prepareHome, readHome, writePrivate } from './home.js'
import { markNewLife } from './life.js'

export interface CheckedBackup extends BackupAbout, BackupEnd {
  readonly bytes: number
}

const count = z.int().min(0)
const BLOB_SHAPE = z.object({ hash: z.string(), size: count })
const REASON_SHAPE = z.object({ reason: z.string() })
const ABOUT_SHAPE = z.object({
  node: z.string(),
  name: z.string(),
  cluster: z.string(),
  clusterName: z.string(),
  created: z.string(),
  version: z.string()
})
const END_SHAPE = z.object({
  records: count,
  blobs: count,
  blobBytes: count,
  damaged: z.array(z.object({ segment: z.number(), offset: z.number(), length: z.number(), reason: z.string() })),
  missingBlobs: z.array(BLOB_SHAPE)
})

const READ_BYTES = 1024 * 1024
/** Without these a home holds no node. The last is written last: a home without it is no node yet. */
const NEEDED_FILES = ['node.key', 'cluster.secret', 'cluster.json']

/** Reads a whole backup. Throws `not-found`, `backup-damaged` saying what is wrong, `store-newer`. */
export async function checkBackup(file: string): Promise<CheckedBackup> {
  let about: BackupAbout | undefined
  let end: BackupEnd | undefined
  let bytes = 0
  let records = 0
  const files = new Set<string>()
  for await (const { kind, payload } of readBackup(counted(file, (more) => (bytes += more)))) {
    if (kind === KIND.about) about = readJson(payload, ABOUT_SHAPE)
    if (kind === KIND.file) files.add(unpackFile(payload).name)
    if (kind === KIND.records) records += unpackRecords(payload).length
    if (kind === KIND.end) end = readJson(payload, END_SHAPE)
  }
  const missing = NEEDED_FILES.find((name) => !files.has(name))
  if (about === undefined || end === undefined || missing !== undefined)
    throw backupDamaged(`it lacks ${missing ?? 'its description'}`)
  if (records !== end.records) throw backupDamaged(`it holds ${records} records and should hold ${end.records}`)
  return { ...about, ...end, bytes }
}

async function* counted(file: string, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
      count(chunk.length)
      yield chunk
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR'))
      throw new GrapevineError('not-found', `there is no file ${file}`, {
        next: 'check its name',
        facts: { file },
        cause: error
      })
    throw diskError(error, 'file-unreadable', `${file} cannot be read`)
  }
}

/**
 * Makes `home` out of a backup; it must be empty or missing. The node that is started there asks its peers first, and
 * writes under another epoch: what it wrote after the backup was made may live on elsewhere.
 */
export async function restoreHome(options: { file: string; home: string }): Promise<CheckedBackup> {
  const { file, home } = options
  const checked = await checkBackup(file)
  await mustBeEmpty(home)
  await prepareHome(home)
  try {
    await fill(home, file, checked)
    await readHome(home)
  } catch (error) {
    // half a home must not be started
    for (const name of await readdir(home)) await rm(join(home, name), { recursive: true, force: true })
    throw error
  }
  return checked
}

async function mustBeEmpty(home: string): Promise<void> {
  const names = await readdir(home).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw diskError(error, 'store-failed', `${home} cannot be looked at`)
  })
  if (names.length === 0) return
  throw new GrapevineError('not-empty', `${home} is not empty`, {
    next: 'restore into an empty or new directory: give another --home',
    facts: { home }
  })
}

async function fill(home: string, file: string, checked: CheckedBackup): Promise<void> {
  await markNewLife(home, 'restored')
  const log = await SegmentLog.open(new NodeDisk(join(home, HOME_DIRS.log)), { logger: silentLogger })
  const blobs = new BlobStore({ logger: silentLogger }, { directory: join(home, HOME_DIRS.blobs) })
  const files = new Map<string, string>()
  try {
    await blobs.open()
    const frames = new Frames(readBackup(counted(file, () => undefined)))
    for (let frame = await frames.take(); frame !== undefined; frame = await frames.take()) {
      if (frame.kind === KIND.file) keepFile(files, frame.payload)
      else if (frame.kind === KIND.records) await log.append(recordsOf(frame.payload, checked.cluster))
      else if (frame.kind === KIND.blob) await restoreBlob(blobs, readJson(frame.payload, BLOB_SHAPE), frames)
      else if (frame.kind === KIND.checkpoint) {
        const inForce = await checkpointIn(blobs, readJson(frame.payload, BLOB_SHAPE))
        await new BaseFile(new NodeDisk(join(home, HOME_DIRS.log))).write(inForce)
      }
    }
  } finally {
    await log.close()
    await blobs.close()
  }
  const last = NEEDED_FILES.at(-1)!
  for (const [name, text] of files) if (name !== last) await writePrivate(join(home, name), text)
  await writePrivate(join(home, last), files.get(last)!)
}

/** What came before it in the backup holds all of it, or the backup is not one that was made by us. */
async function checkpointIn(blobs: BlobStore, offer: BodyRef): ReturnType<typeof fromOffer> {
  try {
    return await fromOffer(offer, contentsIn(blobs))
  } catch (error) {
    const bad = error instanceof GrapevineError && NOT_WHOLE.includes(error.code)
    throw bad ? backupDamaged('its checkpoint cannot be read') : error
  }
}

const NOT_WHOLE: readonly ErrorCode[] = ['blob-missing', 'blob-damaged', 'message-malformed']

/** Only what we know belongs in a home: a name in a backup is never a path. */
function keepFile(files: Map<string, string>, payload: Buffer): void {
  const { name, bytes } = unpackFile(payload)
  if ((BACKUP_FILES as readonly string[]).includes(name)) files.set(name, bytes.toString('utf8'))
}

function recordsOf(payload: Buffer, cluster: string): Buffer[] {
  const records = unpackRecords(payload)
  for (const bytes of records) {
    const record = readable(bytes)
    if (record !== undefined && record.body.cluster !== cluster)
      throw backupDamaged('it holds records of another cluster')
  }
  return records
}

/** A record of a later version is kept as it is. */
function readable(bytes: Uint8Array): ReturnType<typeof decodeRecord> | undefined {
  try {
    return decodeRecord(bytes)
  } catch (error) {
    if (error instanceof GrapevineError) return undefined
    throw error
  }
}

async function restoreBlob(blobs: BlobStore, ref: BodyRef, frames: Frames): Promise<void> {
  const broken = { reason: undefined as string | undefined }
  try {
    const { hash, size } = await blobs.put(bytesOfBlob(frames, broken))
    if (hash !== ref.hash || size !== ref.size) throw backupDamaged('a blob in it does not match its hash')
  } catch (error) {
    // it broke off while the backup was made, and is named as missing there
    if (broken.reason === undefined) throw error
  }
}

async function* bytesOfBlob(frames: Frames, broken: { reason: string | undefined }): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await frames.peek()
    if (next?.kind === KIND.noBlob) {
      await frames.take()
      broken.reason = readJson(next.payload, REASON_SHAPE).reason
      throw backupDamaged(`a blob broke off: ${broken.reason}`)
    }
    if (next?.kind !== KIND.bytes) return
    await frames.take()
    yield next.payload
  }
}

/** Frames with a look at the next one. */
class Frames {
  readonly #source: AsyncIterator<BackupFrame>
  #next: BackupFrame | undefined

  constructor(source: AsyncIterable<BackupFrame>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async peek(): Promise<BackupFrame | undefined> {
    if (this.#next === undefined) {
      const next = await this.#source.next()
      this.#next = next.done === true ? undefined : next.value
    }
    return this.#next
  }

  async take(): Promise<BackupFrame | undefined> {
    const next = await this.peek()
    this.#next = undefined
    return next
  }
}

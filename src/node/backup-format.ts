/**
 * The bytes of a backup. All integers are unsigned, 32 bits, big endian; checksums are CRC-32 (zlib's).
 *
 *     backup = "gvbk" | version | check of the eight bytes before | frame*
 *     frame  = kind | length | check | payload (length bytes)
 *
 * A frame's check covers kind, length and payload and goes on from the check of the frame before, so that a frame that is
 * damaged, lost, doubled or out of place is noticed where it stands. The last frame, `end`, holds the SHA-256 of all
 * bytes before it: without it the backup is cut short. Kinds are only ever appended.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { GrapevineError } from '../errors.js'

export const BACKUP_VERSION = 1
export const BACKUP_HEAD_BYTES = 12
const FRAME_HEAD_BYTES = 12
const MAGIC = 0x6776626b // "gvbk"

/** Largest payload, bytes: bounds what a reader holds, whatever a damaged length says. */
export const MAX_FRAME_PAYLOAD_BYTES = 4 * 1024 * 1024

export const KIND = {
  /** JSON: of which node and cluster, made when and by which version. First. */
  about: 1,
  /** A small file of the home: see `packFile`. */
  file: 2,
  /** Records: for each its length and its bytes. */
  records: 3,
  /** JSON `{hash, size}`: a blob begins; its bytes follow in `bytes` frames. */
  blob: 4,
  bytes: 5,
  /** JSON `{reason}`: the blob that was begun could not be read to its end and is not in this backup. */
  noBlob: 6,
  /** JSON `{hash, size}`, behind the blobs: the offer of the checkpoint that took the place of older records. */
  checkpoint: 7,
  /** JSON: counts, what is missing, and the SHA-256 of everything before this frame. */
  end: 255
} as const

const END_OF_ALL = z.object({ sha256: z.string() })

export interface BackupFrame {
  readonly kind: number
  readonly payload: Buffer
}

/** Makes the frames of one backup, in the order in which they are written. */
export class BackupWriter {
  readonly #digest = createHash('sha256')
  #check = 0

  head(): Buffer {
    const head = Buffer.alloc(BACKUP_HEAD_BYTES)
    head.writeUInt32BE(MAGIC, 0)
    head.writeUInt32BE(BACKUP_VERSION, 4)
    this.#check = crc32(head.subarray(0, 8))
    head.writeUInt32BE(this.#check, 8)
    this.#digest.update(head)
    return head
  }

  frame(kind: number, payload: Uint8Array): Buffer {
    const frame = Buffer.alloc(FRAME_HEAD_BYTES + payload.length)
    frame.writeUInt32BE(kind, 0)
    frame.writeUInt32BE(payload.length, 4)
    frame.set(payload, FRAME_HEAD_BYTES)
    this.#check = checkOf(frame, this.#check)
    frame.writeUInt32BE(this.#check, 8)
    this.#digest.update(frame)
    return frame
  }

  json(kind: number, value: object): Buffer {
    return this.frame(kind, Buffer.from(JSON.stringify(value)))
  }

  end(counts: object): Buffer {
    return this.json(KIND.end, { ...counts, sha256: this.#digest.copy().digest('hex') })
  }
}

function checkOf(frame: Buffer, before: number): number {
  return crc32(frame.subarray(FRAME_HEAD_BYTES), crc32(frame.subarray(0, 8), before))
}

/** Reads frames, each checked before it is handed out; the end frame is the last. Throws `backup-damaged`, `store-newer`. */
export async function* readBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupFrame> {
  const bytes = new Reader(source)
  const digest = createHash('sha256')
  const head = await bytes.take(BACKUP_HEAD_BYTES)
  let check = checkHead(head)
  digest.update(head!)
  for (;;) {
    const at = bytes.position
    const frameHead = await bytes.take(FRAME_HEAD_BYTES)
    if (frameHead === undefined) throw backupDamaged('it is cut short', at)
    const kind = frameHead.readUInt32BE(0)
    const length = frameHead.readUInt32BE(4)
    if (length > MAX_FRAME_PAYLOAD_BYTES) throw backupDamaged('its bytes do not match their checksum', at)
    const payload = await bytes.take(length)
    if (payload === undefined) throw backupDamaged('it is cut short', at)
    check = crc32(payload, crc32(frameHead.subarray(0, 8), check))
    if (check !== frameHead.readUInt32BE(8)) throw backupDamaged('its bytes do not match their checksum', at)
    if (kind === KIND.end) {
      const { sha256 } = readJson(payload, END_OF_ALL)
      if (sha256 !== digest.digest('hex')) throw backupDamaged('its bytes do not match their hash', at)
      yield { kind, payload }
      if ((await bytes.take(1)) !== undefined) throw backupDamaged('something follows its end', bytes.position)
      return
    }
    digest.update(frameHead).update(payload)
    yield { kind, payload }
  }
}

function checkHead(head: Buffer | undefined): number {
  if (head === undefined || head.readUInt32BE(0) !== MAGIC) throw backupDamaged('it is no backup', 0)
  const check = crc32(head.subarray(0, 8))
  if (head.readUInt32BE(8) !== check) throw backupDamaged('its first bytes are damaged', 0)
  const version = head.readUInt32BE(4)
  if (version > BACKUP_VERSION) {
    throw new GrapevineError(
      'store-newer',
      `the backup has format ${version}, this grapevine knows up to ${BACKUP_VERSION}`,
      {
        next: 'restore it with the newer grapevine',
        facts: { found: version, newest: BACKUP_VERSION }
      }
    )
  }
  return check
}

/** Whether a file begins as a backup does. */
export function isBackupHead(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32BE(0) === MAGIC
}

export function readJson<S extends z.ZodType>(payload: Buffer, shape: S): z.output<S> {
  try {
    return shape.parse(JSON.parse(payload.toString('utf8')))
  } catch (cause) {
    throw backupDamaged('a part of it is not what a backup holds', undefined, cause)
  }
}

export function backupDamaged(what: string, offset?: number, cause?: unknown): GrapevineError {
  return new GrapevineError('backup-damaged', `the backup is not usable: ${what}`, {
    next: 'use another backup; this one is left as it is',
    facts: offset === undefined ? {} : { offset },
    cause
  })
}

/** A small file of the home: its name, a zero byte, its bytes. */
export function packFile(name: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(name), Buffer.from([0]), bytes])
}

export function unpackFile(payload: Buffer): { name: string; bytes: Buffer } {
  const end = payload.indexOf(0)
  if (end < 1) throw backupDamaged('a file in it has no name')
  return { name: payload.toString('utf8', 0, end), bytes: payload.subarray(end + 1) }
}

export function packRecords(records: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = []
  for (const record of records) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(record.length)
    parts.push(length, record)
  }
  return Buffer.concat(parts)
}

export function unpackRecords(payload: Buffer): Buffer[] {
  const records: Buffer[] = []
  for (let at = 0; at < payload.length;) {
    const length = payload.length - at < 4 ? 0 : payload.readUInt32BE(at)
    if (length === 0 || at + 4 + length > payload.length) throw backupDamaged('records in it are cut')
    records.push(payload.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return records
}

/** Takes exact pieces out of a stream of chunks. */
class Reader {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Buffer = Buffer.alloc(0)
  position = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next `length` bytes, or undefined when there are not so many. */
  async take(length: number): Promise<Buffer | undefined> {
    const parts = [this.#held]
    let have = this.#held.length
    while (have < length) {
      const next = await this.#source.next()
      if (next.done === true) return undefined
      parts.push(Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length))
      have += next.value.length
    }
    const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts, have)
    this.#held = all.subarray(length)
    this.position += length
    return all.subarray(0, length)
  }
}

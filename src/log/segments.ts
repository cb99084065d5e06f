import { GrapevineError, diskError } from '../errors.js'
import type { Disk, Logger } from '../runtime.js'
import { FRAME_HEAD_BYTES, SEGMENT_HEADER_BYTES, frameBytes, payloadIntact, readHead, type Position } from './frame.js'
import { closeSegments, openSegment, openSegments, segmentName, type Segment } from './segment-files.js'
import { checkAppend, encodeGroup, groupBytes, takeGroup, type Waiting } from './segment-group.js'
import { scanSegment, type Location, type Scanned } from './segment-scan.js'
import { assertKnownVersion, findTail } from './segment-tail.js'
import { SegmentWindow } from './segment-window.js'

export type { Position } from './frame.js'
export type { Damage, Location, Scanned } from './segment-scan.js'

export interface SegmentLogDeps {
  readonly logger: Logger
}

export interface SegmentLogOptions {
  /** A segment is closed before it grows beyond this, bytes. Default 64 MiB. One append may exceed it alone. */
  readonly maxSegmentBytes?: number
}

export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024

/**
 * The truth on disk: payloads in append-only segment files, each with its checksum.
 *
 * 1. `append` resolves after fsync; what it resolved is there after any crash.
 * 2. Calls that wait share one write and one fsync. The payloads of one call lie together and in order.
 * 3. What was never acknowledged may be cut off; nothing in front of a valid frame ever is.
 * 4. After a failed fsync nothing is appended until `reopen()`: the system may have dropped the bytes and report
 *    success the next time.
 */
export class SegmentLog {
  /** What opening cut off as the rest of an interrupted write, bytes. */
  readonly recovered: { cutBytes: number } = { cutBytes: 0 }
  /** Whether what was cut may have been acknowledged; see Tail. */
  endInDoubt = false
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #maxSegmentBytes: number
  #segments: Segment[] = []
  /** Behind the last durable frame. Nothing beyond it counts. */
  #end: Position = { segment: 1, offset: 0 }
  #queue: Waiting[] = []
  #draining: Promise<void> | undefined
  #failure: GrapevineError | undefined
  #reopening: Promise<void> | undefined
  #closed = false

  private constructor(disk: Disk, deps: SegmentLogDeps, options: SegmentLogOptions) {
    this.#disk = disk
    this.#logger = deps.logger
    this.#maxSegmentBytes = options.maxSegmentBytes ?? DEFAULT_SEGMENT_BYTES
  }

  /** Opens the log on `disk`, or begins one. Throws `store-failed`, `store-newer`, `disk-full`. */
  static async open(disk: Disk, deps: SegmentLogDeps, options: SegmentLogOptions = {}): Promise<SegmentLog> {
    const log = new SegmentLog(disk, deps, options)
    try {
      await log.#load(await openSegments(disk))
    } catch (error) {
      throw diskError(error, 'store-failed', 'The log cannot be opened')
    }
    return log
  }

  /** Behind the last durable payload: where a later `scan` goes on. */
  get end(): Position {
    return this.#end
  }

  /** Why appends are refused at present, if they are. */
  get failure(): GrapevineError | undefined {
    return this.#failure
  }

  /** Where the payload behind `at` begins. */
  positionAfter(at: Location): Position {
    return { segment: at.segment, offset: at.offset + frameBytes(at.length) }
  }

  /**
   * Everything durable at the time of the call from `from` on (a position this class gave out), in order. Damage is
   * named by its position, and the scan goes on with the next valid frame. Throws `store-failed`.
   */
  async *scan(from: Position = { segment: 0, offset: 0 }): AsyncGenerator<Scanned> {
    const end = this.#end
    let expected = from.segment > 0 ? from.segment : (this.#segments[0]?.number ?? 1)
    // The list of now: appends add segments to it while we wait.
    const segments = this.#segments.slice()
    for (const segment of segments) {
      if (segment.number < from.segment || segment.number > end.segment) continue
      for (; expected < segment.number; expected++) {
        yield { damaged: { segment: expected, offset: 0, length: 0, reason: 'segment-missing' } }
      }
      expected = segment.number + 1
      const start = segment.number === from.segment ? from.offset : 0
      const window = new SegmentWindow(segment.file, segment.number === end.segment ? end.offset : segment.file.size)
      if (start === 0) assertKnownVersion(segment.file, segment.number)
      yield* scanSegment(window, segment.number, start)
    }
  }

  /**
   * Appends payloads (1 byte to MAX_PAYLOAD_BYTES each, MAX_APPEND_BYTES together); they must not change until the
   * promise settles. Rejects with `disk-full` (later appends may succeed), `store-failed` (until `reopen()`),
   * `too-large` or `stopped`; then nothing of the call is in the log.
   */
  async append(payloads: readonly Uint8Array[]): Promise<Location[]> {
    if (this.#closed) throw stoppedError()
    if (this.#failure !== undefined) throw this.#failure
    const payloadBytes = checkAppend(payloads)
    if (payloads.length === 0) return []
    return new Promise((resolve, reject) => {
      this.#queue.push({ payloads, payloadBytes, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  /** The payload at `at`, verified. Throws `store-damaged` when it is not there unharmed. */
  read(at: Location): Uint8Array {
    if (this.#closed) throw stoppedError()
    const segment = this.#segments.findLast((one) => one.number === at.segment)
    if (segment === undefined) throw damagedError(at)
    let bytes: Uint8Array
    try {
      bytes = segment.file.read(at.offset, frameBytes(at.length))
    } catch (error) {
      throw diskError(error, 'store-failed', 'The log cannot be read', { ...at })
    }
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (frame.length !== frameBytes(at.length) || readHead(frame, 0, at) !== at.length || !payloadIntact(frame)) {
      throw damagedError(at)
    }
    return bytes.subarray(FRAME_HEAD_BYTES)
  }

  stats(): { segments: number; bytes: number } {
    return {
      segments: this.#segments.length,
      bytes: this.#segments.reduce((sum, segment) => sum + segment.file.size, 0)
    }
  }

  /** Bytes of each segment by its number, the oldest first. */
  sizes(): Array<{ readonly number: number; readonly bytes: number }> {
    return this.#segments.map(({ number, file }) => ({ number, bytes: file.size }))
  }

  /** Ends the segment that is appended to; what comes next begins another. Nobody may append meanwhile. */
  async roll(): Promise<void> {
    await this.#draining
    if (this.#closed) throw stoppedError()
    if (this.#end.offset <= SEGMENT_HEADER_BYTES) return
    try {
      this.#segments.push(await openSegment(this.#disk, this.#end.segment + 1))
    } catch (error) {
      throw diskError(error, 'store-failed', 'A segment of the log cannot be begun')
    }
    this.#end = { segment: this.#end.segment + 1, offset: 0 }
  }

  /**
   * Deletes the oldest segments, up to and with `last`, whose payloads nobody needs any more; never the one that is
   * appended to. Stopped halfway, the oldest are gone and the others are there.
   */
  async drop(last: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[0]!.number <= last) {
      const oldest = this.#segments.shift()!
      try {
        await oldest.file.close()
        await this.#disk.remove(segmentName(oldest.number))
      } catch (error) {
        throw diskError(error, 'store-failed', 'A segment of the log cannot be deleted', { segment: oldest.number })
      }
    }
  }

  /**
   * Makes the log usable again after a failed fsync: opens the files anew, cuts what was never acknowledged and reads
   * the tail back. Does nothing while appends work. Reads go on meanwhile.
   */
  reopen(): Promise<void> {
    this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined))
    return this.#reopening
  }

  /** Waits for the appends under way, then closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#reopening?.catch(() => {})
    await this.#draining
    await closeSegments(this.#segments)
  }

  /** What the opening of something over this log gives; when it fails, the log is closed for whoever opens it anew. */
  async closedUnless<T>(opened: Promise<T>): Promise<T> {
    try {
      return await opened
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Takes over freshly opened segments, cutting a torn tail. What is left is made durable before anybody builds on it. What
   * is known to have been durable is no torn tail, however it reads now.
   */
  async #load(segments: Segment[]): Promise<void> {
    try {
      if (segments.length === 0) segments.push(await openSegment(this.#disk, 1))
      const last = segments.at(-1)!
      const tail = await findTail(last.file, last.number)
      const torn = tail.torn && (last.number > this.#end.segment || tail.end >= this.#end.offset)
      if (tail.cutBytes > 0 && !torn) {
        this.#logger.error('the end of the log is damaged; it goes on in a new segment', {
          segment: last.number,
          ...tail
        })
        segments.push(await openSegment(this.#disk, last.number + 1))
      } else if (tail.cutBytes > 0) {
        await last.file.truncate(tail.end)
        this.recovered.cutBytes += tail.cutBytes
        this.endInDoubt ||= tail.doubtful
        this.#logger.warn('cut an interrupted write off the end of the log', { segment: last.number, ...tail })
      }
      await last.file.sync()
    } catch (error) {
      await closeSegments(segments)
      throw error
    }
    const newest = segments.at(-1)!
    this.#segments = segments
    this.#end = { segment: newest.number, offset: newest.file.size }
  }

  async #drain(): Promise<void> {
    // Callers of the same turn of the event loop travel together.
    await Promise.resolve()
    while (this.#queue.length > 0) await this.#commit(takeGroup(this.#queue))
    this.#draining = undefined
  }

  async #commit(group: Waiting[]): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure
      await this.#rollIfFull(groupBytes(group))
      const { bytes, places } = encodeGroup(group, this.#end)
      await this.#write(bytes)
      this.#end = { segment: this.#end.segment, offset: this.#end.offset + bytes.length }
      for (const [at, waiting] of group.entries()) waiting.resolve(places[at]!)
    } catch (error) {
      const refusal = diskError(error, 'store-failed', 'Writing the log failed')
      for (const waiting of group) waiting.reject(refusal)
    }
  }

  /** Everything in the segment before is durable already, so that only the last segment can ever be torn. */
  async #rollIfFull(bytes: number): Promise<void> {
    const { segment, offset } = this.#end
    if (offset <= SEGMENT_HEADER_BYTES || offset + bytes <= this.#maxSegmentBytes) return
    this.#segments.push(await openSegment(this.#disk, segment + 1))
    this.#end = { segment: segment + 1, offset: 0 }
  }

  async #write(bytes: Buffer): Promise<void> {
    const { file } = this.#segments.at(-1)!
    try {
      await file.append(bytes)
    } catch (error) {
      const refusal = diskError(error, 'store-failed', 'Writing the log failed')
      const cut = await this.#cutUnacknowledged()
      if (!cut || refusal.code !== 'disk-full') this.#fail(refusal)
      else this.#logger.warn('the disk is full; nothing was appended to the log', { ...this.#end })
      throw refusal
    }
    try {
      await file.sync()
    } catch (error) {
      const refusal = diskError(error, 'store-failed', 'Making the log durable failed')
      this.#fail(refusal)
      // The bytes may be in the system's memory only, and a restart would take them for durable.
      await this.#cutUnacknowledged()
      throw refusal
    }
  }

  async #cutUnacknowledged(): Promise<boolean> {
    try {
      await this.#segments.at(-1)!.file.truncate(this.#end.offset)
      return true
    } catch {
      return false
    }
  }

  #fail(error: GrapevineError): void {
    this.#failure = error
    this.#logger.error('the log takes no more records until it is reopened', {
      code: error.code,
      reason: error.message
    })
  }

  async #reopen(): Promise<void> {
    if (this.#closed) throw stoppedError()
    await this.#draining
    if (this.#failure === undefined) return
    const before = this.#segments
    const durable = this.#end
    try {
      const segments = await openSegments(this.#disk)
      const last = segments.at(-1)
      if (last?.number === durable.segment && last.file.size > durable.offset) await last.file.truncate(durable.offset)
      await this.#load(segments)
    } catch (error) {
      throw diskError(error, 'store-failed', 'The log cannot be reopened')
    }
    await closeSegments(before)
    this.#failure = undefined
    if (
      this.#end.segment < durable.segment ||
      (this.#end.segment === durable.segment && this.#end.offset < durable.offset)
    ) {
      this.#logger.error('the log lost records that were durable', { ...this.#end, before: durable })
    } else this.#logger.info('the log takes records again', { ...this.#end })
  }
}

function damagedError(at: Location): GrapevineError {
  return new GrapevineError('store-damaged', 'A record in the log is damaged', {
    next: 'keep the daemon connected: the record is fetched again from a peer that has it',
    facts: { ...at }
  })
}

function stoppedError(): GrapevineError {
  return new GrapevineError('stopped', 'The log is closed', { next: 'start the daemon again' })
}

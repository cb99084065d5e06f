import { GrapevineError } from '../errors.js'
import type { DiskFile } from '../runtime.js'
import { SEGMENT_HEADER_BYTES, SEGMENT_VERSION, frameBytes, readSegmentHeader } from './frame.js'
import { scanSegment } from './segment-scan.js'
import { SegmentWindow } from './segment-window.js'

/**
 * Most payload bytes of one append, and what a group of appends is closed at. Every group is fsynced before the next is
 * written, so a power cut leaves at most one of them torn: more than that at the end of a log is damage.
 */
export const MAX_APPEND_BYTES = 16 * 1024 * 1024

/** Most frames of one group, so that what they add to the payloads is bounded too. */
export const MAX_GROUP_FRAMES = 65_536

const MAX_TORN_BYTES = MAX_APPEND_BYTES + SEGMENT_HEADER_BYTES + MAX_GROUP_FRAMES * frameBytes(0)

export interface Tail {
  /** Behind the last valid frame; 0 when the file has not even a header. */
  readonly end: number
  /** Bytes behind that. */
  readonly cutBytes: number
  /** Whether those bytes are what an interrupted write leaves, so that cutting them loses nothing acknowledged. */
  readonly torn: boolean
  /**
   * Whether they may have been a whole write that was acknowledged and has rotted since: as long as it was, only not
   * intact. What an interrupted write left is mostly cut short, and then there is no doubt.
   */
  readonly doubtful: boolean
}

/** Finds where the last segment really ends. Throws `store-newer` for a format we do not know. */
export async function findTail(file: DiskFile, segment: number): Promise<Tail> {
  assertKnownVersion(file, segment)
  const window = new SegmentWindow(file, file.size)
  let end = 0
  let doubtful = false
  for await (const scanned of scanSegment(window, segment, 0)) {
    if ('at' in scanned) end = scanned.at.offset + frameBytes(scanned.at.length)
    doubtful = 'damaged' in scanned && (doubtful || scanned.damaged.reason !== 'cut-short')
  }
  if (end === 0 && hasHeader(file)) end = SEGMENT_HEADER_BYTES
  const cutBytes = file.size - end
  return { end, cutBytes, torn: cutBytes <= MAX_TORN_BYTES && window.unreadable === 0, doubtful }
}

export function assertKnownVersion(file: DiskFile, segment: number): void {
  const version = versionOf(file)
  if (version === undefined || version <= SEGMENT_VERSION) return
  throw new GrapevineError(
    'store-newer',
    `The log has format ${version}, this grapevine knows up to ${SEGMENT_VERSION}`,
    {
      next: 'run the newer grapevine again',
      facts: { segment, found: version, newest: SEGMENT_VERSION }
    }
  )
}

function hasHeader(file: DiskFile): boolean {
  return versionOf(file) !== undefined
}

/** The version in the header; undefined when there is no intact header, which is judged elsewhere. */
function versionOf(file: DiskFile): number | undefined {
  try {
    return readSegmentHeader(Buffer.from(file.read(0, SEGMENT_HEADER_BYTES)))
  } catch {
    return undefined
  }
}

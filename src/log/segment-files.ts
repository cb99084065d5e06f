import type { Disk, DiskFile } from '../runtime.js'

/** One segment file, open. */
export interface Segment {
  readonly number: number
  readonly file: DiskFile
}

/** Digits of a segment's number in its file's name: lexical order is numeric order. */
const NAME_DIGITS = 8
const NAME = /^(\d{8})\.seg$/

export function segmentName(number: number): string {
  return `${String(number).padStart(NAME_DIGITS, '0')}.seg`
}

/** Opens all segments in order; there may be gaps. Other files are left alone. */
export async function openSegments(disk: Disk): Promise<Segment[]> {
  const numbers = (await disk.list()).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number)
  const segments: Segment[] = []
  try {
    for (const number of numbers.sort((a, b) => a - b)) segments.push(await openSegment(disk, number))
  } catch (error) {
    await closeSegments(segments)
    throw error
  }
  return segments
}

export async function openSegment(disk: Disk, number: number): Promise<Segment> {
  return { number, file: await disk.open(segmentName(number)) }
}

/** Closes all; a file that fails to close was synced before or has failed already, so there is nothing to add. */
export async function closeSegments(segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) await segment.file.close().catch(() => {})
}

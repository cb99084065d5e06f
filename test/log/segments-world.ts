/** What the tests of the segment log share. */
import { SegmentLog, type Scanned, type SegmentLogOptions } from '../../src/log/segments.js'
import { silentLogger, type Disk, type Random } from '../../src/runtime.js'

export const FIRST = '00000001.seg'
export const SECOND = '00000002.seg'

export const openLog = (disk: Disk, options?: SegmentLogOptions): Promise<SegmentLog> =>
  SegmentLog.open(disk, { logger: silentLogger }, options)

export const payload = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** What a scan finds: payloads as text, damage as `reason@segment:offset+length`. */
export async function contents(log: SegmentLog, from?: { segment: number; offset: number }): Promise<string[]> {
  const found: string[] = []
  for await (const scanned of log.scan(from)) found.push(describeScanned(scanned))
  return found
}

function describeScanned(scanned: Scanned): string {
  if ('at' in scanned) return textOf(scanned.bytes)
  const { segment, offset, length, reason } = scanned.damaged
  return `${reason}@${segment}:${offset}+${length}`
}

/** A small seeded generator (mulberry32): the same seed gives the same run. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { float, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(float() * 256)) }
}

/** Captured frames: the file tcpdump writes, and the TCP streams in it, put together as their receiver did. */

const FILE_HEADER_BYTES = 24
const FRAME_HEADER_BYTES = 16
/** Microseconds, least significant byte first, as tcpdump writes it on the machines this runs on. */
const MAGIC = 0xa1b2c3d4
const ETHERNET = 1
const ETHERNET_HEADER_BYTES = 14
const IPV4 = 0x0800
const TCP = 6
const SYN = 0x02

export interface Frame {
  /** Microseconds since 1970. */
  readonly time: number
  readonly bytes: Buffer
}

export interface Frames {
  readonly list: readonly Frame[]
  /** Frames of which only a part was kept. */
  readonly cut: number
}

/** Throws for anything but a whole file of Ethernet frames. */
export function readFrames(file: Buffer): Frames {
  if (file.readUInt32LE(0) !== MAGIC || file.readUInt32LE(20) !== ETHERNET)
    throw new Error('the capture is no file of Ethernet frames')
  const list: Frame[] = []
  let cut = 0
  let at = FILE_HEADER_BYTES
  while (at < file.length) {
    const time = file.readUInt32LE(at) * 1e6 + file.readUInt32LE(at + 4)
    const [kept, sent] = [file.readUInt32LE(at + 8), file.readUInt32LE(at + 12)]
    at += FRAME_HEADER_BYTES + kept
    if (at > file.length) throw new Error('the capture ends within a frame')
    list.push({ time, bytes: file.subarray(at - kept, at) })
    if (kept < sent) cut++
  }
  return { list, cut }
}

interface Segment {
  readonly from: string
  readonly to: string
  readonly seq: number
  readonly syn: boolean
  readonly payload: Buffer
}

function segmentOf(frame: Buffer): Segment | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES + 20 || frame.readUInt16BE(12) !== IPV4) return undefined
  const ip = frame.subarray(ETHERNET_HEADER_BYTES)
  if (ip[9] !== TCP) return undefined
  const tcp = ip.subarray((ip[0]! & 0x0f) * 4, ip.readUInt16BE(2))
  return {
    from: `${ip.subarray(12, 16).join('.')}:${tcp.readUInt16BE(0)}`,
    to: `${ip.subarray(16, 20).join('.')}:${tcp.readUInt16BE(2)}`,
    seq: tcp.readUInt32BE(4),
    syn: (tcp[13]! & SYN) !== 0,
    payload: tcp.subarray((tcp[12]! >> 4) * 4)
  }
}

export interface Stream {
  readonly name: string
  readonly bytes: Buffer
  /** Bytes that were sent and are not in the capture. */
  readonly missing: number
}

/** What went one way over each TCP connection, whatever was lost and sent again on the way. */
export function streamsOf(frames: readonly Frame[]): Stream[] {
  const open = new Map<string, Assembly>()
  const all: Assembly[] = []
  for (const frame of frames.toSorted((one, other) => one.time - other.time)) {
    const segment = segmentOf(frame.bytes)
    if (segment === undefined || (!segment.syn && segment.payload.length === 0)) continue
    const name = `${segment.from} to ${segment.to}`
    const first = segment.syn ? (segment.seq + 1) >>> 0 : segment.seq
    let assembly = open.get(name)
    if (assembly === undefined || (segment.syn && assembly.first !== first)) {
      assembly = new Assembly(name, first)
      open.set(name, assembly)
      all.push(assembly)
    }
    if (!segment.syn) assembly.add(segment.seq, segment.payload)
  }
  return all.map((assembly) => assembly.stream()).filter(({ bytes }) => bytes.length > 0)
}

/** No connection here carries more; what seems to lie beyond it precedes the first byte: a probe whether it lives, bytes. */
const LONGEST_STREAM = 2 ** 31

class Assembly {
  readonly name: string
  readonly first: number
  readonly #parts: Array<{ at: number; payload: Buffer }> = []

  constructor(name: string, first: number) {
    this.name = name
    this.first = first
  }

  add(seq: number, payload: Buffer): void {
    const at = (seq - this.first) >>> 0
    if (at < LONGEST_STREAM) this.#parts.push({ at, payload })
  }

  stream(): Stream {
    const kept: Buffer[] = []
    let end = 0
    let missing = 0
    for (const { at, payload } of this.#parts.toSorted((one, other) => one.at - other.at)) {
      if (at + payload.length <= end) continue
      missing += Math.max(0, at - end)
      kept.push(payload.subarray(Math.max(0, end - at)))
      end = at + payload.length
    }
    return { name: this.name, bytes: Buffer.concat(kept), missing }
  }
}

/** Bits of surprise in each byte: 8 for what looks random, about 5 for text. */
export function entropyOf(bytes: Buffer): number {
  const counts = new Float64Array(256)
  for (const byte of bytes) counts[byte]! += 1
  return counts.reduce(
    (sum, count) => sum - (count === 0 ? 0 : (count / bytes.length) * Math.log2(count / bytes.length)),
    0
  )
}

/**
 * Encoders of lib0 that are used again. A new one takes a buffer that grows by copying, and its result another: more than
 * what most rows cost to encode.
 */
import * as encoding from 'lib0/encoding'

/** Most of what is encoded fits; what is larger takes buffers of its own, which are let go, bytes. */
const SCRATCH_BYTES = 16 * 1024

/** One for each level of nesting. */
const scratches: encoding.Encoder[] = []
let level = 0

/** Gives what `write` encodes to `use`, which must not keep it: the next call writes over it. */
export function scratched<T>(write: (out: encoding.Encoder) => void, use: (bytes: Uint8Array) => T): T {
  const out = (scratches[level] ??= emptyScratch())
  level += 1
  try {
    write(out)
    return use(out.bufs.length === 0 ? out.cbuf.subarray(0, out.cpos) : encoding.toUint8Array(out))
  } finally {
    level -= 1
    if (out.bufs.length > 0) scratches[level] = emptyScratch()
    out.cpos = 0
  }
}

/** What `write` encodes, in bytes of its own. */
export function encoded(write: (out: encoding.Encoder) => void): Uint8Array {
  return scratched(write, (bytes) => bytes.slice())
}

/** As lib0's `writeUint8Array`, which makes a view of what fits already. */
export function writeBytes(out: encoding.Encoder, bytes: Uint8Array): void {
  if (out.cbuf.length - out.cpos < bytes.length) return encoding.writeUint8Array(out, bytes)
  out.cbuf.set(bytes, out.cpos)
  out.cpos += bytes.length
}

function emptyScratch(): encoding.Encoder {
  const out = encoding.createEncoder()
  out.cbuf = new Uint8Array(SCRATCH_BYTES)
  return out
}

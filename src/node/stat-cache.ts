/** The directory adapter's memory of stats, in the store beside the base rows. Losing it costs hashing, nothing else. */
import type { StatCache, StatRow } from '../adapters/index.js'
import type { Overlay } from '../store/index.js'

const ROWS = 's/'

export class StoredStatCache implements StatCache {
  readonly #rows: Overlay

  constructor(rows: Overlay) {
    this.#rows = rows
  }

  get(path: string): StatRow | undefined {
    const bytes = this.#rows.get(ROWS + path)
    return bytes === undefined ? undefined : decode(bytes)
  }

  set(path: string, row: StatRow): void {
    this.#rows.put(ROWS + path, encode(row))
  }

  delete(path: string): void {
    this.#rows.delete(ROWS + path)
  }
}

const FIXED = 8 * 5 + 4 + 1 + 32

function encode(row: StatRow): Uint8Array {
  const out = Buffer.alloc(FIXED)
  out.writeBigUInt64BE(BigInt(row.size), 0)
  out.writeBigInt64BE(row.mtimeNs, 8)
  out.writeBigInt64BE(row.ctimeNs, 16)
  out.writeBigUInt64BE(BigInt.asUintN(64, row.ino), 24)
  out.writeBigUInt64BE(BigInt.asUintN(64, row.dev), 32)
  out.writeUInt32BE(row.mode, 40)
  out.writeUInt8(row.recheck ? 1 : 0, 44)
  out.write(row.hash, 45, 32, 'hex')
  return out
}

function decode(bytes: Uint8Array): StatRow | undefined {
  if (bytes.length !== FIXED) return undefined
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return {
    size: Number(row.readBigUInt64BE(0)),
    mtimeNs: row.readBigInt64BE(8),
    ctimeNs: row.readBigInt64BE(16),
    ino: row.readBigUInt64BE(24),
    dev: row.readBigUInt64BE(32),
    mode: row.readUInt32BE(40),
    recheck: row.readUInt8(44) === 1,
    hash: row.toString('hex', 45, 77)
  }
}

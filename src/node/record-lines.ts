/** Records as the control API shows them. */
import type { RecordLine } from '../control/target.js'
import { nodeIdOf } from '../identity/index.js'
import type { RecordLog } from '../log/index.js'
import { isoTime } from '../replica/index.js'
import { describeOp, hexOf, type SignedRecord } from '../wire/index.js'

export function recordLine(log: RecordLog, record: SignedRecord): RecordLine {
  const { body, id, bytes } = record
  const row = log.row(record.log, body.seq)
  const line: RecordLine = {
    id,
    space: body.space,
    author: nodeIdOf(body.author),
    log: record.log,
    epoch: body.epoch,
    seq: body.seq,
    depth: body.depth,
    time: isoTime(body.time),
    deps: body.deps.map((dep) => ({ log: dep.log, seq: dep.seq })),
    ops: body.ops.map(describeOp),
    size: bytes.length,
    state: row?.state ?? 'waiting'
  }
  return row?.reason ? { ...line, reason: row.reason } : line
}

/** A record that contradicts the one we hold at its place. */
export function twinLine(log: RecordLog, record: SignedRecord): RecordLine {
  return { ...recordLine(log, record), state: 'forked', reason: 'another record is held at this place of the log' }
}

export function twinWith(log: RecordLog, id: string): SignedRecord | undefined {
  for (const head of log.logs()) {
    const twin = log.twins(head.log).find((record) => record.id === id)
    if (twin !== undefined) return twin
  }
  return undefined
}

/** Bytes as hex, for JSON. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hexOf(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

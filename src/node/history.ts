/** What one record did to one entry, in words. */
import { decodeUpdate, TOMBSTONE } from '../catalog/index.js'
import type { HistoryLine } from '../control/target.js'
import { nodeIdOf } from '../identity/index.js'
import { isoTime } from '../replica/index.js'
import { hexOf, type SignedRecord } from '../wire/index.js'

export function historyOf(record: SignedRecord, entry: string): HistoryLine[] {
  const { body, id } = record
  return body.ops.flatMap((op) => {
    if (op.k !== 'edit' || op.entry !== entry) return []
    const line: HistoryLine = {
      time: isoTime(body.time),
      author: nodeIdOf(body.author),
      record: id,
      seq: body.seq,
      change: ''
    }
    const words: string[] = []
    const { tuples, clock } = decodeUpdate(op.update)
    for (const [field, value] of tuples) {
      if (field === TOMBSTONE) words.push('deleted')
      else if (field === 'place') words.push(placeWords(value, clock === 0 && tuples.length > 1))
      else if (field === 'body') {
        const [hash, size] = value as unknown as [Uint8Array, number]
        line.hash = hexOf(hash)
        line.size = size
        words.push(`content ${size} B`)
      } else words.push(field === 'exec' ? (value === true ? 'executable' : 'not executable') : field)
    }
    return [{ ...line, change: words.join(', ') || 'conflict ended' }]
  })
}

function placeWords(value: unknown, created: boolean): string {
  const [, name, , , from] = value as [Uint8Array, string, string | null, Uint8Array?, string?]
  if (from !== undefined) return `moved from ${JSON.stringify(from)} to ${JSON.stringify(name)}`
  return created ? `created ${JSON.stringify(name)}` : `placed as ${JSON.stringify(name)}`
}

/** Planted in the log, its index and the epochs: what is written, when it counts as written, and under which number. */
import type { PlantedBug } from './bug.js'

const SEGMENTS = 'log/segments.ts'
const RECORD_LOG = 'log/record-log.ts'

export const IN_THE_LOG: readonly PlantedBug[] = [
  {
    name: 'acknowledged-before-fsync',
    is: 'a write is acknowledged while it is only in the memory of the system',
    edits: [{ file: SEGMENTS, before: 'await file.sync()', after: 'file.sync().catch(() => undefined)' }],
    seed: 1,
    said: /gossips its record \w+, which is not on its disk/
  },
  {
    name: 'fsync-retried',
    is: 'a failed fsync is tried again, and its success believed though the bytes are gone',
    edits: [{ file: SEGMENTS, before: 'await file.sync()', after: 'await file.sync().catch(() => file.sync())' }],
    seed: 4,
    said: /gossips its record \w+, which is not on its disk/
  },
  {
    name: 'gossiped-before-fsync',
    is: 'peers know a record that its author can still lose',
    edits: [
      {
        file: 'replica/writer.ts',
        before: 'await log.append([record])',
        after: 'this.#deps.early(record)\n    await log.append([record])'
      },
      {
        file: 'replica/replica.ts',
        before: 'flushSoon: () => this.#flushSoon(),',
        after: 'flushSoon: () => this.#flushSoon(),\n      early: (record) => this.#gossiper.add(record),'
      }
    ],
    seed: 1,
    said: /gossips its record \w+, which is not on its disk/
  },
  {
    name: 'full-disk-acknowledged',
    is: 'what a full disk refused is acknowledged all the same',
    edits: [
      {
        file: SEGMENTS,
        before:
          "else this.#logger.warn('the disk is full; nothing was appended to the log', { ...this.#end })\n      throw refusal",
        after: 'else return'
      }
    ],
    seed: 1,
    said: /gossips its record \w+, which is not on its disk/
  },
  {
    name: 'torn-tail-not-cut',
    is: 'what an interrupted write left is not cut off, and the next record is written behind it',
    edits: [{ file: SEGMENTS, before: 'await last.file.truncate(tail.end)', after: 'void tail' }],
    seed: 124,
    said: /comes to another root without its index/
  },
  {
    name: 'tail-not-read',
    is: 'after a crash the log goes on from what the index knew, and numbers are used again',
    edits: [
      {
        file: RECORD_LOG,
        before: 'of this.#deps.segments.scan(from)',
        after: 'of this.#deps.segments.scan(mark === undefined ? from : this.#deps.segments.end)'
      }
    ],
    seed: 1,
    said: /lost \w+, which it had acknowledged/
  },
  {
    name: 'index-ahead-believed',
    is: 'an index that knows more than the log is believed',
    edits: [
      {
        file: RECORD_LOG,
        before: 'if (mark !== undefined && isBehind(this.#deps.segments.end, mark)) {',
        after: 'if (mark === null) {'
      }
    ],
    seed: 16,
    said: /says it holds .* not on its disk/
  },
  {
    name: 'mark-before-records',
    is: 'how far the index goes is written down before what it says of the records',
    edits: [
      {
        file: RECORD_LOG,
        before: 'this.#deps.rows.put(key, row)\n  }',
        after: 'void this.#deps.store.write(new Map([[key, row]])).catch(() => undefined)\n  }'
      }
    ],
    seed: 1,
    said: /lost \w+, which it had acknowledged/
  },
  {
    name: 'batch-torn',
    is: 'a crash between two parts of one change: applied, and not marked as applied',
    edits: [
      {
        file: 'store/overlay.ts',
        before: 'await this.#store.write(batch, options)',
        after: `const rows = [...batch]
      await this.#store.write(new Map(rows.filter(([key]) => !key.startsWith('~'))), options)
      await this.#store.write(new Map(rows.filter(([key]) => key.startsWith('~'))), options)`
      }
    ],
    seed: 3,
    said: /the count of entries differs from the listing/
  },
  {
    name: 'failed-batch-forgotten',
    is: 'a batch of the index that could not be written counts as written',
    edits: [{ file: 'store/overlay.ts', before: 'this.restore()', after: 'this.commit()' }],
    seed: 9,
    said: /the count of entries differs from the listing/
  },
  {
    name: 'epoch-kept-after-restore',
    is: 'a home restored from a backup goes on where the backup ends, with numbers used before',
    edits: [
      {
        file: 'replica/replica.ts',
        before: 'this.#epoch.choose(this.#freshEpoch || doubtful)',
        after: 'this.#epoch.choose(doubtful)'
      }
    ],
    seed: 20,
    said: /is used twice/
  },
  {
    name: 'epoch-kept-after-damage',
    is: 'a log with damaged records of its own goes on with numbers used before',
    edits: [
      {
        file: 'replica/replica.ts',
        before: 'this.#epoch.choose(this.#freshEpoch || doubtful)',
        after: 'this.#epoch.choose(this.#freshEpoch)'
      }
    ],
    seed: 1,
    said: /is used twice/
  },
  {
    name: 'wrong-bytes-served',
    is: 'bytes that rotted on disk are handed to peers unchecked',
    edits: [
      {
        file: RECORD_LOG,
        before: "return sha256(bodyOf(bytes)).toString('hex') === row.id ? bytes : undefined",
        after: 'return bytes'
      },
      {
        file: SEGMENTS,
        before: ' || readHead(frame, 0, at) !== at.length || !payloadIntact(frame)',
        after: ''
      }
    ],
    seed: 1,
    said: /holds \w+ unsigned/
  }
]

/** Planted in the fold: what records mean, and whether they mean the same everywhere. */
import type { PlantedBug } from './bug.js'

const ENTRY = 'catalog/entry.ts'
const VIEW = 'catalog/view.ts'
const TREE = 'catalog/tree.ts'
const CATALOG = 'catalog/catalog.ts'

export const IN_THE_CATALOG: readonly PlantedBug[] = [
  {
    name: 'tie-without-winner',
    is: 'two values of one time: what came first wins, on each node another',
    edits: [
      {
        file: VIEW,
        before: 'return byAuthor || a.seq - b.seq ||',
        after: 'return a.log !== b.log ? Math.abs(0 * byAuthor) : a.seq - b.seq ||'
      }
    ],
    seed: 2,
    said: /has another winner/
  },
  {
    name: 'clock-beats-cause',
    is: 'a write that replaces what it saw loses to it, because its clock is behind',
    edits: [
      {
        file: ENTRY,
        before: 'isNamed(tuple) && isSeen(tuple))',
        after: 'isNamed(tuple) && isSeen(tuple) && (tuple.log === context.log || tuple.time <= context.time))'
      }
    ],
    seed: 1,
    said: /does not hold the values its records give it/
  },
  {
    name: 'tombstone-resurrected',
    is: 'a write that had not seen the deletion makes it unseen, when it comes later',
    edits: [
      {
        file: ENTRY,
        before: 'state.tuples = [...left, ...added]',
        after: "state.tuples = [...left.filter((tuple) => added.length === 0 || tuple.field !== '!'), ...added]"
      }
    ],
    seed: 1,
    said: /has root \w+ for records that made/
  },
  {
    name: 'unseen-deleted',
    is: 'a write deletes what its author had not seen',
    edits: [
      {
        file: ENTRY,
        before: 'isNamed(tuple) && isSeen(tuple))',
        after: 'isNamed(tuple))'
      }
    ],
    seed: 7,
    said: /does not hold the values its records give it/
  },
  {
    name: 'client-id-clash',
    is: 'two authors write to one document under one client id',
    edits: [
      {
        file: 'catalog/ids.ts',
        before: "  bytes.set(author, at)\n  at += author.length\n  at += bytes.write(epoch, at, EPOCH_BYTES, 'hex')\n",
        after: '  bytes.fill(0, at)\n  at += author.length + EPOCH_BYTES\n'
      }
    ],
    seed: 1,
    said: /writes under a client id of another log/
  },
  {
    name: 'validation-skipped',
    is: 'a member can write under the client id and the stamps of others',
    edits: [
      {
        file: ENTRY,
        before: 'if (update.tuples.length > 0) checkOwnStruct(update, own?.clock ?? 0, context)',
        after: 'if (update.tuples.length < 0) checkOwnStruct(update, own?.clock ?? 0, context)'
      }
    ],
    seed: 1,
    said: /is applied where it should be rejected/
  },
  {
    name: 'half-a-record',
    is: 'of a rejected record the ops before the bad one count',
    edits: [
      {
        file: CATALOG,
        before: `for (const op of record.body.ops) {
      this.#stageOp(stage, op, record, knows)
      yield
    }`,
        after: `try {
      for (const op of record.body.ops) this.#stageOp(stage, op, record, knows)
    } catch (error) {
      atOnce(settle(stage))
      this.commit(atOnce(this.ready(stage, record)))
      throw error
    }`
      }
    ],
    seed: 9,
    said: /does not hold the values its records give it/
  },
  {
    name: 'conflicts-dropped',
    is: 'the loser of two concurrent writes disappears without a word',
    edits: [{ file: VIEW, before: 'differs && field !== TOMBSTONE', after: 'differs && field === TOMBSTONE' }],
    seed: 1,
    said: /does not show its conflicts/
  },
  {
    name: 'bodies-missing',
    is: 'an entry names bytes that nobody stored',
    edits: [
      {
        file: CATALOG,
        before: "if (op.k === 'body') stage.put(bodyKey(sha256Hex(op.bytes)), op.bytes)",
        after: "if (op.k === 'body') sha256Hex(op.bytes)"
      }
    ],
    seed: 1,
    said: /the bytes of .* are missing/
  },
  {
    name: 'root-over-unsorted',
    is: 'the hash of an entry follows the order of arrival',
    edits: [{ file: ENTRY, before: 'if (rows.length > 1) rows.sort(Buffer.compare)', after: '' }],
    seed: 1,
    said: /has root \w+ for records that made/
  },
  {
    name: 'cycle-broken-apart',
    is: 'of two moves that make a cycle each node sets another aside',
    edits: [
      {
        file: TREE,
        before: 'return (compareStamps(a, b, this.#stage.authorOf) || (cell.id > best.id ? 1 : -1)) > 0 ? cell : best',
        after: 'return best'
      }
    ],
    seed: 174,
    said: /Expected values to be strictly deep-equal/
  },
  {
    name: 'name-tie',
    is: 'two entries of one name: who came first owns it, on each node another',
    edits: [
      { file: TREE, before: 'new NameRow([...ids, id].toSorted())', after: 'new NameRow([...ids, id])' },
      {
        file: 'catalog/reader.ts',
        before: 'entries.length < 2 ? entries : entries.toSorted((a, b) => this.#earlier(a, b))',
        after: 'entries.length < 0 ? entries.toSorted((a, b) => this.#earlier(a, b)) : entries'
      }
    ],
    seed: 3,
    said: /Expected values to be strictly deep-equal/
  },
  {
    name: 'sums-not-saved',
    is: 'what the root is made of is not written with the entries it is made from',
    edits: [{ file: CATALOG, before: 'this.buckets.save(this.#deps.rows)', after: 'void this.buckets' }],
    seed: 1,
    said: /has root \w+ for records that made/
  }
]

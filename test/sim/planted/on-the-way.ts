/** Planted between peers: what is asked for, what is believed, and what is let in. */
import type { PlantedBug } from './bug.js'

const ENGINE = 'sync/engine.ts'
const INTAKE = 'replica/intake.ts'

export const ON_THE_WAY: readonly PlantedBug[] = [
  {
    name: 'suffix-believed-in-sync',
    is: 'a peer that was known once counts as equal whatever it says since: the missing end is believed to be there',
    edits: [
      {
        file: ENGINE,
        before: 'if (message.digest !== vectorDigest(this.vector()))',
        after: 'if (message.digest !== vectorDigest(this.vector()) && !peer.complete)'
      }
    ],
    seed: 6,
    said: /is elsewhere up to/
  },
  {
    name: 'last-one-not-asked-for',
    is: 'off by one: the newest record of a log is not pulled',
    edits: [{ file: ENGINE, before: '?.seq ?? 0) < from ||', after: '?.seq ?? 0) <= from ||' }],
    seed: 1,
    said: /the members never learned of each other/
  },
  {
    name: 'last-of-a-batch-dropped',
    is: 'the last record of a pulled batch is dropped, and counted as taken',
    edits: [
      {
        file: 'replica/replica.ts',
        before: 'if (run.length > 0) this.#offer(to, run)',
        after: 'if (run.length > 0) this.#offer(to, run.length > 1 ? run.slice(0, -1) : run)'
      }
    ],
    seed: 1,
    said: /not converged/
  },
  {
    name: 'cursor-past-what-was-refused',
    is: 'records that could not be stored are never asked for again',
    edits: [{ file: ENGINE, before: 'want.fetched = want.held\n', after: '' }],
    seed: 1,
    said: /not converged/
  },
  {
    name: 'signature-not-checked',
    is: 'anybody can write in the name of anybody',
    edits: [
      { file: INTAKE, before: "if (!good) return 'reject'", after: 'void good' },
      {
        file: INTAKE,
        before: 'if (!(await this.#signed(run[last]!))) continue',
        after: 'await this.#signed(run[last]!)'
      }
    ],
    seed: 8,
    said: /took in \w+, which its author never wrote/
  },
  {
    name: 'chain-not-checked',
    is: 'a record is taken that does not follow on the one before it',
    edits: [
      {
        file: 'log/record-log.ts',
        before: "if (prev === (head?.id ?? null)) return 'next'",
        after: "if (prev !== '') return 'next'"
      },
      {
        file: INTAKE,
        before: "return record.body.prev === tip.id ? 'next' : 'broken-chain'",
        after: "return 'next'"
      }
    ],
    seed: 1,
    said: /took in \w+, which its author never wrote/
  },
  {
    name: 'dep-ignored',
    is: 'a record is applied before what it builds on',
    edits: [
      {
        file: 'log/record-log.ts',
        before: 'return record.body.deps.find((dep) => (this.#logs.get(dep.log)?.applied ?? 0) < dep.seq)',
        after: 'return record.body.deps.find((dep) => dep.seq < 0)'
      },
      {
        file: 'log/pasts.ts',
        before: 'if (row === undefined || row.id !== dep.id) return undefined',
        after: 'if (row === undefined) continue'
      }
    ],
    seed: 1,
    said: /has root \w+ for records that made/
  },
  {
    name: 'depth-not-checked',
    is: 'a record may claim any depth, and so to come after what it does not know',
    edits: [
      {
        file: 'replica/applier.ts',
        before: 'if (record.body.depth !== depth + 1) return',
        after: 'if (record.body.depth < depth) return'
      }
    ],
    seed: 10,
    said: /is applied where it should be rejected/
  },
  {
    name: 'heads-forgotten-at-restart',
    is: 'after a restart a node no longer says what it has seen: its writes contradict what they replace',
    edits: [{ file: 'replica/replica.ts', before: 'this.#heads.load(this.log)', after: 'void this.#heads' }],
    seed: 5,
    said: /is rejected where it should be applied/
  },
  {
    name: 'folded-before-it-is-said',
    is: 'the index is written between a record being folded and the word that it was: after a crash it is folded twice',
    edits: [
      {
        file: 'replica/applier.ts',
        before: 'log.setApplied(record, past, outcome)',
        after: 'await this.#deps.clock.pause()\n    log.setApplied(record, past, outcome)'
      }
    ],
    from: 4_000_000,
    seed: 4_000_025,
    said: /judges \w+\/\d+ differently/
  }
]

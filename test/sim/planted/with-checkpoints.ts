/** Failures of replacing history. */
import type { PlantedBug } from './bug.js'
import { CHECKPOINTS_FROM } from '../world.js'

export const WITH_CHECKPOINTS: readonly PlantedBug[] = [
  {
    name: 'history-goes-at-once',
    is: 'history goes with the checkpoint that covers it, and what was written at its edge cannot be judged',
    edits: [
      {
        file: 'replica/checkpoint/checkpoints.ts',
        before: 'await this.#offered({ top, floor: before?.top, proofs',
        after: 'await this.#offered({ top, floor: before && top, proofs'
      }
    ],
    from: CHECKPOINTS_FROM,
    seed: CHECKPOINTS_FROM,
    said: /stands elsewhere/
  },
  {
    name: 'members-come-later',
    is: 'records are judged before the members are known that the history before them knew of',
    edits: [
      {
        file: 'replica/checkpoint/base.ts',
        before: 'if ((log.get(of)?.applied ?? 0) < seq) return of',
        after: 'if (seq < 0) return of'
      }
    ],
    from: CHECKPOINTS_FROM,
    seed: CHECKPOINTS_FROM,
    said: /another root without its index/
  },
  {
    name: 'border-forgotten',
    is: 'what was written at the edge of a checkpoint is rejected by those who took the checkpoint over',
    edits: [
      {
        file: 'replica/checkpoint/base.ts',
        before: 'return found?.id === id ? found : undefined',
        after: "return found?.id === '' ? found : undefined"
      }
    ],
    from: CHECKPOINTS_FROM,
    seed: CHECKPOINTS_FROM + 5,
    said: /another root without its index/
  },
  {
    name: 'bodies-let-go',
    is: 'a content goes that a value still names',
    edits: [
      {
        file: 'replica/checkpoint/prune.ts',
        before: 'some.filter((key) => !hashes.has(',
        after: "some.filter((key) => key.endsWith('0') || !hashes.has("
      }
    ],
    from: CHECKPOINTS_FROM,
    seed: CHECKPOINTS_FROM,
    said: /the bytes of body \w+ are missing/
  }
]

/** Failures of changing keys and secrets. */
import { KEYS_FROM } from '../world.js'
import type { PlantedBug } from './bug.js'

export const WITH_KEYS: readonly PlantedBug[] = [
  {
    name: 'used-before-it-is-known',
    is: 'a node goes on under another key before its peers hold the word of it, and nobody knows it',
    edits: [
      {
        file: 'node/key-rotation.ts',
        before:
          'if (peers.every((node) => replica.engine.durable.holds(node, member.log, member.seq))) void switchKey()',
        after: 'void switchKey()'
      }
    ],
    from: KEYS_FROM,
    seed: KEYS_FROM + 4,
    said: /not converged/
  },
  {
    name: 'old-key-kept',
    is: 'whose standing changed after it went on under another key forgets to drop the old one, which a thief may have',
    edits: [
      {
        file: 'identity/members.ts',
        before: 'if (heirOf !== undefined && voidBy === undefined) found.add(heirOf)',
        after: 'if (heirOf !== undefined && this.#fold.get(key)?.heirOf !== undefined) found.add(heirOf)'
      }
    ],
    from: KEYS_FROM,
    seed: KEYS_FROM + 25,
    said: /keys change for ever/
  },
  {
    name: 'every-heir-counts',
    is: 'a member goes on as every key it names: a thief of an old key becomes a member',
    edits: [
      {
        file: 'identity/fold.ts',
        before: 'const rival = this.#rivalry ? this.heirs.rivalOf(admission, next) : undefined',
        after: 'const rival = this.#rivalry && log === hexOf(next) ? this.heirs.rivalOf(admission, next) : undefined'
      }
    ],
    from: KEYS_FROM,
    seed: KEYS_FROM + 18,
    said: /keys change for ever/
  },
  {
    name: 'no-way-back',
    is: 'who was away while secrets and keys changed never learns what they are now',
    edits: [
      {
        file: 'node/returning.ts',
        before: 'if (await this.#go(way)) return',
        after: 'if (way === undefined) return void (await this.#go(way))'
      }
    ],
    from: KEYS_FROM,
    seed: KEYS_FROM + 13,
    said: /not converged/
  },
  {
    name: 'secret-not-handed-on',
    is: 'who has another key since the secret was published is never given it',
    edits: [
      { file: 'node/secrets.ts', before: 'if (lacking.length > 0) return', after: 'if (lacking.length < 0) return' }
    ],
    from: KEYS_FROM,
    seed: KEYS_FROM + 15,
    said: /keys change for ever/
  }
]

import { encodeKnowledge, type Knowledge } from '../../log/index.js'

/** The same bytes on every node: by log id. */
export function sortedKnowledge(knowledge: Knowledge): Uint8Array {
  return encodeKnowledge(new Map([...knowledge].toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

import type { Target } from '../target.js'
import { CHECKPOINTS } from './checkpoints.js'
import { FILES } from './files.js'
import { PEOPLE } from './people.js'
import { REPLICA } from './replica.js'
import { WIRE } from './wire.js'

export const TARGETS: readonly Target[] = [...WIRE, ...REPLICA, ...CHECKPOINTS, ...FILES, ...PEOPLE]

/** How many of `total` inputs each target gets, at least one. */
export function shares(total: number): Map<Target, number> {
  const sum = TARGETS.reduce((all, { share }) => all + share, 0)
  return new Map(TARGETS.map((target) => [target, Math.max(1, Math.round((target.share / sum) * total))]))
}

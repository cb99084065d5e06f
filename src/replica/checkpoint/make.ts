/** Builds what makes checkpoints, where there is something to keep their pieces in. */
import type { ReplicaDeps } from '../options.js'
import { Checkpoints, type CheckpointsDeps } from './checkpoints.js'

export function makeCheckpoints(
  { contents, clock, keys, logger, store }: ReplicaDeps,
  parts: Omit<CheckpointsDeps, 'contents' | 'clock' | 'keys' | 'logger' | 'store'>
): Checkpoints | undefined {
  return contents === undefined ? undefined : new Checkpoints({ ...parts, contents, clock, keys, logger, store })
}

/**
 * Checkpoints made all the time beneath tests that are about something else: `GRAPEVINE_CHECKPOINTS=always`. Each daemon
 * vouches for whatever is proposed at once, and each is asked every second to propose, so that also few records are worth it.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { ControlClient } from '../../src/control/index.js'
import type { CheckpointsView } from '../../src/control/target.js'
import type { Node } from './node.js'
import { until } from './until.js'

/** How often each daemon is asked to propose, ms. */
const EVERY_MS = 1_000
const IN_FORCE = 'A checkpoint is in force.'

export function checkpointsAlways(): boolean {
  return process.env['GRAPEVINE_CHECKPOINTS'] === 'always'
}

/** Flags of `start`; none where a test has its own. */
export function checkpointFlags(given: readonly string[]): string[] {
  if (!checkpointsAlways() || given.some((flag) => flag.startsWith('--checkpoint-'))) return []
  return ['--checkpoint-interval-ms', `${EVERY_MS}`, '--checkpoint-age-ms', '0']
}

/** Asks a daemon again and again until the returned function is called; what it answers does not matter. */
export function proposeAlways(client: Pick<ControlClient, 'compact'>): () => void {
  let timer: NodeJS.Timeout | undefined
  let over = false
  const ask = async (): Promise<void> => {
    await client.compact().catch(() => undefined)
    if (!over) timer = setTimeout(ask, EVERY_MS).unref()
  }
  if (checkpointsAlways()) timer = setTimeout(ask, EVERY_MS).unref()
  return () => {
    over = true
    clearTimeout(timer)
  }
}

/** Has one daemon alone put a checkpoint in force, if they are made always; resolves too when it dies before. */
export async function compactedAlways(node: Node): Promise<void> {
  if (!checkpointsAlways()) return
  const proposed = await node.client.compact().catch(() => undefined)
  if (proposed === undefined) return
  await until('the checkpoint is in force', async () => {
    if (!node.running) return true
    const { inForce } = (await node.client.inspect('checkpoint')) as CheckpointsView
    return inForce?.proposal === proposed.proposal
  })
}

let inForce = 0

/** Adds what a daemon's log tells of checkpoints to the count. */
export function countCheckpoints({ logFile }: Pick<Node, 'logFile'>): void {
  if (existsSync(logFile)) inForce += readFileSync(logFile, 'utf8').split(IN_FORCE).length - 1
}

/** How often a daemon of this process's clusters that are gone put a checkpoint in force. */
export const checkpointsCounted = (): number => inForce

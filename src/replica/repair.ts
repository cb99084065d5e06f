/** Fetches a record again whose stored bytes are damaged, and stores it anew. */
import type { RecordLog } from '../log/index.js'
import type { Logger, NodeId } from '../runtime.js'
import type { SignedRecord } from '../wire/index.js'
import type { Intake } from './intake.js'

export interface RepairDeps {
  readonly log: RecordLog
  readonly intake: Pick<Intake, 'prove'>
  readonly logger: Logger
  peers(): readonly NodeId[]
  ask(node: NodeId): Promise<SignedRecord | undefined>
  /** One thing at a time: see Turns. */
  take(work: () => Promise<void>): Promise<void>
  /** The record is back. */
  goOn(): Promise<void>
}

/** `lost`: no connected node has it. */
export async function repair(log: string, seq: number, deps: RepairDeps): Promise<'sound' | 'healed' | 'lost'> {
  const row = deps.log.row(log, seq)
  if (row === undefined || deps.log.isSound(row)) return 'sound'
  for (const node of deps.peers()) {
    const record = await deps.ask(node).catch(() => undefined)
    if (record?.id !== row.id || (await deps.intake.prove([record])).size === 0) continue
    await deps.take(async () => {
      await deps.log.replace(record)
      await deps.goOn()
    })
    deps.logger.info('A damaged record was fetched again.', { log, seq, from: node })
    return 'healed'
  }
  return 'lost'
}

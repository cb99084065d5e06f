/** Where a record that speaks of members stands. */
import type { RecordLine } from '../../src/control/target.js'
import type { Dep } from '../../src/wire/index.js'
import type { World } from './world.js'

/** What a record of the members space builds on: all that the first honest node holds of it. */
export async function membersPast({ honest: [a] }: World): Promise<{ space: string; deps: Dep[]; depth: number }> {
  const lines: RecordLine[] = []
  for await (const line of a.client.inspectLog({ limit: 1_000 })) if (line.space === 'members') lines.push(line)
  const heads = new Map<string, RecordLine>()
  for (const line of lines) if ((heads.get(line.log)?.seq ?? 0) < line.seq) heads.set(line.log, line)
  return {
    space: 'members',
    deps: [...heads.values()].map(({ log, seq, id }) => ({ log, seq, id })),
    depth: 1 + Math.max(...lines.map(({ depth }) => depth))
  }
}

/** A members space with more records in it than one answer to a newcomer holds. */
import assert from 'node:assert/strict'
import { keyPairOf, MEMBERS_SPACE } from '../../src/identity/index.js'
import type { Home } from '../../src/node/home.js'
import type { Opened } from '../../src/node/open.js'
import { sealRecord, sha256, type Op, type SignedRecord } from '../../src/wire/index.js'

/** A member that is no admin and writes so many records to the members space, which are all rejected. */
export async function flood(
  { replica }: Opened,
  { cluster: { cluster } }: Home,
  count: number,
  padding = 0
): Promise<void> {
  const [role, name] = ['author', 'hostile'] as const
  const keys = keyPairOf(sha256(Buffer.from(`flood ${count}`)))
  const { log, body } = await replica.writeMembers(() => [{ k: 'admit', key: keys.publicKey, role, name }])
  const ops: Op[] = [{ k: 'admit', key: keys.publicKey, role: 'admin', name }]
  const bulk = Array.from({ length: padding }, (): Op => ({ k: 'body', bytes: new Uint8Array(16_000) }))
  const records: SignedRecord[] = []
  const dep = { log, seq: body.seq, id: replica.log.row(log, body.seq)!.id }
  for (let seq = 1; seq <= count; seq++) {
    const place = { cluster, space: MEMBERS_SPACE, author: keys.publicKey, epoch: 'f'.repeat(16) }
    const prev = records.at(-1)?.id ?? null
    const at = { seq, prev, deps: seq === 1 ? [dep] : [], depth: body.depth + seq, time: 1 }
    records.push(sealRecord({ ...place, ...at, ops: [...ops, ...bulk] }, keys.sign))
  }
  await replica.takeIn(
    'hostile',
    records.map(({ bytes }) => bytes)
  )
  assert.equal(replica.log.row(records.at(-1)!.log, count)?.state, 'rejected')
}

/** Proposals as they travel: what was said is read again, and what exceeds a limit is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeProposal,
  decodeProposalAnswer,
  encodeCbor,
  encodeProposal,
  encodeProposalAnswer,
  encodeRequest,
  MAX_BODY_BYTES,
  MAX_INLINE_BODY_BYTES,
  MAX_PATH_BYTES,
  MAX_PROPOSAL_REASON_BYTES,
  MAX_PROPOSED_SEEN,
  type Proposal
} from '../../src/wire/index.js'

const malformed = { code: 'message-malformed' }
const HASH = '0a'.repeat(32)

const removal: Proposal = {
  path: 'a/b',
  change: 'remove',
  entry: '01'.repeat(16),
  seen: ['1:0', '9007199254740991:12']
}
const write: Proposal = {
  path: 'a/b',
  change: 'write',
  seen: [],
  body: { hash: HASH, size: 3 },
  bytes: Buffer.from('abc'),
  exec: true
}

test('a proposal and its answer are read as they were written, and other requests are none', () => {
  assert.deepEqual(decodeProposal(encodeProposal(removal)), removal)
  const read = decodeProposal(encodeProposal(write))!
  assert.deepEqual({ ...read, bytes: Buffer.from(read.bytes!) }, write)
  const { bytes: _, ...large } = write
  assert.deepEqual(decodeProposal(encodeProposal({ ...large, exec: false })), { ...large, exec: false })
  assert.deepEqual(decodeProposal(encodeProposal({ path: 'd', change: 'make', seen: [] })), {
    path: 'd',
    change: 'make',
    seen: []
  })
  assert.equal(decodeProposal(encodeRequest({ t: 'root' })), undefined)
  for (const outcome of ['taken', 'fetching', 'refused'] as const)
    assert.deepEqual(decodeProposalAnswer(encodeProposalAnswer({ outcome, reason: 'so' })), { outcome, reason: 'so' })
  assert.throws(() => decodeProposalAnswer(encodeProposal(removal)), malformed)
})

test('what is at a limit is taken and one past it refused', () => {
  const takes = (proposal: Proposal): void => assert.ok(decodeProposal(encodeProposal(proposal)))
  const refuses = (proposal: Proposal): void => assert.throws(() => decodeProposal(encodeProposal(proposal)), malformed)
  const seen = (count: number): string[] => Array.from({ length: count }, (_, at) => `1:${at}`)
  takes({ ...removal, seen: seen(MAX_PROPOSED_SEEN) })
  refuses({ ...removal, seen: seen(MAX_PROPOSED_SEEN + 1) })
  takes({ ...removal, path: 'x'.repeat(MAX_PATH_BYTES) })
  refuses({ ...removal, path: 'x'.repeat(MAX_PATH_BYTES + 1) })
  takes({ ...write, bytes: new Uint8Array(MAX_INLINE_BODY_BYTES) })
  refuses({ ...write, bytes: new Uint8Array(MAX_INLINE_BODY_BYTES + 1) })
  takes({ ...write, body: { hash: HASH, size: MAX_BODY_BYTES } })
  refuses({ ...write, body: { hash: HASH, size: MAX_BODY_BYTES + 1 } })
  refuses({ ...removal, seen: ['1'] })
  refuses({ ...removal, entry: '01' })
  assert.throws(() => decodeProposal(encodeCbor({ t: 'propose', path: 'x', seen: [], change: 'burn' })), malformed)
  assert.throws(() => decodeProposal(encodeCbor({ t: 'propose', path: 'x', seen: [], change: 'write' })), malformed)
  const answer = (length: number): Uint8Array =>
    encodeProposalAnswer({ outcome: 'refused', reason: 'x'.repeat(length) })
  assert.ok(decodeProposalAnswer(answer(MAX_PROPOSAL_REASON_BYTES)))
  assert.throws(() => decodeProposalAnswer(answer(MAX_PROPOSAL_REASON_BYTES + 1)), malformed)
})

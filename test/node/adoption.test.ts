/** Who takes a proposal over, of two nodes of the lab: both sides and the roles have to agree. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Adoption, MAX_ADOPTED_BYTES } from '../../src/node/adoption.js'
import { nodeIdOf } from '../../src/identity/index.js'
import { DriftRules, type DriftItem } from '../../src/publish/index.js'
import { silentLogger } from '../../src/runtime.js'
import { bodyRefOf, decodeProposalAnswer, encodeProposal, type BodyRef, type Proposal } from '../../src/wire/index.js'
import { Lab, meet, type LabNode } from '../replica/lab.js'

interface Desk {
  readonly node: LabNode
  readonly adoption: Adoption
  readonly blobs: Map<string, Uint8Array>
  readonly wanted: string[]
}

/** Desks of an author with this rule and of a public node, joined by a wire that the test may cut. */
async function desks(...rules: string[]): Promise<{ author: Desk; other: Desk; wire: { cut: boolean } }> {
  const nodes = await new Lab().nodes(2, { roles: ['public'] })
  const wire = { cut: false }
  const made: Desk[] = nodes.map((node, at) => {
    const blobs = new Map<string, Uint8Array>()
    const wanted: string[] = []
    const other = nodes[1 - at]!
    const adoption = new Adoption({
      home: { keys: node.keys },
      replica: node.replica,
      transport: {
        peers: () => [{ node: nodeIdOf(other.keys.publicKey), addresses: [], found: 'given', connectedAt: 0 }],
        request: async (_to, _lane, frame) => {
          if (wire.cut) throw new Error('cut')
          return made[1 - at]!.adoption.answer(nodeIdOf(node.keys.publicKey), frame)!
        }
      },
      rules: new DriftRules(at === 0 ? rules : []),
      fetcher: {
        want: (ref) => {
          wanted.push(ref.hash)
          const bytes = made[1 - at]!.blobs.get(ref.hash)
          if (bytes !== undefined) blobs.set(ref.hash, bytes)
        }
      },
      blobs: {
        put: async (source) => {
          const parts: Uint8Array[] = []
          for await (const part of source as AsyncIterable<Uint8Array>) parts.push(part)
          const bytes = Buffer.concat(parts)
          blobs.set(bodyRefOf(bytes).hash, bytes)
          return bodyRefOf(bytes)
        }
      },
      views: { hasBytes: (ref: BodyRef) => blobs.has(ref.hash) || node.replica.reader.inlineBody(ref) !== undefined },
      clock: { timer: (_ms, fn) => (setImmediate(fn), () => undefined) },
      logger: silentLogger
    })
    return { node, adoption, blobs, wanted }
  })
  return { author: made[0]!, other: made[1]!, wire }
}

function file(path: string, text: string): DriftItem & { now: { kind: 'file' } } {
  const now = { path, kind: 'file' as const, body: bodyRefOf(Buffer.from(text)), exec: false, inode: '1' }
  return { path, kind: 'file', change: 'added', since: 0, policy: 'adopt', now }
}

const reading = (text: string) =>
  async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text)
  }

async function answerTo({ adoption }: Desk, proposal: Proposal): Promise<string> {
  const { outcome, reason } = decodeProposalAnswer(await adoption.answer('somebody', encodeProposal(proposal))!)
  return `${outcome} ${reason}`.trim()
}

test('an author whose rules say so takes a proposal over, small or large, and nobody else does', async () => {
  const { author, other, wire } = await desks('adopt yes/**')
  for (const text of ['small', 'x'.repeat(20_000)]) {
    const path = `yes/${text.length}`
    const view = await other.adoption.propose(file(path, text), reading(text))
    assert.deepEqual(view, {
      path,
      outcome: 'adopted',
      by: author.node.replica.members.list().find(({ role }) => role === 'admin')!.name
    })
    assert.equal(author.node.at(path).meaning.body!.hash, bodyRefOf(Buffer.from(text)).hash)
  }
  assert.equal(author.wanted.length, 1)
  const refused = await other.adoption.propose(file('no/f', 'x'), reading('x'))
  assert.match(refused.reason!, /do not say "adopt"/)
  wire.cut = true
  assert.match((await other.adoption.propose(file('yes/f', 'x'), reading('x'))).reason!, /cut/)
  // a node that may not write takes nothing over, and finds no other that may
  assert.match(await answerTo(other, { path: 'yes/f', change: 'make', seen: [] }), /^refused this node may not write/)
  assert.match((await author.adoption.propose(file('yes/f', 'x'), reading('x'))).reason!, /no node that may write/)
})

test('what the proposer had not seen is not replaced: both stand in conflict', async () => {
  const { author, other } = await desks('adopt **')
  await author.node.put('f', 'first')
  await meet([author.node, other.node])
  const { id, state } = other.node.at('f')
  const row = {
    id,
    path: 'f',
    kind: 'file' as const,
    hash: '',
    size: 0,
    exec: false,
    inode: '1',
    lingering: false,
    seen: state.tuples.map(({ client, clock }) => `${client}:${clock}`)
  }
  await author.node.put('f', 'second')
  const view = await other.adoption.propose({ ...file('f', 'of other'), change: 'changed', row }, reading('of other'))
  assert.equal(view.outcome, 'adopted')
  assert.equal(author.node.at('f').meaning.conflicts.length, 1)
  // and a removal of what somebody else has changed since leaves the change
  await other.adoption.propose(
    { path: 'f', kind: 'file', change: 'removed', since: 0, policy: 'adopt', row },
    reading('')
  )
  assert.equal(author.node.at('f').listed, true)
})

test('a proposal that cannot be written, or is too large, is refused with a reason, and what is no proposal is left to others', async () => {
  const { author, other } = await desks('adopt **')
  assert.match(await answerTo(author, { path: '../f', change: 'make', seen: [] }), /^refused /)
  assert.equal(await answerTo(author, { path: 'gone', change: 'remove', entry: '01'.repeat(16), seen: [] }), 'taken')
  const body = { hash: '0a'.repeat(32), size: MAX_ADOPTED_BYTES }
  assert.equal(await answerTo(author, { path: 'f', change: 'write', seen: [], body }), 'fetching')
  assert.match(
    await answerTo(author, { path: 'f', change: 'write', seen: [], body: { ...body, size: MAX_ADOPTED_BYTES + 1 } }),
    /^refused the content is too large/
  )
  const item = file('f', 'x')
  const large = { ...item, now: { ...item.now, body: { ...body, size: MAX_ADOPTED_BYTES + 1 } } } as DriftItem
  assert.match((await other.adoption.propose(large, reading('x'))).reason!, /are not taken over/)
  assert.equal(author.adoption.answer('somebody', Buffer.from([0xa1, 0x61, 0x74, 0x61, 0x78])), undefined)
})

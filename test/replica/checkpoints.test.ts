/** History that every member has is replaced by a checkpoint, and nothing else changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RECORD_ROWS } from '../../src/log/rows.js'
import { MAX_PROPOSALS } from '../../src/replica/checkpoint/ledger.js'
import { adopt, appliedOf, BaseFile, removalOf, type Contents } from '../../src/replica/index.js'
import { MemoryStore } from '../../src/store/index.js'
import {
  decodeAnswer,
  decodeOffer,
  decodeRecord,
  encodeOffer,
  encodeRequest,
  type BodyRef,
  type Offer
} from '../../src/wire/index.js'
import { checkpoint } from './checkpointing.js'
import { Lab, MemoryContents, meet, type LabNode } from './lab.js'

/** Something happens right after all rows of records were listed, once. */
class Interrupted extends MemoryStore {
  afterRecords: (() => Promise<void>) | undefined
  interrupted = 0

  override async *iterate(range: Parameters<MemoryStore['iterate']>[0]): AsyncGenerator<[string, Uint8Array]> {
    yield* super.iterate(range)
    const next = this.afterRecords
    if (range.gte !== RECORD_ROWS || next === undefined) return
    this.afterRecords = undefined
    this.interrupted += 1
    await next()
  }
}

/** Nodes that know each other and can keep checkpoints. */
async function cluster(count: number): Promise<{ lab: Lab; nodes: LabNode[] }> {
  const lab = new Lab()
  return { lab, nodes: await lab.nodes(count, { each: () => ({ contents: new MemoryContents() }) }) }
}

async function alike(nodes: readonly LabNode[]): Promise<void> {
  const [first, ...others] = nodes as [LabNode, ...LabNode[]]
  const tree = await first.tree()
  for (const other of others) {
    assert.deepEqual(await other.tree(), tree)
    assert.equal(other.replica.catalog.root(), first.replica.catalog.root())
  }
}

/** A node that is admitted by one, takes the checkpoint of that one over, and has nothing else yet. */
async function takesOver(lab: Lab, from: LabNode, nodes: readonly LabNode[], name = 'other'): Promise<LabNode> {
  const node = await offered(lab, from, nodes, name)
  return node.restart({ loseIndex: true })
}

/** The same before its index is made from it; `harm` is what becomes of the offer on the way. */
async function offered(
  lab: Lab,
  from: LabNode,
  nodes: readonly LabNode[],
  name: string,
  harm: (offer: Offer, contents: Contents) => Promise<Offer> = async (offer) => offer
): Promise<LabNode> {
  const contents = new MemoryContents()
  const node = await lab.blank(name, { contents })
  await from.replica.writeMembers(() => [{ k: 'admit', key: node.keys.publicKey, role: 'author', name }])
  await meet(nodes)
  await node.receive(from.records().filter(({ body }) => body.space === 'members'))
  const { offer } = decodeAnswer(await from.replica.requested(encodeRequest({ t: 'checkpoint' })), 'checkpoint-is')
  const theirs = from.options.contents!
  const harmed = await theirs.put(encodeOffer(await harm(decodeOffer(await theirs.get(offer!)), theirs)))
  const taken = await adopt(
    { t: 'checkpoint-is', offer: harmed },
    {
      cluster: lab.cluster,
      members: node.replica.members,
      self: node.keys.publicKey,
      contents,
      clock: node.clock,
      file: new BaseFile(node.disk.mount()),
      fetch: async (refs) => {
        for (const ref of refs) await contents.put(await theirs.get(ref))
      }
    }
  )
  assert.equal(taken, true)
  return node
}

/** Writes over and over, here and there. */
async function overwrite(nodes: readonly LabNode[], times: number, files = 5): Promise<void> {
  for (let at = 0; at < times; at++) {
    await nodes[at % nodes.length]!.put(`d${at % 2}/f${at % files}`, `${at} of ${times}`)
    if (at % 7 === 0) await meet(nodes)
  }
  await meet(nodes)
}

test('what a checkpoint covers goes with the next one, and the catalog stays as it is', async () => {
  const { nodes } = await cluster(3)
  await overwrite(nodes, 30)
  await nodes[1]!.remove('d0/f2')
  await meet(nodes)
  const before = await nodes[0]!.tree()
  const root = nodes[0]!.replica.catalog.root()
  await checkpoint(nodes)
  assert.ok(nodes[0]!.records().length > 30, 'the first one lets nothing go')
  await checkpoint(nodes, nodes[1])
  for (const node of nodes) {
    const catalog = node.records().filter(({ body }) => body.space === 'catalog')
    assert.ok(catalog.length < 15, `${catalog.length} records are left`)
    assert.equal(node.replica.catalog.root(), root)
  }
  assert.deepEqual(await nodes[2]!.tree(), before)
  await overwrite(nodes, 10)
  await alike(nodes)
})

test('small bodies go with the records that carried them, and what is named stays, also what is written meanwhile', async () => {
  const { nodes } = await cluster(1)
  const [a] = nodes as [LabNode]
  const bodyAt = (path: string): BodyRef => a.at(path).meaning.body!
  const here = (...refs: BodyRef[]): boolean[] => refs.map((ref) => a.replica.reader.inlineBody(ref) !== undefined)
  await a.put('f', 'old')
  await a.put('g', 'older')
  await a.put('deleted', 'kept for who brings it back')
  const [old, older, deleted] = [bodyAt('f'), bodyAt('g'), bodyAt('deleted')]
  await a.put('f', 'new')
  await a.put('g', 'new')
  await a.remove('deleted')
  await checkpoint(nodes)
  assert.deepEqual(here(old, older, deleted), [true, true, true], 'their records are there')
  // when everything was looked at, a body is written again that nothing named any more
  const iterate = a.store.iterate.bind(a.store)
  a.store.iterate = async function* (range) {
    if (range.gte.startsWith('b/')) await a.put('again', 'old')
    yield* iterate(range)
  }
  await checkpoint(nodes)
  assert.deepEqual(here(old, older, deleted, bodyAt('f')), [true, false, true, true])
  assert.equal(a.text('again'), 'old')
})

test('what a removal takes back to what a checkpoint has of it has its bytes still', async () => {
  const { nodes } = await cluster(2)
  const [a, evil] = nodes as [LabNode, LabNode]
  await a.put('f', 'good')
  await meet(nodes)
  const { seq = 0 } = (await evil.put('other', 'x')).record ?? {}
  await meet(nodes)
  await checkpoint(nodes)
  await evil.put('f', 'evil')
  await meet(nodes)
  await checkpoint(nodes)
  assert.equal(a.text('f'), 'evil')
  await a.replica.writeMembers(() => [removalOf(a.replica.log, evil.keys.publicKey, seq + 1)])
  assert.equal(a.text('f'), 'good')
})

test('an index is made again from the checkpoint and what came after it', async () => {
  const { nodes } = await cluster(2)
  await overwrite(nodes, 20)
  await checkpoint(nodes)
  await overwrite(nodes, 6)
  await checkpoint(nodes)
  await overwrite(nodes, 4)
  const [a, b] = nodes as [LabNode, LabNode]
  const tree = await a.tree()
  await a.restart({ loseIndex: true })
  assert.deepEqual(await a.tree(), tree)
  assert.equal(a.replica.catalog.root(), b.replica.catalog.root())
  await overwrite([a, b], 6)
  await alike(nodes)
  await checkpoint(nodes, b)
  await alike(nodes)
})

test('the segments of what is gone are gone', async () => {
  const { nodes } = await cluster(1)
  const [a] = nodes as [LabNode]
  for (let at = 0; at < 60; at++) await a.put(`f${at % 3}`, `${at}`.repeat(3_000))
  const before = a.replica.stats().bytes
  await checkpoint(nodes)
  await checkpoint(nodes)
  assert.ok(a.replica.stats().bytes < before / 10, `${a.replica.stats().bytes} of ${before} bytes are left`)
  await a.restart()
  await a.restart({ loseIndex: true })
  assert.equal((await a.tree()).length, 3)
})

test('what is written while older segments are looked through for what has to be kept stays', async () => {
  const lab = new Lab()
  const store = new Interrupted()
  const [a] = (await lab.nodes(1, { each: () => ({ contents: new MemoryContents(), store }) })) as [LabNode]
  for (let round = 0; round < 4; round++) {
    for (let at = 0; at < 20; at++) await a.put(`f${at % 3}`, `${at}`.repeat(3_000))
    store.afterRecords = async () => {
      await a.put(`late ${round}`, 'acknowledged')
    }
    await checkpoint([a])
  }
  // the first has no history to let go
  assert.equal(store.interrupted, 3)
  await a.restart({ loseIndex: true })
  assert.deepEqual(a.report.damaged, [])
  for (let round = 1; round < 4; round++) assert.equal(a.text(`late ${round}`), 'acknowledged')
})

test('a newcomer takes the checkpoint and what came after it', async () => {
  const { lab, nodes } = await cluster(3)
  await overwrite(nodes, 30)
  await checkpoint(nodes)
  await overwrite(nodes, 10)
  await checkpoint(nodes)
  await overwrite(nodes, 10)
  const [founder] = nodes as [LabNode]
  const late = await takesOver(lab, founder, nodes, 'late')
  await late.pull(founder)
  await alike([founder, late])
  await late.put('late', 'says hello')
  await meet([...nodes, late])
  await alike([...nodes, late])
  await checkpoint([...nodes, late])
  await alike([...nodes, late])
})

test('a member that proposes without end keeps no checkpoint from coming into force', async () => {
  const { nodes } = await cluster(2)
  const [a, b] = nodes as [LabNode, LabNode]
  await a.put('f', '1')
  const first = await a.replica.checkpoints!.propose()
  await meet(nodes)
  for (let at = 0; at < MAX_PROPOSALS - 1; at++) await b.replica.checkpoints!.propose()
  await meet(nodes)
  const vouched = a.replica.checkpoints!.due(Number.POSITIVE_INFINITY)!
  assert.equal(vouched.id, first.id)
  await a.replica.checkpoints!.attest(vouched)
  // the limit, and one past it, counting for each author apart
  for (let at = 0; at < MAX_PROPOSALS; at++) await a.replica.checkpoints!.propose()
  await meet(nodes)
  assert.equal(b.replica.checkpoints!.proposals.length, 2 * MAX_PROPOSALS - 1)
  await b.replica.checkpoints!.attest(b.replica.checkpoints!.due(Number.POSITIVE_INFINITY)!)
  await meet(nodes)
  for (const { replica } of nodes) {
    assert.equal(await replica.checkpoints!.advance(), true)
    assert.equal(replica.checkpoints!.inForce?.top.proposal.id, first.id)
  }
  await checkpoint(nodes)
  await alike(nodes)
})

test('a newcomer writes nothing before it has what its issuer had, so that all judge it alike whatever they took over', async () => {
  const { lab, nodes } = await cluster(2)
  const [a] = nodes as [LabNode, LabNode]
  await overwrite(nodes, 10)
  await a.replica.checkpoints!.propose()
  await meet(nodes)
  for (const { replica } of nodes)
    await replica.checkpoints!.attest(replica.checkpoints!.due(Number.POSITIVE_INFINITY)!)
  await meet(nodes)
  // its issuer has vouched: this checkpoint does not wait for the newcomer
  const late = await lab.blank('late', { contents: new MemoryContents() })
  await a.replica.writeMembers(() => [{ k: 'admit', key: late.keys.publicKey, role: 'author', name: 'late' }])
  await late.receive(a.records().filter(({ body }) => body.space === 'members'))
  late.replica.behind.expect(appliedOf(a.replica.log), () => undefined)
  const written = late.put('early', 'says late')
  await late.settled()
  for (const { replica } of nodes) assert.equal(await replica.checkpoints!.advance(), true)
  // the next one is proposed by who has not heard of what the newcomer wrote
  await a.replica.checkpoints!.propose()
  const all = [...nodes, late]
  await meet(all)
  await written
  assert.equal(await late.replica.checkpoints!.advance(), true)
  await meet(all)
  for (const { replica } of all) await replica.checkpoints!.attest(replica.checkpoints!.due(Number.POSITIVE_INFINITY)!)
  await meet(all)
  for (const { replica } of all) {
    assert.equal(await replica.checkpoints!.advance(), true)
    await replica.checkpoints!.prune()
  }
  await alike(all)
  const other = await takesOver(lab, a, all)
  await other.pull(a)
  await alike([...all, other])
  assert.equal(other.text('early'), 'says late')
})

test('a manifest that no other member vouches for is refused before it is fetched', async () => {
  const { lab, nodes } = await cluster(2)
  const [a, b] = nodes as [LabNode, LabNode]
  await overwrite(nodes, 10)
  for (let time = 0; time < 2; time++) await checkpoint(nodes)
  const { offer } = a.replica.checkpoints!.inForce!
  const real = decodeOffer(await a.options.contents!.get(offer!))
  const [proposal, ...words] = real.proofs
  const ofB = words.filter((word) => Buffer.compare(decodeRecord(word).body.author, b.keys.publicKey) === 0)
  for (const proofs of [[proposal!], [proposal!, ...ofB]]) {
    const contents = new MemoryContents()
    const ref = await contents.put(encodeOffer({ ...real, proofs }))
    const fetched: string[] = []
    const taking = adopt(
      { t: 'checkpoint-is', offer: ref },
      {
        cluster: lab.cluster,
        members: b.replica.members,
        self: b.keys.publicKey,
        contents,
        clock: b.clock,
        file: new BaseFile(b.disk.mount()),
        fetch: async (refs) => void fetched.push(...refs.map(({ hash }) => hash))
      }
    )
    await assert.rejects(taking, { code: 'record-refused', message: /the word of no member/ })
    assert.deepEqual(fetched, [ref.hash])
  }
})

test('small bodies that cannot be read, that nothing names, or that are too many are not taken over', async () => {
  const { lab, nodes } = await cluster(2)
  await overwrite(nodes, 10)
  for (let time = 0; time < 2; time++) await checkpoint(nodes)
  const [a] = nodes as [LabNode]
  const pack = (...bodies: string[]): Uint8Array =>
    Buffer.concat(bodies.flatMap((body) => [Uint8Array.of(body.length), Buffer.from(body)]))
  const harms: Array<readonly [said: RegExp, bytes: Uint8Array]> = [
    [/cannot be read/, Uint8Array.of(100, 1, 2)],
    [/no entry names/, pack('x')],
    [/more small bodies/, pack(...Array.from({ length: 50 }, () => '0 of 10'))]
  ]
  for (const [at, [said, bytes]] of harms.entries())
    for (const which of ['packs', 'ownPacks'] as const) {
      const harmed = offered(lab, a, nodes, `newcomer ${at} ${which}`, async (offer, contents) => ({
        ...offer,
        [which]: [await contents.put(bytes)]
      }))
      await assert.rejects(harmed, { code: 'record-refused', message: said }, `${which} ${at}`)
    }
  // without any of them it is taken, and what lacks is fetched like other contents
  await offered(lab, a, nodes, 'frugal', async (offer) => ({ ...offer, packs: [], ownPacks: [] }))
})

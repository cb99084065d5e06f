/** What contents nothing here can come to need any more, and which something does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect, COLLECTED_A_TURN } from '../../src/replica/checkpoint/collect.js'
import { segmentName } from '../../src/log/segment-files.js'
import { sha256Hex } from '../../src/wire/index.js'
import { checkpoint } from './checkpointing.js'
import { Lab, MemoryContents, meet, type LabNode } from './lab.js'

const bodyNamed = (name: string): { hash: string; size: number } => ({
  hash: sha256Hex(Buffer.from(name)),
  size: 20_000
})

/** A file whose body is not in the record that names it. */
async function put(node: LabNode, path: string, version: string): Promise<string> {
  const body = bodyNamed(version)
  await node.edit((edit) => edit.put(path, body))
  return body.hash
}

async function nodes(count: number): Promise<LabNode[]> {
  return new Lab().nodes(count, { each: () => ({ contents: new MemoryContents() }) })
}

/** Of these contents those that are let go, sorted; undefined: nothing was looked at. */
async function letGo(node: LabNode, among: Iterable<string>): Promise<string[] | undefined> {
  const gone: string[] = []
  const looked = await node.replica.checkpoints!.collect(new Set(among), async (hash) => void gone.push(hash))
  return looked ? gone.toSorted() : undefined
}

test('what an entry, the deletion of one or a conflict names stays, and what no record ever named goes', async () => {
  const [a, b] = (await nodes(2)) as [LabNode, LabNode]
  const live = await put(a, 'live', 'live')
  const deleted = await put(a, 'deleted', 'deleted')
  await a.remove('deleted')
  await b.pull(a)
  const [one, other] = [await put(a, 'contested', 'one'), await put(b, 'contested', 'other')]
  await meet([a, b])
  const never = bodyNamed('never').hash
  assert.deepEqual(await letGo(a, [live, deleted, one, other, never]), [never])
})

test('what either branch of a fork names stays', async () => {
  const [a, b] = (await nodes(2)) as [LabNode, LabNode]
  const other = await a.lab.blank('n1')
  await other.pull(a)
  const [one, two] = [await put(b, 'one', 'one'), await put(other, 'two', 'two')]
  await a.pull(b)
  await a.pull(other)
  assert.equal([...a.replica.log.logs()].filter(({ frozen }) => frozen).length, 1)
  const never = bodyNamed('never').hash
  assert.deepEqual(await letGo(a, [one, two, never]), [never])
})

test('an older version goes when the records that named it are gone, and the floor does not have it', async () => {
  const [a] = (await nodes(1)) as [LabNode]
  const versions = [await put(a, 'f', 'v1'), await put(a, 'f', 'v2')]
  assert.deepEqual(await letGo(a, versions), [], 'its records are there')
  await checkpoint([a])
  assert.deepEqual(await letGo(a, versions), [], 'the first checkpoint lets no record go')
  await checkpoint([a])
  assert.deepEqual(await letGo(a, versions), [versions[0]])
  versions.push(await put(a, 'f', 'v3'))
  await checkpoint([a])
  // its record is gone; the floor has it, and a removal may bring it back
  assert.deepEqual(a.replica.log.row(a.replica.heads()[0]!.log, 2), undefined)
  assert.deepEqual(await letGo(a, versions.slice(1)), [])
  await checkpoint([a])
  assert.deepEqual(await letGo(a, versions.slice(1)), [versions[1]])
  await a.restart({ loseIndex: true })
  assert.deepEqual(await letGo(a, versions), versions.slice(0, 2).toSorted())
})

test('what checkpoints consist of stays as long as they are in force, offered or vouched for', async () => {
  const contents = new MemoryContents()
  const [a] = (await new Lab().nodes(1, { each: () => ({ contents }) })) as [LabNode]
  await put(a, 'f', 'v1')
  await checkpoint([a])
  await put(a, 'f', 'v2')
  await checkpoint([a])
  const { log } = a.replica
  const read = log.read.bind(log)
  log.read = () => assert.fail('no record is looked at for that')
  assert.deepEqual(await letGo(a, contents.hashes), [])
  log.read = read
  await put(a, 'f', 'v3')
  await a.replica.checkpoints!.propose()
  const before = new Set(contents.hashes)
  await a.replica.checkpoints!.attest(a.replica.checkpoints!.due(Number.POSITIVE_INFINITY)!)
  assert.ok(contents.hashes.length > before.size)
  assert.deepEqual(await letGo(a, contents.hashes), [], 'it is not in force yet')
  // a checkpoint that came to nothing
  const { hash } = await contents.put(Buffer.from('a piece'))
  assert.deepEqual(await letGo(a, contents.hashes), [hash])
})

test('what is named while it is looked at stays: by a change, and by a record that came last and waits for another', async () => {
  const [a, b, c] = (await nodes(3)) as [LabNode, LabNode, LabNode]
  const [change, late, piece, never] = ['change', 'late', 'piece', 'never'].map((name) => bodyNamed(name).hash) as [
    string,
    string,
    string,
    string
  ]
  await put(b, 'first', 'first')
  await c.pull(b)
  await put(c, 'second', 'late')
  const waiting = c.records().filter(({ body }) => Buffer.compare(body.author, c.keys.publicKey) === 0)
  const { log } = a.replica
  const gone: string[] = []
  let turns = 0
  await collect(
    new Set([change, late, piece, never]),
    async (hash) => void gone.push(hash),
    // vouched for while all was looked at
    () => (turns > 0 ? [piece] : []),
    {
      ...{ log, clock: a.clock, contents: a.options.contents!, base: { floor: undefined } },
      turns: {
        // everything was looked at before the first turn
        take: async (work) => {
          if (turns++ > 0) return work()
          await put(a, 'new', 'change')
          await a.receive(waiting)
          assert.equal(log.waitingCount(), 1)
          return work()
        }
      }
    }
  )
  assert.deepEqual(gone, [never])
  await a.pull(b)
  assert.deepEqual(await a.tree(), ['first=dir', 'new=dir', 'second=dir'])
})

test('nothing goes while a checkpoint is held, nor by what cannot be read, and no more than so many in a turn', async () => {
  const [a] = (await nodes(1)) as [LabNode]
  await put(a, 'f', 'v1')
  const never = bodyNamed('never').hash
  const release = a.replica.checkpoints!.hold()
  assert.equal(await letGo(a, [never]), undefined)
  release()
  assert.deepEqual(await letGo(a, [never]), [never])

  const many = Array.from({ length: COLLECTED_A_TURN + 1 }, (_, at) => bodyNamed(`many ${at}`).hash)
  let gone = 0
  let between = 0
  const done = a.replica.checkpoints!.collect(new Set(many), async () => {
    gone += 1
    if (gone === 1) void a.put('small', 'x').then(() => (between = gone))
  })
  await done
  assert.deepEqual([gone, between], [COLLECTED_A_TURN + 1, COLLECTED_A_TURN])

  // somebody begins to hold what is here in between
  let end = (): void => undefined
  const held: string[] = []
  await a.replica.checkpoints!.collect(new Set(many), async (hash) => {
    held.push(hash)
    end = a.replica.checkpoints!.hold()
  })
  assert.equal(held.length, 1)
  end()

  const { at } = a.replica.log.row(a.replica.heads()[0]!.log, 1)!
  a.disk.damage(segmentName(at.segment), at.offset + 60, Buffer.from('damaged'))
  await assert.rejects(letGo(a, [never]), { code: 'store-damaged' })
})

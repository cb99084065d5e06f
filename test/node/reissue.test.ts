/** What a copy of a home says again under its new key, beside what its original goes on saying. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reissue, rememberForReissue, type Dropped } from '../../src/node/reissue.js'
import { silentLogger } from '../../src/runtime.js'
import { tempHome } from '../control/world.js'
import { forge, Lab, type LabNode } from '../replica/lab.js'

/** Everything the author of `node` wrote, as it is when nobody else's record names any of it. */
function allOf(node: LabNode): Dropped {
  const own = [...node.replica.log.logs()].filter(({ author }) => Buffer.compare(author, node.keys.publicKey) === 0)
  return new Map(own.map(({ log }) => [log, 1]))
}

test('a record that others turn out to hold is not said again, whatever became of its values since', async (t) => {
  const home = await tempHome(t)
  const lab = new Lab()
  const [, original, renamed] = (await lab.nodes(3)) as [LabNode, LabNode, LabNode]
  for (const path of ['changed', 'removed', 'of both', 'of the copy']) await original.put(path, '1')
  const copy = await lab.blank('n1', { seed: 77 })
  await copy.pull(original)
  await original.put('changed', 'by the original')
  await original.remove('removed')
  await original.put('of both', 'by the original')
  await copy.put('of the copy', 'by the copy')
  await copy.put('of both', 'by the copy')
  await copy.put('new', 'by the copy')
  assert.equal(await rememberForReissue(home, copy.replica, copy.keys.publicKey, allOf(copy)), 5)

  await renamed.pull(original)
  renamed.clock.advance(1_000)
  await reissue(home, renamed.replica, silentLogger)
  assert.deepEqual((await renamed.tree()).toSorted(), [
    'changed=by the original',
    'new=by the copy',
    'of both=by the copy!',
    'of the copy=by the copy'
  ])
  assert.deepEqual(renamed.losers('of both'), ['by the original'])
})

test('what nobody else holds is said again, in the order in which it was said', async (t) => {
  const home = await tempHome(t)
  const lab = new Lab()
  const [founder, original, renamed] = (await lab.nodes(3)) as [LabNode, LabNode, LabNode]
  await founder.put('theirs', '1')
  await original.pull(founder)
  await original.put('twice', '1')
  await original.put('twice', '2')
  await original.put('theirs', '2')
  await rememberForReissue(home, original.replica, original.keys.publicKey, allOf(original))
  await renamed.pull(founder)
  await reissue(home, renamed.replica, silentLogger)
  assert.deepEqual((await renamed.tree()).toSorted(), ['theirs=2', 'twice=2'])
})

test('what others hold and can never apply, because it stands on the other branch of a fork, is said again', async (t) => {
  const home = await tempHome(t)
  const lab = new Lab()
  const [here, liar, writer] = (await lab.nodes(3)) as [LabNode, LabNode, LabNode]
  const [left, right] = [1, 2].map((time) => forge(here, liar.keys, { time }))
  await here.receive([left!])
  await writer.receive([right!])
  for (const path of ['first', 'second']) await writer.put(path, 'kept')
  await rememberForReissue(home, writer.replica, writer.keys.publicKey, allOf(writer))
  const [log] = [...allOf(writer).keys()].filter((each) => writer.replica.log.get(each)!.space === 'catalog')
  await here.receive([1, 2].map((seq) => writer.replica.log.read(log!, seq)))
  assert.deepEqual([here.replica.log.row(log!, 2)?.state, await here.tree()], ['waiting', []])
  await reissue(home, here.replica, silentLogger)
  assert.deepEqual((await here.tree()).toSorted(), ['first=kept', 'second=kept'])
})

test('an admission that others turn out to hold is not made again: its member may have been removed since', async (t) => {
  const home = await tempHome(t)
  const lab = new Lab()
  const [original, renamed] = (await lab.nodes(2, { roles: ['admin'] })) as [LabNode, LabNode]
  const admit = (name: string) => ({
    k: 'admit' as const,
    key: lab.keysOf(name).publicKey,
    role: 'author' as const,
    name
  })
  await original.replica.writeMembers(() => [admit('known')])
  await renamed.pull(original)
  await original.replica.writeMembers(() => [admit('unknown')])
  const [log] = [...allOf(original).keys()]
  await rememberForReissue(home, original.replica, original.keys.publicKey, new Map([[log!, 2]]))
  await reissue(home, renamed.replica, silentLogger)
  const said = renamed
    .records()
    .filter(({ body }) => Buffer.compare(body.author, renamed.keys.publicKey) === 0)
    .flatMap(({ body }) => body.ops.map((op) => (op.k === 'admit' ? op.name : op.k)))
  assert.deepEqual(said, ['unknown'])
})

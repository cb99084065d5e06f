/** Attacks by names: what no system can hold counts nowhere, and the rest lies where it says and nowhere else. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../e2e/until.js'
import type { Node } from '../e2e/node.js'
import { edit, file, Forger, newEntry, place, watch, type Forged } from './forger.js'
import { attacks } from './world.js'

const attack = attacks()

const IMPOSSIBLE: ReadonlyArray<readonly [what: string, name: string]> = [
  ['nothing', ''],
  ['the directory itself', '.'],
  ['the directory above', '..'],
  ['a way out', '../../etc'],
  ['an absolute path', '/etc/passwd'],
  ['a path with a dot in it', 'a/./b'],
  ['a path', 'a/b'],
  ['a Windows path', '..\\..\\etc'],
  ['a drive', 'C:\\autoexec.bat'],
  ['NUL', 'safe.txt\0.exe'],
  ['a line break', 'a\nb'],
  ['DEL', 'a\x7f'],
  ['256 bytes', 'x'.repeat(256)],
  ['256 bytes in 86 characters', '€'.repeat(85) + 'x']
]

attack('a name that no system can hold counts nowhere', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const before = listing(world.honest[0])
  for (const [what, name] of IMPOSSIBLE) {
    const told = world.said('A record was rejected.')
    const line = await forger.give(await forger.seal({ ops: file(name) }))
    assert.equal(line.state, 'rejected', what)
    assert.match(line.reason!, /name|canonical/, what)
    assert.ok(world.said('A record was rejected.') > told, `${what} is told of`)
  }
  const line = await forger.give(await forger.seal({ ops: halfACharacter }))
  assert.equal(line.state, 'rejected', 'half a character')
  await unscathed()
  const honest = /^honest/
  for (const node of world.honest)
    assert.deepEqual(
      listing(node).filter((path) => !honest.test(path)),
      before.filter((path) => !honest.test(path))
    )
})

/** A surrogate alone, as UTF-8 must not have it: an encoder would make three honest bytes of it. */
const halfACharacter: Forged['ops'] = (at) =>
  file('a\ufffd')(at).map((op) => {
    if (op.k !== 'edit') return op
    const update = Buffer.from(op.update)
    Buffer.from([0xed, 0xa0, 0x80]).copy(update, update.indexOf('\ufffd'))
    return { ...op, update }
  })

/** Names some system or person takes for something else. Each is a file of its own here, or it is said why not. */
const ODD: readonly string[] = [
  '%2e%2e%2fetc',
  '..%5cetc',
  '%00',
  'CON',
  'aux.xml',
  'NUL.',
  'com1.txt',
  'dot.',
  'space ',
  ' space',
  'GIT~1',
  '.git',
  'a:stream',
  '~',
  '$(reboot)',
  '--help',
  '*',
  'caf\u00e9',
  'cafe\u0301',
  'Twin',
  'twin',
  'zero\u200bwidth',
  'zerowidth',
  '\ufeffbom',
  'x'.repeat(255)
]

attack('odd names are files of their own, twins of one another among them, and stay inside', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const folder = newEntry()
  await forger.give(await forger.seal({ ops: (at) => [edit(at, folder, [place('odd')])] }))
  for (const [at, name] of ODD.entries())
    assert.equal(
      (await forger.give(await forger.seal({ ops: file(name, folder, Buffer.from(`${at}`)) }))).state,
      'applied'
    )
  for (const node of world.honest) {
    await until(`${node.name} has them all`, () => readdirSync(join(node.dir, 'odd')).length === ODD.length)
    for (const [at, name] of ODD.entries())
      await until(`${name} is there`, () => readFileSync(join(node.dir, 'odd', name), 'utf8') === `${at}`)
    // an honest node says by which names others will trip
    assert.equal((await node.client.entry('odd/cafe\u0301')).kind, 'file')
  }
  await unscathed()
  assert.deepEqual(readdirSync(world.cluster.place).toSorted(), world.cluster.nodes.map(({ name }) => name).toSorted())
})

attack(
  'a name that is the file of another’s directory, or a directory of another’s file, destroys neither',
  async (world) => {
    const unscathed = await watch(world)
    const [a] = world.honest
    const put = (path: string): Promise<unknown> => a.client.put(path, one('honest'))
    await put('whole/inner.txt')
    await put('plain')
    const forger = await Forger.at(world, await world.member())
    const folder = newEntry()
    await forger.give(await forger.seal({ ops: file('whole') }))
    await forger.give(await forger.seal({ ops: (at) => [edit(at, folder, [place('plain')])] }))
    await forger.give(await forger.seal({ ops: file('inner.txt', folder) }))
    await unscathed()
    for (const node of world.honest) {
      const files = listing(node)
      const honest = files.filter((path) => read(node, path) === 'honest')
      assert.equal(honest.filter((path) => path.includes('whole') || path.includes('plain')).length, 2, files.join(' '))
    }
  }
)

const SCRATCH = '.grapevine-tmp-0123456789abcdef01234567'

attack('a name of the daemon’s own files is never written, read or removed', async (world) => {
  const unscathed = await watch(world)
  const forger = await Forger.at(world, await world.member())
  const home = newEntry()
  await forger.give(await forger.seal({ ops: (at) => [edit(at, home, [place('.grapevine')])] }))
  await forger.give(await forger.seal({ ops: file('config.json', home) }))
  await forger.give(await forger.seal({ ops: file(SCRATCH) }))
  await unscathed()
  for (const { dir } of world.honest)
    for (const name of ['.grapevine', SCRATCH]) assert.equal(existsSync(join(dir, name)), false, name)
})

async function* one(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

function listing({ dir }: Node): string[] {
  return readdirSync(dir, { recursive: true }).map(String).toSorted()
}

function read({ dir }: Node, path: string): string | undefined {
  try {
    return readFileSync(join(dir, path), 'utf8')
  } catch {
    return undefined
  }
}

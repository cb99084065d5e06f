/** Attacks on the shared directory: by contents whoever reads them might trip over, and by whoever else writes there. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GrapevineError } from '../../src/errors.js'
import { until } from '../e2e/until.js'
import { edit, file, Forger, newEntry, place, watch } from './forger.js'
import { attacks, sized } from './world.js'

const attack = attacks()

const ENTITY = '<!ENTITY a "aaaaaaaaaa">'
const LAUGHS = Array.from({ length: 9 }, (_, at) => {
  const below = `&${String.fromCharCode(97 + at)};`
  return `<!ENTITY ${String.fromCharCode(98 + at)} "${below.repeat(10)}">`
})

/** What a parser might expand, fetch, or fall into; none of it is ours to read. */
const XML: ReadonlyArray<readonly [name: string, text: string]> = [
  ['doctype.xml', '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>'],
  ['file.xml', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
  ['parameter.xml', '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd">%x;]><a/>'],
  ['laughs.xml', `<!DOCTYPE a [${ENTITY}${LAUGHS.join('')}]><a>&j;</a>`],
  ['deep.xml', '<a>'.repeat(4_000)],
  ['deep-and-closed.xml', `${'<a>'.repeat(2_000)}${'</a>'.repeat(2_000)}`],
  ['attributes.xml', `<a ${Array.from({ length: 1_000 }, (_, at) => `b${at}="c"`).join(' ')}/>`],
  ['cdata.xml', `<a><![CDATA[${']]>'.repeat(1_000)}`],
  ['include.xml', '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></a>'],
  ['encoding.xml', '<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-'],
  ['nothing.xml', '\0\0\0\0'],
  ['bom.xml', '\ufeff\ufeff<a/>'],
  ['.grapevineignore.xml', '*']
]

attack(
  'XML with entities, inclusions and endless nesting is carried byte for byte, and nobody reads it',
  async (world) => {
    const unscathed = await watch(world)
    const [a, b] = world.honest
    const forger = await Forger.at(world, await world.member())
    const folder = newEntry()
    await forger.give(await forger.seal({ ops: (at) => [edit(at, folder, [place('xml')])] }))
    for (const [name, text] of XML)
      assert.equal(
        (await forger.give(await forger.seal({ ops: file(name, folder, Buffer.from(text)) }))).state,
        'applied'
      )
    const same = (dir: string, name: string, text: string): boolean =>
      readFileSync(join(dir, 'xml', name)).equals(Buffer.from(text))
    for (const { dir } of world.honest)
      for (const [name, text] of XML) await until(`${name} is there`, () => same(dir, name, text))
    // the same two at once, written by people: both sides are kept as they are
    const [, laughs] = XML.find(([name]) => name === 'laughs.xml')!
    const [, entity] = XML.find(([name]) => name === 'file.xml')!
    writeFileSync(join(a.dir, 'xml', 'both.xml'), laughs)
    writeFileSync(join(b.dir, 'xml', 'both.xml'), entity)
    await world.cluster.equal([...world.honest])
    const kept = await Promise.all(
      (await a.client.entry('xml/both.xml')).tuples
        .filter(({ field }) => field === 'body')
        .map(async ({ value }) => String((value as unknown[])[0]))
    )
    assert.ok(kept.length >= 1)
    assert.ok([laughs, entity].includes(readFileSync(join(a.dir, 'xml', 'both.xml'), 'utf8')))
    await unscathed()
  }
)

attack('a directory that turns into a symlink and back while it is written leads nothing outside', async (world) => {
  const unscathed = await watch(world)
  const [a, b] = world.honest
  const outside = join(world.cluster.place, 'outside')
  const aside = join(world.cluster.place, 'aside')
  world.cluster.onClose(() => rmSync(outside, { recursive: true, force: true }))
  mkdirSync(outside)
  writeFileSync(join(outside, 'passwd'), 'not yours')
  const count = sized(100, 2_000)
  const put = (at: number): Promise<unknown> => a.client.put(`swap/${at % 50}.txt`, one(`${at}`))
  await put(0)
  await until('it is there', () => existsSync(join(b.dir, 'swap/0.txt')))
  const swapper = fork(join(import.meta.dirname, 'swapper.js'), [join(b.dir, 'swap'), outside, aside])
  try {
    await once(swapper, 'message')
    for (let at = 1; at <= count; at++) await put(at)
    // between two renames the directory is not there: who looks just then rightly takes its files for removed
    await a.client.remove('swap/1.txt').catch((error: unknown) => {
      assert.ok(error instanceof GrapevineError && error.code === 'not-found')
    })
    await world.unharmedBut(b)
  } finally {
    swapper.send('enough')
    await once(swapper, 'exit')
  }
  assert.deepEqual(readdirSync(outside), ['passwd'])
  assert.equal(readFileSync(join(outside, 'passwd'), 'utf8'), 'not yours')
  assert.equal(existsSync(join(a.dir, 'swap/passwd')), false, 'nothing of outside was taken in')
  await until('it is a directory again', async () => (await b.status()).problems.length === 0)
  rmSync(outside, { recursive: true })
  await unscathed()
})

async function* one(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

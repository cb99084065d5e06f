/** Attacks on whoever looks: what others called things, and what they say, never drives a terminal. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EventView } from '../../src/control/target.js'
import { nodeIdOf } from '../../src/identity/index.js'
import { until } from '../e2e/until.js'
import { edit, file, Forger, newEntry, watch, type Forged } from './forger.js'
import { membersPast } from './members-past.js'
import { attacks } from './world.js'

const attack = attacks()

/** Clears a screen, sets a title, answers back, hides and turns text round. */
const C1 = 'x\u009b2J\u009d0;pwned\u009c\u202egnp.exe\u200b\u2028\u061c'
const C0 = `\x1b[2J\x1b]0;pwned\x07\r\b\x00${C1}`
/** Anything of it as it is. The line break is ours. */
const DRIVES = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

const COMMANDS: readonly string[][] = [
  ['ls'],
  ['ls', '--json'],
  ['status'],
  ['status', '--json'],
  ['peers'],
  ['peers', '--json'],
  ['inspect', 'log'],
  ['inspect', 'vector'],
  ['inspect', 'gossip'],
  ['inspect', 'heads'],
  ['history', C1],
  ['inspect', 'entry', C1],
  ['inspect', 'doc', C1],
  ['inspect', 'entry', `no-such-${C1}`],
  ['salvage'],
  ['quarantine', 'ls'],
  ['invite', 'ls'],
  ['verify']
]

attack('nothing that a member names or says drives the terminal of whoever looks at it', async (world) => {
  const unscathed = await watch(world)
  const [a, b] = world.honest
  const over = new AbortController()
  const events: EventView[] = []
  const watching = (async () => {
    for await (const event of a.client.events(over.signal)) events.push(event)
  })().catch(() => undefined)
  const admin = await Forger.at(world, await world.member('admin'))
  const called = randomBytes(32)
  const ghost: Forged['ops'] = () => [{ k: 'admit', key: called, role: 'author', name: C0.slice(0, 60), scope: [C1] }]
  assert.equal((await admin.give(await admin.seal({ ...(await membersPast(world)), ops: ghost }))).state, 'applied')
  // a newcomer chooses what it is called
  const { token } = await a.client.invite({ role: 'relay', expiresMs: 3_600_000, uses: 1 })
  const newcomer = world.cluster.fresh('newcomer')
  assert.equal((await newcomer.cli('join', token, '--name', C1, '--no-mdns')).code, 0)
  assert.ok(world.said('A node was admitted.') > 0)
  const entry = newEntry()
  await admin.give(await admin.seal({ ops: file(C1, undefined, Buffer.from(C0), entry) }))
  // two at once are a conflict that is shown
  const { deps, depth } = await world.past()
  for (const value of [1, 2])
    await admin.give(
      await admin.seal({ deps, depth, ops: (at) => [edit(at, entry, [[C0.slice(0, 30), `${C0}${value}`]])] })
    )
  await admin.give(await admin.seal({ ops: () => [{ k: 'unknown', raw: { k: C0, x: C0 } }] }))
  await admin.give(await admin.seal({ ops: file(`..\\${C1}`) }))
  for (const { dir } of world.honest) await until('it is there', () => existsSync(join(dir, C1)))
  await until('it is an event', () => events.some(({ event, path }) => event === 'file-written' && path === C1))

  for (const words of COMMANDS) {
    const { stdout, stderr } = await a.cli(...words)
    for (const text of [stdout, stderr]) assert.doesNotMatch(text, DRIVES, words.slice(0, 2).join(' '))
  }
  const shown = (await a.cli('peers')).stdout
  assert.match(shown, /\\x1b\[2J/, 'what is dangerous is shown as what it is')
  assert.ok((await a.client.peers()).some(({ node }) => node === nodeIdOf(called)))
  for (const node of world.honest)
    assert.doesNotMatch(readFileSync(node.logFile, 'utf8'), DRIVES, `the log of ${node.name}`)

  over.abort()
  await watching
  await b.client.remove(C1)
  await a.client.removeMember({ node: nodeIdOf(called) })
  await unscathed()
})

/** Run inside a network namespace by mdns.test.ts: the discovery part alone, many times, and packets of strangers. */
import { clock, publicKeyOf, random, until } from './nodes.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import makeMdns from 'multicast-dns'
import { nodeIdOf } from '../../src/identity/index.js'
import { MdnsDiscovery } from '../../src/net/mdns.js'
import { silentLogger, type Clock, type NodeId } from '../../src/runtime.js'
import { listening as listener, type Listener } from './listener.js'

const serviceTag = '_grapevine-scene._udp.local'
const secret = randomBytes(32)
const options = { clock, random, logger: silentLogger }

const listening = (
  port: number,
  more: { secrets?: readonly Uint8Array[]; interfaces?: readonly string[] } = {}
): Promise<Listener> => listener({ serviceTag, secrets: [secret], port, ...more })

const all: Listener[] = []
for (let at = 0; at < 20; at++) all.push(await listening(4_000 + at))
// whoever came first has heard all, and the last one those who answered it
await until('the first knows all others', () => all[0]!.found.size === 19)
await until('the last knows all that answered', () => all[19]!.found.size >= 10)
assert.deepEqual([...all[0]!.found.get(all[19]!.node)!].toSorted(), [
  '/ip4/10.9.0.1/tcp/4019',
  '/ip4/10.9.1.1/tcp/4019'
])

// a newcomer asks, and is answered before anybody says anything by himself
const asking = '_grapevine-asking._udp.local'
const asked: NodeId[] = []
const hasty: Clock = { ...clock, timer: (ms, fn) => (ms > 1_000 ? () => undefined : clock.timer(ms, fn)) }
const [silent, newcomer] = ['silent', 'newcomer'].map(
  () =>
    new MdnsDiscovery(
      {
        ...options,
        clock: hasty,
        self: nodeIdOf(publicKeyOf(randomBytes(32))),
        ports: () => [4_470],
        secrets: () => [secret],
        interfaces: () => ['10.9.0.1']
      },
      { serviceTag: asking }
    )
) as [MdnsDiscovery, MdnsDiscovery]
let answered = 0
const ear = makeMdns({ interface: '10.9.0.1', bind: '0.0.0.0' })
let said = false
ear.on('response', ({ answers }) => (said ||= (answers ?? []).some(({ name }) => name === asking)))
await new Promise<void>((resolve) => ear.once('ready', () => resolve()))
await silent.start(() => (answered += 1))
await until('the silent one has said where it is', () => said)
await newcomer.start(({ node }) => asked.push(node))
await until('the newcomer is heard, and answered', () => answered > 0 && asked.length > 0)
await Promise.all([silent.stop(), newcomer.stop()])
ear.destroy()

// on one interface only, and with an older secret beside the new one
const [one, old] = [
  await listening(5_000, { interfaces: ['10.9.1.1'] }),
  await listening(5_001, { secrets: [randomBytes(32), secret] })
]
await until('both are found', () => [one, old].every(({ node }) => all[0]!.found.has(node)))
assert.deepEqual([...all[0]!.found.get(one.node)!], ['/ip4/10.9.1.1/tcp/5000'])

// another cluster under the same name, and packets that anybody can send
const before = all[0]!.found.size
const stranger = await listening(6_000, { secrets: [randomBytes(32)] })
const socket = makeMdns({ interface: '10.9.0.1', bind: '0.0.0.0' })
const say = (data: string[]): Promise<void> =>
  new Promise((resolve) => socket.respond([{ name: serviceTag, type: 'TXT', data }], () => resolve()))
const fake = nodeIdOf(publicKeyOf(randomBytes(32)))
for (const data of [
  [],
  [fake],
  [fake, '4470'],
  [fake, '4470', 'ff'.repeat(16)],
  [fake, '4470', ''],
  [fake, '4470', 'ff'],
  [fake, 'port', 'ff'.repeat(16)],
  [fake, Array.from({ length: 9 }, () => '4470').join(','), 'ff'.repeat(16)],
  ['x'.repeat(200), '4470', 'ff'.repeat(16), '', '', '', ''],
  ...Array.from({ length: 2_000 }, (_, at) => [fake, String(at + 1), 'ab'.repeat(16)])
])
  await say(data)
// who comes after all of these is found: they were all heard, and nothing came of them
const last = await listening(7_000)
await until('the next member is found', () => all[0]!.found.has(last.node))
assert.deepEqual([all[0]!.found.has(stranger.node), all[0]!.found.has(fake)], [false, false])
assert.equal(all[0]!.found.size, before + 1)
assert.equal(stranger.found.size, 0)

socket.destroy()
await Promise.all([...all, one, old, stranger, last].map(({ discovery }) => discovery.stop()))
process.stdout.write('found\n')

/**
 * Discovery by multicast DNS with many on one LAN of two interfaces, the daemon's own part alone and no daemon behind it:
 *
 *   npm run discovery -- [--nodes 300] [--seconds 120] [--fakes 2000]
 *
 * Prints how long it takes until everybody knows enough others to link with, what each sends and what hearing costs at rest,
 * and what each packet of somebody costs who does not know the cluster's secret. Needs root: it makes a network namespace of
 * its own, which ends with it, because multicast leaves a machine.
 */
import '../src/polyfill.js'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import makeMdns from 'multicast-dns'
import { LINKS_DIALLED_UP_TO, MDNS_PACKETS_PER_S } from '../src/net/limits.js'
import { until } from '../test/e2e/until.js'
import { listening, type Listener } from '../test/net/listener.js'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '120' },
    fakes: { type: 'string', default: '2000' }
  }
})
const [nodes, seconds, fakes] = (['nodes', 'seconds', 'fakes'] as const).map((flag) => {
  const number = Number(values[flag])
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${flag} needs a whole number above 0`)
  return number
}) as [number, number, number]

const IN_NAMESPACE = 'GRAPEVINE_DISCOVERY_NAMESPACE'
const INTERFACES = ['10.9.0.1', '10.9.1.1']
/** Two cables, with their far ends up and nobody there; multicast goes out on both. */
const LAN = [
  'ip link set lo up',
  ...INTERFACES.flatMap((address, at) => [
    `ip link add v${at} type veth peer name w${at}`,
    `ip addr add ${address}/24 dev v${at}`,
    `ip link set v${at} up`,
    `ip link set w${at} up`
  ]),
  'ip route add 224.0.0.0/4 dev v0'
].join(' && ')
const SERVICE = '_grapevine-many._udp.local'
/** Fakes sent at once, and then the loop turns: a socket's buffer holds some. */
const FAKES_AT_ONCE = 20
const PATIENCE_MS = 600_000

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const secondsSince = (at: number): string => ((performance.now() - at) / 1_000).toFixed(1)
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
/** Packets both interfaces have sent. */
const sent = (): number =>
  INTERFACES.reduce(
    (sum, _, at) => sum + Number(readFileSync(`/sys/class/net/v${at}/statistics/tx_packets`, 'utf8')),
    0
  )

function inNamespaceOfItsOwn(): boolean {
  if (process.env[IN_NAMESPACE] !== undefined) return false
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  // its own view of /sys too, which shows the interfaces of where it was mounted
  const prepare = `mount -t sysfs sysfs /sys && ${LAN} && exec "$@"`
  const { status } = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', prepare, 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [IN_NAMESPACE]: '1' }
  })
  process.exitCode = status ?? 1
  return true
}

async function measure(): Promise<void> {
  const secret = randomBytes(32)
  const all: Listener[] = []
  const began = performance.now()
  for (let at = 0; at < nodes; at++)
    all.push(await listening({ serviceTag: SERVICE, secrets: [secret], port: 4_000 + at }))
  say(`${nodes} started in ${secondsSince(began)} s, each on ${INTERFACES.length} interfaces`)
  const enough = Math.min(nodes - 1, LINKS_DIALLED_UP_TO)
  await until(`everybody knows ${enough} others`, () => all.every(({ found }) => found.size >= enough), PATIENCE_MS)
  say(`everybody knew ${enough} others after ${secondsSince(began)} s`)

  // who has heard few speaks often: at rest is when all have heard all
  await until('everybody knows all', () => all.every(({ found }) => found.size === nodes - 1), PATIENCE_MS)
  say(`everybody knew all after ${secondsSince(began)} s`)
  const [packets, cpu, at] = [sent(), cpuMs(), performance.now()]
  await pause(seconds * 1_000)
  const elapsed = (performance.now() - at) / 1_000
  const perSecond = (sent() - packets) / elapsed / INTERFACES.length
  const cost = (cpuMs() - cpu) / elapsed / nodes
  say(
    `at rest ${perSecond.toFixed(1)} packets a second on an interface (made for ${MDNS_PACKETS_PER_S}), ` +
      `${cost.toFixed(2)} ms of processor time a second and node`
  )

  const before = cpuMs()
  const socket = makeMdns({ interface: INTERFACES[0]!, bind: '0.0.0.0' })
  const { node } = all[0]!
  for (let fake = 0; fake < fakes; fake++) {
    const data = [node, String((fake % 60_000) + 1), 'ab'.repeat(16)]
    socket.respond([{ name: SERVICE, type: 'TXT', data }])
    if (fake % FAKES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const late = await listening({ serviceTag: SERVICE, secrets: [secret], port: 3_999 })
  await until('who comes after them is found', () => all[0]!.found.has(late.node), PATIENCE_MS)
  // they name a member that is there, on ports it does not have
  const grown = all.filter(({ found }) => (found.get(node)?.size ?? 0) > INTERFACES.length).length
  const eachUs = ((cpuMs() - before) * 1_000) / fakes / nodes
  say(`${fakes} packets without proof: at most ${eachUs.toFixed(0)} us a packet and node; ${grown} nodes believed any`)
  socket.destroy()
  await Promise.all([...all, late].map(({ discovery }) => discovery.stop()))
  if (grown > 0) process.exitCode = 1
}

if (process.getuid?.() !== 0) {
  process.stderr.write('discovery: skipped: a network namespace needs root\n')
} else if (!inNamespaceOfItsOwn()) await measure()

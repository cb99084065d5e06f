/**
 * The attacks of `npm run hostile`, each in a process of its own that `hostile.ts` starts, so that what it costs to make
 * them is neither charged to the honest nor to the measuring. `idle` attacks nobody: it burns as much of a processor as
 * it is told, to show what of an attack's effect is but the processor it uses.
 */
import '../src/polyfill.js'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { encodeGossip, encodeRequest, type RecordBody } from '../src/wire/index.js'
import { until } from '../test/e2e/until.js'
import { Attacker, GOSSIP_PROTOCOL } from '../test/hostile/attacker.js'
import { publishing, silence, subscribing } from '../test/hostile/wire.js'

/** What an attack is told of the world it meets; `home` is that of a member that was admitted and does not run. */
export interface Target {
  readonly attack: string
  readonly home: string
  readonly addresses: readonly string[]
  readonly past: Pick<RecordBody, 'deps' | 'depth'>
  /** Records of the flood. */
  readonly records: number
  /** Part of a processor that `idle` burns, 0 to 1. */
  readonly share: number
}

/** What the process says: that the attack is on, and at its end what it used. */
export type Said = { readonly on: { readonly log: string } } | { readonly over: { readonly share: number } }

/** Records of the flood that are made before it begins. */
const READY_RECORDS = 40_000
/** What waits on an attacker's stream before it sends on, bytes. */
const AHEAD_BYTES = 4_000_000
/** Of each of these, ms, `idle` burns its share. */
const IDLE_PERIOD_MS = 10

const tick = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** An attack that goes on until `over` says so; `on` tells that it has begun, and which log it writes, if it does. */
type Attack = (target: Target, over: () => boolean, on: (log?: string) => void) => Promise<void>

const portOf = (address: string): number => Number(/\/tcp\/(\d+)/.exec(address)![1])

export const ATTACKS: Readonly<Record<string, Attack>> = {
  silence: async ({ addresses }, over, on) => {
    on()
    while (!over()) {
      const port = portOf(addresses[0]!)
      const close = [await silence(port, 500, '127.0.0.2'), await silence(port, 500, '127.0.0.1')]
      for (const end of close) end()
    }
  },
  strangers: async ({ home, addresses }, over, on) => {
    on()
    while (!over()) {
      const outsider = await Attacker.as({ home }, { seed: randomBytes(32), secret: randomBytes(32) })
      for (let at = 0; at < 50 && !over(); at++) await outsider.dial(addresses[0]!).catch(() => undefined)
      await outsider.stop()
    }
  },
  topics: async ({ home, addresses }, over, on) => {
    const attacker = await Attacker.as({ home })
    const topics = Array.from({ length: 5_000 }, (_, at) => `topic ${at}`)
    on()
    while (!over()) {
      const connection = await attacker.dial(addresses[0]!).catch(() => undefined)
      if (connection === undefined) {
        await tick(100)
        continue
      }
      await attacker.greet(connection)
      const stream = await connection.newStream(GOSSIP_PROTOCOL).catch(() => undefined)
      for (let frame = 0; frame < 100 && stream?.status === 'open'; frame++) stream.send(subscribing(topics))
      await until('it is cut off', () => over() || connection.status !== 'open')
    }
    await attacker.stop()
  },
  gossip: async ({ home, addresses, past }, over, on) => {
    const attacker = await Attacker.as({ home })
    const chain = attacker.chain(past, () => [])
    const gossip = encodeGossip({ records: chain.upTo(200).map(({ bytes }) => bytes), heads: [] })
    const { connection } = await attacker.come(addresses[0]!)
    const stream = await connection.newStream(GOSSIP_PROTOCOL)
    on(chain.log)
    while (!over() && stream.status === 'open') {
      const messages = Array.from({ length: 8 }, () => Buffer.concat([randomBytes(8), gossip]))
      stream.send(publishing(attacker.protocols.topic, messages))
      while (!over() && stream.writeBufferLength > AHEAD_BYTES) await tick(5)
      await tick()
    }
    await attacker.stop()
  },
  requests: async ({ home, addresses }, over, on) => {
    const attacker = await Attacker.as({ home })
    const lane = await attacker.come(addresses[0]!)
    const question = encodeRequest({ t: 'root' })
    on()
    while (!over() && lane.stream.status === 'open') {
      const answers = Array.from({ length: 200 }, () => lane.ask(question))
      await Promise.race([Promise.all(answers), tick(1_000)])
    }
    await attacker.stop()
  },
  records: async ({ home, addresses, past, records }, over, on) => {
    const attacker = await Attacker.as({ home })
    const chain = attacker.chain(past, (at) => [{ k: 'body', bytes: Uint8Array.of(at & 255) }])
    // made before, so that making them is not what is measured
    chain.upTo(Math.min(records, READY_RECORDS))
    attacker.answer = (request) => chain.pulled(request, records)
    const lanes = await Promise.all(addresses.map((address) => attacker.come(address)))
    for (const lane of lanes) lane.tell(chain.claim(records))
    on(chain.log)
    while (!over()) await tick(100)
    await attacker.stop()
  },
  idle: async ({ share }, over, on) => {
    on()
    while (!over()) {
      const end = performance.now() + share * IDLE_PERIOD_MS
      while (performance.now() < end);
      await tick((1 - share) * IDLE_PERIOD_MS)
    }
  }
}

/** Runs one attack until the parent says that it is over, or is gone. */
async function run(target: Target): Promise<void> {
  let over = false
  process.on('message', () => (over = true))
  process.on('disconnect', () => process.exit(0))
  const say = (said: Said): void => void process.send!(said)
  let before = process.cpuUsage()
  let began = performance.now()
  await ATTACKS[target.attack]!(
    target,
    () => over,
    (log = '') => {
      before = process.cpuUsage()
      began = performance.now()
      say({ on: { log } })
    }
  )
  const { user, system } = process.cpuUsage(before)
  say({ over: { share: (user + system) / 1_000 / (performance.now() - began) } })
  process.disconnect()
}

const { values } = parseArgs({ options: { target: { type: 'string' } }, strict: false })
if (typeof values.target === 'string') await run(JSON.parse(values.target) as Target)

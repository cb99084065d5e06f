/** Scenarios in which a node, or somebody else, behaves badly. */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Node } from '../test/e2e/node.js'
import { until } from '../test/e2e/until.js'
import type { Scenario } from './network-scenarios.js'
import { connected, PATIENCE_MS, pause, timed, type World } from './network-world.js'

const IDLE_SOCKETS_PER_SECOND = 60
/** Within this a member must get in past them, ms. */
const LET_IN_WITHIN_MS = 5_000

export const idleSockets: Scenario = {
  about: "60 sockets a second are opened at a node and say nothing, from the member's own address and from another",
  async run(world) {
    await world.build({ nodes: 2 })
    await world.meshed()
    const [target, member] = [world.nodes[0]!, world.nodes[1]!]
    const port = Number(/\/tcp\/(\d+)/.exec((await target.status()).listen[0]!)![1])
    const figures: Record<string, number> = {}
    for (const from of ['127.0.0.9', '127.0.0.1']) {
      await member.stop()
      const flood = new IdleFlood(port, from)
      // every slot for connections that are being made is taken by now
      await pause(5_000)
      // on a port of its own: the target must not help by dialling, what counts is who gets in
      await world.start(member, 0)
      const tookMs = await world.linked([member], 1)
      figures[from === '127.0.0.1' ? 'same address ms' : 'other address ms'] = tookMs
      figures[from === '127.0.0.1' ? 'sockets same' : 'sockets other'] = flood.opened
      flood.stop()
      await world.equal()
      assert.ok(tookMs < LET_IN_WITHIN_MS, `a member got in only after ${tookMs} ms past sockets from ${from}`)
    }
    return figures
  }
}

/** Opens sockets at an even pace and never says a word. */
class IdleFlood {
  opened = 0
  readonly #sockets = new Set<Socket>()
  readonly #timer: NodeJS.Timeout

  constructor(port: number, localAddress: string) {
    this.#timer = setInterval(() => {
      const socket = connect({ port, host: '127.0.0.1', localAddress })
      this.opened += 1
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => this.#sockets.delete(socket))
      socket.resume()
    }, 1_000 / IDLE_SOCKETS_PER_SECOND)
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
  }
}

const AWAKE_WITHIN_MS = 10_000

export const sleep: Scenario = {
  about: 'one of four nodes stands still for a while, as a machine that sleeps, and goes on',
  async run(world, { sleepMs }) {
    await world.build({ nodes: 4 })
    await world.meshed()
    const [sleeper, ...others] = [world.nodes[3]!, ...world.nodes.slice(0, 3)]
    const lost = others.map((node) => world.watch(node, 'peer-disconnected'))
    await world.put(sleeper, 'before')
    process.kill(sleeper.pid, 'SIGSTOP')
    const began = performance.now()
    for (let round = 0; round === 0 || performance.now() - began < sleepMs; round++) {
      await world.put(others[round % others.length]!, `meanwhile/${round}`)
      await pause(Math.max(0, Math.min(1_000, sleepMs - (performance.now() - began))))
    }
    await world.equal(others)
    process.kill(sleeper.pid, 'SIGCONT')
    const equalMs = await world.equal()
    const meshedMs = await world.meshed()
    assert.deepEqual(await world.mute(), [])
    assert.ok(equalMs < AWAKE_WITHIN_MS, `equal only ${equalMs} ms after waking`)
    return {
      'asleep s': Math.round(sleepMs / 1_000),
      'equal ms after': equalMs,
      'all links ms': equalMs + meshedMs,
      'links dropped': lost.flat().length
    }
  }
}

const FOUND_WITHIN_MS = 15_000

/** Kills a node as a power cut would, lets the others edit, and starts it where nobody expects it. */
async function move(world: World, moved: Node): Promise<{ linked: number; equal: number }> {
  const others = world.nodes.filter((node) => node !== moved)
  await world.meshed()
  await world.put(moved, 'before')
  await world.equal()
  // addresses that were learned are saved a second later
  await pause(2_000)
  await moved.kill()
  await world.put(others[0]!, 'meanwhile')
  await until('its loss is noticed', async () =>
    (await world.statuses(others)).every((status) => connected(status) === others.length - 1)
  )
  await world.start(moved, 0)
  const linked = await world.meshed()
  const equal = await world.equal()
  assert.ok(linked < FOUND_WITHIN_MS, `found again only after ${linked} ms`)
  return { linked, equal: linked + equal }
}

export const movedNode: Scenario = {
  about: 'a node is killed and comes back on another port',
  async run(world) {
    await world.build({ nodes: 4 })
    const { linked, equal } = await move(world, world.nodes[2]!)
    return { 'all links ms': linked, 'equal ms': equal }
  }
}

export const movedFounder: Scenario = {
  about: 'the one node whose address the others were given is killed and comes back on another port',
  async run(world) {
    await world.build({ nodes: 4 })
    const { linked, equal } = await move(world, world.nodes[0]!)
    return { 'all links ms': linked, 'equal ms': equal }
  }
}

const ALARM_WITHIN_MS = 30_000

export const duplicateIdentity: Scenario = {
  about: 'a home is copied and both copies run: both say so and stop writing, nothing diverges',
  async run(world) {
    await world.build({ nodes: 3 })
    await world.meshed()
    const [first, original, third] = [world.nodes[0]!, world.nodes[1]!, world.nodes[2]!]
    await world.put(original, 'before')
    await world.equal()
    await original.stop()
    const copy = world.fresh('copy')
    cpSync(original.home, copy.home, { recursive: true })
    await world.start(original)
    await world.meshed([first, original, third])
    await world.start(copy)
    const twins = [original, copy]
    const alarmMs = await timed(() =>
      until(
        'both copies are read-only',
        async () =>
          (await world.statuses(twins)).every(
            ({ state, problems }) =>
              state === 'read-only' && problems.some(({ code }) => code === 'identity-duplicated')
          ),
        PATIENCE_MS
      )
    )
    for (const twin of twins) await assert.rejects(world.put(twin, `by/${twin.name}`), { code: 'identity-duplicated' })
    await world.put(first, 'after')
    await world.equal([first, original, third])
    assert.equal((await third.space()).conflicts, 0)
    assert.ok(alarmMs < ALARM_WITHIN_MS, `the alarm came only after ${alarmMs} ms`)
    // one of the two is stopped and the other started anew: it writes again
    await copy.stop()
    await original.restart()
    await world.meshed([first, original, third])
    await world.put(original, 'again')
    await world.equal([first, original, third])
    return { 'alarm ms': alarmMs }
  }
}

/** Changes acknowledged right before the stop, and bytes of each. */
const LAST_CHANGES = 500
const LAST_BYTES = 3_000

export const stopAfterWrites: Scenario = {
  about: 'a node is stopped in the moment its last change was acknowledged',
  async run(world) {
    await world.build({ nodes: 3 })
    await world.meshed()
    const [writer, ...others] = [world.nodes[0]!, ...world.nodes.slice(1)]
    const before = (await others[0]!.space()).entries
    await world.flood(writer, 'last', LAST_CHANGES, LAST_BYTES)
    const made = (await writer.space()).entries - before
    const stopMs = await timed(() => writer.stop())
    await world.equal(others)
    const arrived = (await others[0]!.space()).entries - before
    await world.start(writer)
    const equalMs = await world.equal()
    assert.equal((await others[0]!.space()).entries - before, made)
    assert.equal(arrived, made, `only ${arrived} of ${made} entries arrived before the node was gone`)
    return {
      changes: LAST_CHANGES,
      'entries arrived': `${arrived} of ${made}`,
      'stop ms': stopMs,
      'equal ms after restart': equalMs
    }
  }
}

/** Attacks on the door of running daemons: by strangers, by their number, and by those who were thrown out. */
import '../../src/polyfill.js'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Connection } from '@libp2p/interface'
import { firstFrame } from '../../src/net/join-desk.js'
import { FAILED_HANDSHAKES_BURST, FAILED_HANDSHAKES_PER_S, MAX_PENDING_PER_ADDRESS } from '../../src/net/limits.js'
import { decodeJoinAnswer, decodeToken, encodeJoinRequest } from '../../src/wire/index.js'
import { failsWith } from '../e2e/failure.js'
import { until } from '../e2e/until.js'
import type { Attacker } from './attacker.js'
import { framed, silence, type Passing } from './wire.js'
import { attacks, sized } from './world.js'

const attack = attacks()

attack('thousands of sockets that say nothing keep nobody out, and give way to each other', async (world) => {
  const port = await world.port()
  const [far, near] = [sized(2_000, 8_000), sized(500, 2_000)]
  const close = [await silence(port, far, '127.0.0.2'), await silence(port, near, '127.0.0.1')]
  const { door } = await world.inspect()
  assert.ok(door.displaced >= 0.6 * (far + near), `${door.displaced} gave way`)
  assert.ok(door.pending <= 2 * MAX_PENDING_PER_ADDRESS, `${door.pending} are pending`)
  // a member behind the address they come from finds its way in, and so does a newcomer
  await world.honest[1].restart()
  await world.cluster.connected([...world.honest])
  const late = await world.cluster.join('late')
  await until('the newcomer is connected', async () => (await late.status()).peers.some(({ connected }) => connected))
  await world.unharmed()
  for (const end of close) end()
})

/** One request to join, as the wire has it; resolves with the code of the refusal, or how it ended. */
async function guess(attacker: Attacker, address: string, request: Uint8Array): Promise<string> {
  try {
    const connection = await attacker.dial(address, { force: true })
    const signal = AbortSignal.timeout(10_000)
    const stream = await connection.newStream(attacker.protocols.join, { signal })
    stream.send(framed(request))
    const answer = await firstFrame(stream, 1_000_000, signal)
    try {
      decodeJoinAnswer(answer)
      return 'admitted'
    } catch (error) {
      return (error as { code: string }).code
    } finally {
      await connection.close()
    }
  } catch (error) {
    return (error as Error).name
  }
}

const request = (invite: string, secret: Uint8Array): Uint8Array => encodeJoinRequest({ invite, secret, name: 'guest' })

attack(
  'a key that is no member gets no further than the handshake, with the cluster secret and without',
  async (world) => {
    const address = await world.address()
    const before = await world.inspect()
    const outsider = await world.stranger({ secret: randomBytes(32) })
    await assert.rejects(outsider.dial(address))
    assert.equal((await world.inspect()).gate.refusedInbound, before.gate.refusedInbound, 'it did not get to the gate')
    // while an invitation is open, or was not long ago, a stranger may speak the join protocol and nothing else
    const insider = await world.stranger()
    const connection = await insider.dial(address)
    for (const protocol of [insider.protocols.lanes.sync, insider.protocols.lanes.blob, insider.protocols.ping]) {
      const stream = await connection.newStream(protocol)
      await until(`${protocol} is reset`, () => stream.status !== 'open')
    }
    assert.ok(!(await world.connectedTo(insider)))
  }
)

attack(
  'tokens that are expired, used, taken back, foreign or guessed admit nobody, are counted, and an honest one still does',
  async (world) => {
    const [issuer] = world.honest
    const address = await world.address()
    const make = async (options: { uses: number; expiresMs: number }) => {
      const { token } = await issuer.client.invite({ role: 'author', ...options })
      return decodeToken(token)
    }
    const used = await make({ uses: 1, expiresMs: 3_600_000 })
    const expired = await make({ uses: 1, expiresMs: 1_000 })
    const gone = await make({ uses: 1, expiresMs: 3_600_000 })
    const open = await make({ uses: 1, expiresMs: 3_600_000 })
    await issuer.client.revokeInvitation(gone.invite)
    const stranger = (): Promise<Attacker> => world.stranger()
    assert.equal(await guess(await stranger(), address, request(used.invite, used.secret)), 'admitted')
    await until('it has expired', () => Date.now() > expired.expires)
    for (const [token, code] of [
      [used, 'token-used'],
      [expired, 'token-expired'],
      [gone, 'token-revoked'],
      [{ invite: open.invite, secret: randomBytes(16) }, 'token-unknown'],
      [{ invite: randomBytes(16).toString('hex'), secret: open.secret }, 'token-unknown']
    ] as const)
      assert.equal(await guess(await stranger(), address, request(token.invite, token.secret)), code)
    // at another node it is nothing: nobody is let in there at all
    const lost = await stranger()
    const answer = await guess(lost, await world.address(world.honest[1]), request(open.invite, open.secret))
    assert.notEqual(answer, 'admitted')
    assert.ok((await world.inspect(world.honest[1])).gate.refusedInbound > 0)
    const { token } = await issuer.client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
    const other = world.cluster.fresh('other')
    failsWith(await other.cli('join', damaged(token), '--no-mdns'), 'token-malformed')
  }
)

const damaged = (token: string): string => token.slice(0, -4) + (token.endsWith('AAAA') ? 'BBBB' : 'AAAA')

attack(
  'a flood of guessed tokens is not even looked at beyond a rate, and a newcomer with a real one gets in meanwhile',
  async (world) => {
    const [issuer] = world.honest
    const relay = await world.relay()
    const address = `${relay.address}/p2p/${issuer.id}`
    await issuer.client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
    const strangers = await Promise.all([1, 2, 3, 4].map(() => world.stranger()))
    const guesses = sized(500, 100_000)
    let made = 0
    const before = (await world.inspect()).joins.judged
    const began = performance.now()
    const flood = strangers.map(async (stranger) => {
      while (made++ < guesses) await guess(stranger, address, request(randomBytes(16).toString('hex'), randomBytes(16)))
    })
    await until('the flood is on', () => made > 20)
    await world.cluster.join('newcomer')
    await world.unharmed()
    await Promise.all(flood)
    const { door, joins } = await world.inspect()
    assert.ok(door.refusedAddress > 0, 'the address was refused')
    const seconds = (performance.now() - began) / 1_000
    const most = FAILED_HANDSHAKES_BURST + FAILED_HANDSHAKES_PER_S * seconds + 4
    assert.ok(joins.judged - before <= most, `${joins.judged - before} of ${made} were judged in ${seconds} s`)
    const lines = world.said('An invitation was refused')
    assert.ok(lines >= 1 && lines <= joins.judged / 2, `${lines} lines tell of it`)
  }
)

attack('many requests to join on one connection are one request', async (world) => {
  await world.honest[0].client.invite({ role: 'author', expiresMs: 3_600_000, uses: 1 })
  const stranger = await world.stranger()
  const before = (await world.inspect()).joins
  const connection = await stranger.dial(await world.address())
  const streams = await Promise.allSettled(
    Array.from({ length: 20 }, async () => {
      const stream = await connection.newStream(stranger.protocols.join)
      stream.send(framed(request(randomBytes(16).toString('hex'), randomBytes(16))))
      return firstFrame(stream, 1_000_000, AbortSignal.timeout(10_000))
    })
  )
  assert.ok(streams.filter(({ status }) => status === 'fulfilled').length <= 1)
  assert.equal((await world.inspect()).joins.judged, before.judged + 1)
})

attack(
  'a member that was removed stays out, whether it comes itself or through a relay, and its connections end',
  async (world) => {
    const [issuer] = world.honest
    const attacker = await world.member()
    const lane = await attacker.come(await world.address())
    await until('it is up', () => world.connectedTo(attacker))
    await issuer.client.removeMember({ node: attacker.node })
    await until('it is cut off', () => lane.connection.status !== 'open')
    assert.ok(world.said('A node was removed from the cluster') > 0)
    for (const node of world.honest) {
      const relay = await world.relay(node)
      for (const address of [await world.address(node), `${relay.address}/p2p/${node.id}`]) {
        const connection = await attacker.dial(address, { force: true }).catch(() => undefined)
        // who has an invitation open lets it ask for a new one, as any stranger, and for nothing else
        if (connection !== undefined) await speechless(connection, attacker.protocols.lanes.sync)
        assert.ok(!(await world.connectedTo(attacker, node)))
      }
      if (node !== issuer) assert.ok((await world.inspect(node)).gate.refusedInbound > 0)
    }
  }
)

async function speechless(connection: Connection, protocol: string): Promise<void> {
  const stream = await connection.newStream(protocol).catch(() => undefined)
  await until(`${protocol} is refused`, () => stream?.status !== 'open')
  await connection.close()
}

attack('one who alters, cuts or holds back what passes ends connections and changes nothing', async (world) => {
  const [a] = world.honest
  const relay = await world.relay(a)
  const attacker = await world.member()
  const through = `${relay.address}/p2p/${a.id}`
  for (const [how, passing] of [
    ['alters', (bytes) => [flipped(bytes)]],
    ['cuts', (bytes) => [bytes.subarray(0, bytes.length - 1)]],
    ['reorders', (bytes) => (bytes.length > 40 ? [bytes.subarray(20), bytes.subarray(0, 20)] : [bytes])]
  ] as ReadonlyArray<readonly [string, Passing]>) {
    relay.passing = (bytes) => [bytes]
    const lane = await attacker.come(through)
    await until('it is up', () => world.connectedTo(attacker))
    relay.passing = passing
    lane.tell({ t: 'ask-vector' })
    await until(`who is behind one that ${how} is cut off`, () => lane.connection.status !== 'open')
    await until('it is down', async () => !(await world.connectedTo(attacker)))
  }
  relay.passing = () => []
  await assert.rejects(attacker.dial(through), 'what is held back is given up')
  await world.unharmed()
})

const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  copy[copy.length - 1]! ^= 1
  return copy
}

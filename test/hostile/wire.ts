/** Bytes as only an attacker writes them: gossip RPCs, length prefixes, sockets that come from another address. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { encode } from 'it-length-prefixed'

/** A varint as protocol buffers have it; also of numbers that no length may be. */
export function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
    const low = Number(rest & 127n)
    if (rest < 128n) return Uint8Array.from([...bytes, low])
    bytes.push(low | 128)
  }
}

/** Length prefixes that announce what must never be believed. */
export const BAD_PREFIXES: ReadonlyArray<readonly [name: string, bytes: Uint8Array]> = [
  ['2^31', varint(2n ** 31n)],
  ['2^53', varint(2n ** 53n)],
  ['-1', varint(-1n)],
  ['-2^31', varint(-(2n ** 31n))],
  ['endless', new Uint8Array(32).fill(0xff)]
]

function field(number: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(bytes.length)), bytes])
}

/** A gossip RPC that subscribes to these topics, as its stream carries it. */
export function subscribing(topics: readonly string[]): Uint8Array {
  const options = topics.map((topic) => Buffer.concat([Uint8Array.of(8, 1), field(2, Buffer.from(topic))]))
  return framed(Buffer.concat(options.map((option) => field(1, option))))
}

/** A gossip RPC with one message each; 8 bytes that make it unique go before it. */
export function publishing(topic: string, messages: readonly Uint8Array[]): Uint8Array {
  const rows = messages.map((message) => Buffer.concat([field(2, message), field(4, Buffer.from(topic))]))
  return framed(Buffer.concat(rows.map((row) => field(2, row))))
}

/** A gossip RPC with an IWANT of so many made-up ids. */
export function wanting(ids: number): Uint8Array {
  const iwant = Buffer.concat(Array.from({ length: ids }, (_, at) => field(1, Buffer.from(String(at).padStart(20)))))
  return framed(field(3, field(2, iwant)))
}

export function framed(bytes: Uint8Array): Uint8Array {
  return encode.single(bytes, { maxDataLength: 2 ** 26 }).subarray()
}

/** What a relay does with a piece of what passes: gives what goes on, in order. */
export type Passing = (bytes: Buffer, to: 'victim' | 'caller') => readonly Buffer[]

/** Passes connections on to a port of this machine, from an address of its own. */
export class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  passing: Passing = (bytes) => [bytes]

  private constructor(port: number, from: string) {
    this.#server = createServer((caller) => {
      const victim = connect({ port, host: '127.0.0.1', localAddress: from })
      for (const [socket, other, to] of [
        [caller, victim, 'victim'],
        [victim, caller, 'caller']
      ] as const) {
        this.#sockets.add(socket)
        socket.on('data', (bytes: Buffer) => {
          for (const piece of this.passing(bytes, to)) other.write(piece)
        })
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
      }
    })
  }

  static async to(port: number, from = '127.0.0.2'): Promise<Relay> {
    const relay = new Relay(port, from)
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  /** A multiaddr without a node. */
  get address(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as { port: number }).port}`
  }

  get open(): number {
    return this.#sockets.size
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Connections that never say anything; resolves with what closes them all when so many have been made. */
export async function silence(port: number, count: number, from: string): Promise<() => void> {
  const sockets = new Set<Socket>()
  for (let made = 0; made < count; made++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined)
  }
  return () => {
    for (const socket of sockets) socket.destroy()
  }
}

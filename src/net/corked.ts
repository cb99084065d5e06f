/**
 * One write to the socket for one message. The encryption hands over lengths and cipher texts as pieces, and the TCP
 * transport writes each piece by itself: a system call for each and, for small messages, a packet. It also stops after the
 * piece that fills the socket's queue and goes on when it is empty, although what is left waits in memory either way.
 */
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import { LARGE_BYTES, release } from '../buffers.js'
import { thrifty } from './noise-frames.js'

/** What the stream under the encryption is in truth, when it is one of the TCP transport. */
interface Insides {
  readonly socket?: Writing & { cork(): void; uncork(): void }
  sendData?: (data: Pieces) => unknown
}

interface Writing {
  /** False when its queue is full. */
  write(piece: Uint8Array, done?: (error?: Error | null) => void): boolean
}

type Pieces = Iterable<Uint8Array> & { readonly byteLength: number }

/** The same encryption; streams it is put on gather what belongs together. */
export function corked<Components>(make: (components: Components) => ConnectionEncrypter): typeof make {
  return (components) => {
    const encrypter = make(components)
    const { secureInbound, secureOutbound } = encrypter
    encrypter.secureInbound = (wire, options) => secured(secureInbound.call(encrypter, cork(wire), options))
    encrypter.secureOutbound = (wire, options) => secured(secureOutbound.call(encrypter, cork(wire), options))
    return encrypter
  }
}

async function secured<Secured extends { readonly connection: MessageStream }>(
  handshake: Promise<Secured>
): Promise<Secured> {
  const done = await handshake
  thrifty(done.connection)
  return done
}

function cork<Wire extends MessageStream>(wire: Wire): Wire {
  const insides = wire as unknown as Insides
  const { socket, sendData } = insides
  if (socket === undefined || sendData === undefined) return wire
  insides.sendData = (data) => {
    socket.cork()
    try {
      return { sentBytes: data.byteLength, canSendMore: writeAll(socket, data) }
    } finally {
      socket.uncork()
    }
  }
  return wire
}

/** What is encrypted is nobody's but the socket's, and is freed when it is written. */
function writeAll(socket: Writing, pieces: Pieces): boolean {
  let hasRoom = true
  for (const piece of pieces) {
    hasRoom =
      piece.byteLength < LARGE_BYTES ? socket.write(piece) : socket.write(piece, (error) => error ?? release(piece))
  }
  return hasRoom
}

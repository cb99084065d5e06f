/**
 * One write to the socket for one message. The encryption hands over a length of two bytes and the cipher text as two
 * pieces, and the TCP transport writes each piece by itself: two system calls and, for small messages, two packets.
 */
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'

/** What the stream under the encryption is in truth, when it is one of the TCP transport. */
interface Insides {
  readonly socket?: { cork(): void; uncork(): void }
  sendData?: (data: unknown) => unknown
}

/** The same encryption; streams it is put on gather what belongs together. */
export function corked<Components>(make: (components: Components) => ConnectionEncrypter): typeof make {
  return (components) => {
    const encrypter = make(components)
    const { secureInbound, secureOutbound } = encrypter
    encrypter.secureInbound = (wire, options) => secureInbound.call(encrypter, cork(wire), options)
    encrypter.secureOutbound = (wire, options) => secureOutbound.call(encrypter, cork(wire), options)
    return encrypter
  }
}

function cork<Wire extends MessageStream>(wire: Wire): Wire {
  const insides = wire as unknown as Insides
  const { socket, sendData } = insides
  if (socket === undefined || sendData === undefined) return wire
  insides.sendData = (data) => {
    socket.cork()
    try {
      return sendData.call(wire, data)
    } finally {
      socket.uncork()
    }
  }
  return wire
}

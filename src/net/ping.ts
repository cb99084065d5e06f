import type { Stream } from '@libp2p/interface'
import { whyOf } from './errors.js'
import { DIAL_TIMEOUT_MS } from './limits.js'
import { readable } from './readable.js'

/** The connection monitor's ping: its bytes come and go back, and the round trip is measured at the other end. */
export async function echo(stream: Stream): Promise<void> {
  try {
    for await (const chunk of readable(stream)) stream.send(chunk)
    await stream.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) })
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(whyOf(error)))
  }
}

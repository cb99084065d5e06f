import type { Stream } from '@libp2p/interface'
import { whyOf } from './errors.js'
import { DIAL_TIMEOUT_MS } from './limits.js'
import { readable } from './readable.js'

/** The probe's other end: bytes come and go back. That the stream could be opened at all is answer enough for us. */
export async function echo(stream: Stream): Promise<void> {
  try {
    for await (const chunk of readable(stream)) stream.send(chunk)
    await stream.close({ signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) })
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(whyOf(error)))
  }
}

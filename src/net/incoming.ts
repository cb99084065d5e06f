/**
 * Our end of a stream a peer opened: its notifications and requests come in, our answers go out. The stream is read no
 * faster than the handlers take what it carries, and that slows the peer down.
 */
import type { Stream } from '@libp2p/interface'
import { GrapevineError } from '../errors.js'
import type { Lane, Logger, NodeId } from '../runtime.js'
import { malformed, MAX_FRAME_BYTES } from '../wire/index.js'
import { brokenFrame, whyOf } from './errors.js'
import { framed, framesOf, FrameType, type Frame } from './frames.js'
import { FRAME_HEADER_BYTES, SERVED_AT_ONCE } from './limits.js'
import type { PeerShare } from './peer-share.js'
import { FrameWriter } from './writer.js'

export interface IncomingHandler {
  /** Answers the peer's hello; what it throws is the refusal. */
  hello(payload: Uint8Array): Promise<Uint8Array>
  /** Resolves when the peer may be served; rejects when it never will be. */
  admitted(): Promise<void>
  notified(payload: Uint8Array): void | Promise<void>
  requested(payload: Uint8Array): Promise<Uint8Array>
  addresses(payload: Uint8Array): void
  duplicate(): void
  enough(): void
  circle(payload: Uint8Array): void
}

export class Incoming {
  readonly #handler: IncomingHandler
  readonly #stream: Stream
  readonly #writer: FrameWriter
  readonly #share: PeerShare
  readonly #facts: { node: NodeId; lane: Lane }
  readonly #logger: Logger
  #serving = 0
  #slotFree: (() => void) | undefined

  constructor(
    handler: IncomingHandler,
    logger: Logger,
    share: PeerShare,
    facts: { node: NodeId; lane: Lane },
    stream: Stream
  ) {
    this.#handler = handler
    this.#share = share
    this.#logger = logger
    this.#facts = facts
    this.#stream = stream
    this.#writer = new FrameWriter(stream)
    // Whoever waits for a free slot must learn that there is nothing left to read.
    stream.addEventListener('close', () => this.#slotFree?.())
  }

  get serving(): number {
    return this.#serving
  }

  get queuedBytes(): number {
    return this.#writer.queuedBytes
  }

  close(why: string): void {
    this.#stream.abort(new Error(why))
  }

  /** Serves until the stream ends. Resolves with the error that broke it, if the peer is to blame. */
  async serve(): Promise<GrapevineError | undefined> {
    let broken: GrapevineError | undefined
    try {
      if (this.#facts.lane === 'blob') await this.#handler.admitted()
      for await (const frame of framesOf(this.#stream)) {
        this.#share.take('bytes', frame.payload.length + FRAME_HEADER_BYTES)
        await this.#share.turn()
        await this.#take(frame)
      }
    } catch (error) {
      if (this.#stream.status === 'open') broken = brokenFrame(error)
    }
    if (this.#stream.status === 'open') this.#stream.abort(broken ?? new Error('the peer closed the lane'))
    return broken
  }

  async #take(frame: Frame): Promise<void> {
    if (frame.type === FrameType.hello) {
      if (this.#facts.lane !== 'sync') throw malformed('is a hello on a lane that has none')
      await this.#answer(frame.id, () => this.#handler.hello(frame.payload))
      return
    }
    await this.#handler.admitted()
    switch (frame.type) {
      case FrameType.notify:
        return await this.#notified(frame.payload)
      case FrameType.request:
        return await this.#requested(frame)
      case FrameType.addresses:
        return this.#handler.addresses(frame.payload)
      case FrameType.duplicate:
        return this.#handler.duplicate()
      case FrameType.enough:
        return this.#handler.enough()
      case FrameType.circle:
        return this.#handler.circle(frame.payload)
      default:
        // A kind of a later version: one-way ones may be missed, the others must not wait in vain.
        if (frame.id !== 0) await this.#refuse(frame.id, 'unknown-frame')
    }
  }

  async #notified(payload: Uint8Array): Promise<void> {
    try {
      await this.#share.working(() => this.#handler.notified(payload))
    } catch (error) {
      this.#logger.warn('A notification could not be handled', { ...this.#facts, reason: whyOf(error) })
    }
  }

  /** Resolves when there is room to read on, which is before the answer is out. */
  async #requested(frame: Frame): Promise<void> {
    this.#share.take(this.#facts.lane === 'blob' ? 'parts' : 'requests', 1)
    const open = (): boolean => this.#stream.status === 'open'
    const queued = (): number => this.queuedBytes
    await this.#share.room({ open, queued })
    this.#serving += 1
    const handle = (): Promise<Uint8Array> => this.#share.working(() => this.#handler.requested(frame.payload))
    void this.#answer(frame.id, handle).finally(() => {
      this.#serving -= 1
      this.#slotFree?.()
    })
    while (this.#serving >= SERVED_AT_ONCE && open())
      await this.#share.unread((wake) => (this.#slotFree = wake), queued)
  }

  /** Never rejects: what goes wrong becomes a refusal, and a closed stream needs no answer. */
  async #answer(id: number, handle: () => Promise<Uint8Array>): Promise<void> {
    let answer: Uint8Array
    try {
      answer = await handle()
    } catch (error) {
      const code = error instanceof GrapevineError ? error.code : 'internal'
      this.#logger.debug('Refused a request', { ...this.#facts, code, reason: whyOf(error) })
      return await this.#refuse(id, code)
    }
    if (answer.length > MAX_FRAME_BYTES) return await this.#refuse(id, 'too-large')
    const sent = this.#share.holding(answer.length)
    await this.#write(() => framed(FrameType.answer, id, answer))
    sent()
  }

  async #refuse(id: number, code: string): Promise<void> {
    await this.#write(() => framed(FrameType.refusal, id, Buffer.from(code, 'latin1')))
  }

  async #write(frame: () => ReturnType<typeof framed>): Promise<void> {
    await this.#writer.write(frame).catch((error: unknown) => {
      this.#logger.debug('An answer could not be sent', { ...this.#facts, reason: whyOf(error) })
    })
  }
}

/**
 * Takes a checkpoint over when peers have it in place of records that this node lacks: a newcomer, or a node that was away
 * for longer than members are waited for. What such a node wrote and nobody else has it writes again.
 */
import { join } from 'node:path'
import type { BlobFetcher, BlobStore } from '../blobs/index.js'
import { reasonOf } from '../errors.js'
import { adopt, BaseFile, type Replica } from '../replica/index.js'
import { NodeDisk } from '../runtime-node.js'
import type { Clock, Logger, NodeId, Transport } from '../runtime.js'
import { decodeAnswer, encodeRequest } from '../wire/index.js'
import { contentsIn, fetchAll } from './contents.js'
import { HOME_DIRS, type Home } from './home.js'
import { markNewLife } from './life.js'
import { rememberForReissue } from './reissue.js'

export interface AdoptingDeps {
  readonly home: Home
  readonly replica: Replica
  readonly blobs: BlobStore
  readonly fetcher: BlobFetcher
  readonly transport: Pick<Transport, 'request'>
  readonly clock: Clock
  readonly logger: Logger
  ending(): boolean
  /** A checkpoint is here: the index is to be made anew from it. */
  taken(): void
}

const ASK_TIMEOUT_MS = 15_000
/** After one that could not be taken over, ms. */
const REST_MS = 5_000

export class Adopting {
  readonly #deps: AdoptingDeps
  #working = false
  #restsUntil = 0

  constructor(deps: AdoptingDeps) {
    this.#deps = deps
  }

  /** A peer has a checkpoint in place of what this node asked it for. */
  needed(from: NodeId): void {
    const { clock, logger } = this.#deps
    if (this.#working || clock.monotonic() < this.#restsUntil) return
    this.#working = true
    // pieces of it that are here may be named by nothing else
    const release = this.#deps.replica.checkpoints?.hold()
    this.#take(from)
      .catch((error: unknown) => {
        this.#restsUntil = clock.monotonic() + REST_MS
        logger.warn('A checkpoint could not be taken over; it is tried again.', { from, reason: reasonOf(error) })
      })
      .finally(() => {
        release?.()
        this.#working = false
      })
  }

  async #take(from: NodeId): Promise<void> {
    const { home, replica, blobs, fetcher, transport, clock, logger, ending, taken } = this.#deps
    logger.info('Older records are in a checkpoint, which is fetched.', { from })
    const answer = await transport.request(from, 'sync', encodeRequest({ t: 'checkpoint' }), {
      timeoutMs: ASK_TIMEOUT_MS
    })
    const took = await adopt(decodeAnswer(answer, 'checkpoint-is'), {
      cluster: home.cluster.cluster,
      members: replica.members,
      self: home.keys.publicKey,
      contents: contentsIn(blobs),
      clock,
      file: new BaseFile(new NodeDisk(join(home.path, HOME_DIRS.log))),
      fetch: (refs) => fetchAll(refs, { fetcher, blobs, clock }, from, ending),
      beforehand: async (floors) => {
        // as the fold has it now: afterwards it does not count any more
        const { publicKey } = home.keys
        const own = [...replica.log.logs()].filter(
          ({ author, space }) => space === 'catalog' && Buffer.compare(author, publicKey) === 0
        )
        const alone = own.filter(({ log, seq }) => seq > (floors.get(log) ?? 0))
        if (alone.length === 0) return
        await markNewLife(home.path, 'left-behind')
        const dropped = new Map(alone.map(({ log }) => [log, (floors.get(log) ?? 0) + 1]))
        const entries = await rememberForReissue(home.path, replica, publicKey, dropped)
        logger.warn('What only this node has is written again.', { entries })
      }
    })
    if (took && !ending()) taken()
  }
}

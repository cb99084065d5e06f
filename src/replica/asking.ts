/** Asks peers for records. */
import { GrapevineError } from '../errors.js'
import type { NodeId, Transport } from '../runtime.js'
import { decodeAnswer, encodeRequest, type PullRequest, type SignedRecord } from '../wire/index.js'
import type { Intake } from './intake.js'

export interface AskingDeps {
  readonly transport: Pick<Transport, 'request'>
  readonly intake: Pick<Intake, 'decodeAll'>
  /** This peer has a checkpoint in place of what it was asked for. */
  checkpointNeeded(node: NodeId): void
}

const PULL_TIMEOUT_MS = 15_000

export class Asking {
  readonly #deps: AskingDeps
  /** Who held the same as we do at some time since the link came up. */
  readonly #level = new Set<NodeId>()

  constructor(deps: AskingDeps) {
    this.#deps = deps
  }

  /** In sync once, what comes from this peer from now on is new, and no rest of what we were away for: packing it would cost more than it saves. */
  heard(node: NodeId, inSync: boolean): void {
    if (inSync) this.#level.add(node)
  }

  gone(node: NodeId): void {
    this.#level.delete(node)
  }

  /** Records of a peer's log, decoded; `head` is how far it holds that log. */
  async records(to: NodeId, request: PullRequest): Promise<{ records: SignedRecord[]; head: number }> {
    const { transport, intake, checkpointNeeded } = this.#deps
    const frame = encodeRequest(this.#level.has(to) ? request : { ...request, packed: true })
    const bytes = await transport.request(to, 'sync', frame, { timeoutMs: PULL_TIMEOUT_MS })
    const { records, head, floor } = decodeAnswer(bytes, 'records')
    if (floor !== undefined && floor >= request.from) {
      checkpointNeeded(to)
      throw new GrapevineError('not-found', 'a checkpoint took the place of these records', {
        next: 'nothing: the checkpoint is fetched'
      })
    }
    const decoded = await intake.decodeAll(records.slice(0, request.count))
    return { records: decoded.filter((record) => record.log === request.log), head }
  }

  async one(node: NodeId, log: string, seq: number): Promise<SignedRecord | undefined> {
    return (await this.records(node, { t: 'pull', log, from: seq, count: 1 })).records[0]
  }
}

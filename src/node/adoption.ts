/**
 * Drift on its way into the catalog: a node that may not write proposes it to those that may, and such a node takes it over
 * as a change of its own where its operator's rules say `adopt`. Both sides have to agree, and every node goes on enforcing
 * the roles: what was taken over is a record of who took it.
 */
import type { TargetEntry } from '../adapters/index.js'
import type { BlobFetcher, BlobStore } from '../blobs/index.js'
import { checkPath, ROOT_ID, TargetEditor, type Draft } from '../catalog/index.js'
import type { AdoptionView } from '../control/target.js'
import { faultText, GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { DriftItem, DriftRules } from '../publish/index.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger, NodeId, Transport } from '../runtime.js'
import {
  bodyRefOf,
  decodeProposal,
  decodeProposalAnswer,
  encodeProposal,
  encodeProposalAnswer,
  MAX_INLINE_BODY_BYTES,
  type BodyRef,
  type Proposal,
  type ProposalAnswer
} from '../wire/index.js'
import type { Home } from './home.js'
import { mayWrite } from './may-write.js'
import type { Views } from './views.js'

/** Largest content that is taken over from a node that may not write, bytes. */
export const MAX_ADOPTED_BYTES = 64 * 1024 * 1024
/** How long one proposal may take to be answered, ms. */
const ANSWER_MS = 10_000
/** Pause before a proposal whose bytes are being fetched is made again, ms. */
const FETCHING_MS = 250
/** and how often, until it counts as refused. */
const MAX_FETCHING = 240

export interface AdoptionDeps {
  readonly home: Pick<Home, 'keys'>
  readonly replica: Pick<Replica, 'members' | 'reader' | 'change'>
  readonly transport: Pick<Transport, 'peers' | 'request'>
  readonly rules: DriftRules
  readonly fetcher: Pick<BlobFetcher, 'want'>
  readonly blobs: Pick<BlobStore, 'put'>
  readonly views: Pick<Views, 'hasBytes'>
  readonly clock: Pick<Clock, 'timer'>
  readonly logger: Logger
}

/** The bytes of a file of this node's target, as they would enter the catalog. */
export type ReadTarget = (file: TargetEntry & { kind: 'file' }) => AsyncIterable<Uint8Array>

export class Adoption {
  readonly #deps: AdoptionDeps

  /** What the operator says becomes of drift. */
  get rules(): DriftRules {
    return this.#deps.rules
  }

  constructor(deps: AdoptionDeps) {
    this.#deps = deps
  }

  // --- the node that may not write ------------------------------------------------------------------------------------

  /** Proposes one change; the outcome says who took it over, or why nobody did. Never throws. */
  async propose(item: DriftItem, read: ReadTarget): Promise<AdoptionView> {
    const { path } = item
    try {
      const proposals = await this.#proposalsOf(item, read)
      const reasons: string[] = []
      for (const [node, name] of this.#writers(item)) {
        const answer = await this.#ask(node, proposals)
        if (answer.outcome === 'taken') return { path, outcome: 'adopted', by: name }
        reasons.push(`${name}: ${answer.reason}`)
      }
      return { path, outcome: 'refused', reason: reasons.join('; ') || 'no node that may write there is connected' }
    } catch (error) {
      return { path, outcome: 'refused', reason: faultText(error) }
    }
  }

  #writers({ path, kind }: DriftItem): Map<NodeId, string> {
    const { transport, replica } = this.#deps
    const connected = new Set(transport.peers().map(({ node }) => node))
    const able = replica.members.list().filter(({ key }) => mayWrite(replica.members, key, path, kind))
    return new Map(
      able.map(({ key, name }): [NodeId, string] => [nodeIdOf(key), name]).filter(([node]) => connected.has(node))
    )
  }

  /** A move is what came and what went. */
  async #proposalsOf({ path, change, from, row, now }: DriftItem, read: ReadTarget): Promise<Proposal[]> {
    const proposals: Proposal[] = []
    if (now?.kind === 'dir') proposals.push({ path, change: 'make', seen: [] })
    if (now?.kind === 'file') {
      const known = change === 'changed' && row?.kind === 'file' ? { entry: row.id, seen: row.seen } : { seen: [] }
      proposals.push({ path, change: 'write', ...known, exec: now.exec, ...(await this.#content(now, read)) })
    }
    if (row !== undefined && (change === 'removed' || change === 'moved'))
      proposals.push({ path: from ?? path, change: 'remove', entry: row.id, seen: row.seen })
    return proposals
  }

  async #content(
    file: TargetEntry & { kind: 'file' },
    read: ReadTarget
  ): Promise<{ body: BodyRef; bytes?: Uint8Array }> {
    const { size } = file.body
    if (size > MAX_ADOPTED_BYTES) throw tooLarge(file.path)
    if (size > MAX_INLINE_BODY_BYTES) return { body: await this.#deps.blobs.put(read(file)) }
    const parts: Uint8Array[] = []
    for await (const part of read(file)) parts.push(part)
    const bytes = Buffer.concat(parts)
    return { body: bodyRefOf(bytes), bytes }
  }

  async #ask(node: NodeId, proposals: readonly Proposal[]): Promise<ProposalAnswer> {
    let answer: ProposalAnswer = { outcome: 'refused', reason: 'nothing was proposed' }
    for (const proposal of proposals) {
      answer = await this.#askOne(node, encodeProposal(proposal))
      if (answer.outcome !== 'taken') return answer
    }
    return answer
  }

  async #askOne(node: NodeId, frame: Uint8Array): Promise<ProposalAnswer> {
    const { transport, clock } = this.#deps
    try {
      for (let turn = 0; turn < MAX_FETCHING; turn++) {
        const answer = decodeProposalAnswer(await transport.request(node, 'sync', frame, { timeoutMs: ANSWER_MS }))
        if (answer.outcome !== 'fetching') return answer
        await new Promise<void>((resolve) => clock.timer(FETCHING_MS, resolve))
      }
      return { outcome: 'refused', reason: 'it could not fetch the content' }
    } catch (error) {
      return { outcome: 'refused', reason: faultText(error) }
    }
  }

  // --- the node that may ----------------------------------------------------------------------------------------------

  /** Undefined when the message is no proposal. Throws `message-malformed`. */
  answer(from: NodeId, frame: Uint8Array): Promise<Uint8Array> | undefined {
    const proposal = decodeProposal(frame)
    return proposal === undefined ? undefined : this.#decide(from, proposal).then(encodeProposalAnswer)
  }

  async #decide(from: NodeId, proposal: Proposal): Promise<ProposalAnswer> {
    const { rules, replica, home, logger } = this.#deps
    const { path, change, body } = proposal
    const kind = change === 'make' ? 'dir' : 'file'
    if (!mayWrite(replica.members, home.keys.publicKey, path, kind))
      return refused('this node may not write there either')
    if (rules.policyOf(path) !== 'adopt') return refused('its rules about drift do not say "adopt" for this path')
    if (body !== undefined && body.size > MAX_ADOPTED_BYTES) return refused('the content is too large')
    if (!this.#has(proposal)) {
      this.#deps.fetcher.want(body!, [from])
      return { outcome: 'fetching', reason: '' }
    }
    try {
      await replica.change((draft) => this.#edit(draft, proposal), (proposal.bytes?.length ?? 0) + 600)
    } catch (error) {
      if (!(error instanceof GrapevineError) || error.code === 'internal') throw error
      return refused(faultText(error))
    }
    logger.info('A change of a node that may not write was taken over.', { from, path, change })
    return { outcome: 'taken', reason: '' }
  }

  #has({ body, bytes }: Proposal): boolean {
    if (body === undefined || this.#deps.views.hasBytes(body)) return true
    return bytes !== undefined && bodyRefOf(bytes).hash === body.hash
  }

  /** Replaces what the proposer had seen and nothing else: what it had not becomes a conflict, as with anybody's edit. */
  #edit(draft: Draft, { path, change, entry, seen, body, bytes, exec }: Proposal): void {
    const { reader } = this.#deps.replica
    const seenKeys = new Set(seen)
    if (change === 'remove') {
      if (entry !== undefined && reader.pathOf(entry) === path) draft.remove(entry, seenKeys)
      return
    }
    checkPath(path)
    const edit = new TargetEditor(draft, reader, (id) => reader.pathOf(id))
    const place = { path, anchor: ROOT_ID, depth: 0 }
    if (change === 'make') return void edit.add(place, { kind: 'dir' })
    const content = bytes === undefined ? body! : draft.body(bytes)
    if (entry !== undefined && reader.pathOf(entry) === path)
      edit.change(entry, { body: content, exec: exec === true }, seenKeys)
    else edit.add(place, { kind: 'file', body: content, exec: exec === true })
  }
}

function refused(reason: string): ProposalAnswer {
  return { outcome: 'refused', reason }
}

function tooLarge(path: string): GrapevineError {
  return new GrapevineError('too-large', `more than ${MAX_ADOPTED_BYTES} bytes are not taken over`, {
    next: 'write it on a node that may',
    facts: { path }
  })
}

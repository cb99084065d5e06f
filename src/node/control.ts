/** What the local API can do with a running node. */
import type { BlobFetcher } from '../blobs/index.js'
import { checkPath, PathEditor, ROOT_ID, type PathEdit } from '../catalog/index.js'
import type {
  InspectTopic,
  AdoptionView,
  AppointedView,
  ControlTarget,
  DriftView,
  EventView,
  InvitationView,
  InviteRequest,
  InviteView,
  KeyRotationView,
  PeerStatus,
  ProblemView,
  PutOptions,
  QuarantineView,
  RemovalView,
  RestoredView,
  RotationView,
  StatusView,
  VerifyView,
  WaitingView,
  WriteReceipt
} from '../control/target.js'
import type { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { Network } from '../net/index.js'
import { removedProblem, type Replica, type Written } from '../replica/index.js'
import { systemClock } from '../runtime-node.js'
import type { Logger } from '../runtime.js'
import type { Throttled } from '../share.js'
import { MAX_INLINE_BODY_BYTES, type BodyRef } from '../wire/index.js'
import { DEFAULT_REPLICATED_TIMEOUT_MS } from '../control/limits.js'
import { compact } from './checkpointing.js'
import { nameOfKey } from './checkpoint-view.js'
import type { Clocks } from './clocks.js'
import type { Events } from './events.js'
import type { DriftDesk } from './drift-desk.js'
import { forkProblems } from './fork-problems.js'
import { createInvitation, revokeInvitation } from './invitations.js'
import { dropQuarantined, heldProblems, quarantineOf, retryQuarantined } from './quarantine.js'
import { removeMember } from './removal.js'
import { appoint } from './root.js'
import type { KeyRotation } from './key-rotation.js'
import type { HomeSecrets } from './secrets.js'
import type { Upkeep } from './upkeep.js'
import { VERSION } from '../version.js'
import { verifyAll } from './verify.js'
import { targetStatus, type TargetParts } from './target-status.js'
import type { Systems } from './systems.js'
import { waitingOf } from './waiting.js'
import { Views, type ViewDeps } from './views.js'

export interface ControlDeps extends Omit<ViewDeps, 'contents'>, Omit<TargetParts, 'target'> {
  readonly views: Pick<Views, 'contents'>
  readonly network: Network
  readonly fetcher: BlobFetcher
  /** Absent on a node that only keeps the catalog. */
  readonly target: TargetParts['target'] | undefined
  readonly drift: DriftDesk | undefined
  readonly events: Events
  readonly logger: Logger
  readonly since: string
  /** Alarms about clocks. */
  readonly clocks: Clocks
  /** Alarms about what runs beside nodes. */
  readonly systems: Systems
  readonly upkeep: Upkeep
  readonly secrets: HomeSecrets
  readonly keyRotation: KeyRotation
  state(): StatusView['state']
  stop(): Promise<void>
}

export class NodeControl extends Views implements ControlTarget {
  readonly #deps: ControlDeps

  constructor(deps: ControlDeps) {
    super({ ...deps, contents: deps.views.contents })
    this.#deps = deps
  }

  // --- reading ------------------------------------------------------------------------------------------------------

  async status(): Promise<StatusView> {
    const { home, replica, network, target, fetcher, state, since } = this.#deps
    const spaces = this.spaces()
    if (spaces[0] !== undefined) spaces[0].waiting += target?.waiting.size ?? 0
    const stored = this.blobs.stats()
    const fetching = fetcher.status()
    const self = replica.members.get(home.keys.publicKey)
    return {
      node: home.node,
      name: self?.name ?? home.cluster.nodeName,
      cluster: home.cluster.cluster,
      clusterName: home.cluster.clusterName,
      role: self?.role ?? 'none',
      ...(self?.scope === undefined ? {} : { scope: self.scope }),
      state: state(),
      version: VERSION,
      since,
      listen: network.multiaddrs(),
      peers: await this.peers(),
      spaces,
      ...(target === undefined ? {} : { target: targetStatus({ ...this.#deps, target }) }),
      blobs: { stored: stored.blobs, bytes: stored.bytes, letGo: this.blobs.gone, wanted: fetching.length, fetching },
      unreplicated: replica.unreplicated,
      problems: this.#problems()
    }
  }

  #problems(): ProblemView[] {
    const { replica, target, clocks, systems, upkeep } = this.#deps
    const view = (error: GrapevineError, since: number, path?: string): ProblemView => ({
      code: error.code,
      message: error.message,
      next: error.next,
      since: new Date(since).toISOString(),
      ...(path === undefined || path === '' ? {} : { path })
    })
    const named = (key: Uint8Array): string | undefined => replica.members.get(key)?.name
    const removed = removedProblem(replica.members, this.#deps.home.keys.publicKey)
    return [
      ...(removed === undefined ? [] : [view(removed, Date.now())]),
      ...replica.failures.map((error) => view(error, Date.now())),
      ...forkProblems(replica, named).map((error) => view(error, Date.now())),
      ...heldProblems(replica).map(({ error, since }) => view(error, since)),
      ...[...clocks.problems, ...systems.problems].map(({ error, since }) => view(error, since)),
      ...(upkeep.problem === undefined ? [] : [view(upkeep.problem.error, upkeep.problem.since)]),
      ...(target?.problems.list() ?? []).map(({ error, since, path }) => view(error, since, path))
    ]
  }

  async peers(): Promise<PeerStatus[]> {
    const { network, replica, home, systems } = this.#deps
    const connected = new Map(network.peers().map((peer) => [peer.node, peer]))
    const throttled = new Map([...replica.offers.throttled(), ...network.throttled()])
    return replica.members
      .list()
      .filter((member) => nodeIdOf(member.key) !== home.node)
      .map((member) => {
        const node = nodeIdOf(member.key)
        const peer = connected.get(node)
        const standing = replica.engine.standing(node)
        const beside = systems.of(node)
        return {
          node,
          name: member.name,
          role: member.role,
          ...(member.scope === undefined ? {} : { scope: member.scope }),
          ...(replica.members.isCurrent(member.key) ? {} : { expired: true as const }),
          connected: peer !== undefined,
          ...(peer?.rttMs === undefined ? {} : { rttMs: peer.rttMs }),
          ...(peer === undefined ? {} : { found: peer.found }),
          addresses: [...(peer?.addresses ?? [])],
          inSync: standing?.inSync ?? null,
          // what the peer has and we lack is "behind" for us
          behind: standing?.ahead ?? 0,
          ahead: standing?.behind ?? 0,
          ...throttledView(throttled.get(node)),
          ...(beside && { beside })
        }
      })
  }

  override async inspect(topic: InspectTopic): Promise<unknown> {
    return topic === 'gossip' ? { running: true, ...this.#deps.network.inspect() } : super.inspect(topic)
  }

  override verify(options: { waitMs: number; signal?: AbortSignal }): Promise<VerifyView> {
    const { replica, network, logger, home } = this.#deps
    const names = new Map(replica.members.list().map((member) => [nodeIdOf(member.key), member.name]))
    return verifyAll(
      {
        replica,
        transport: network,
        clock: systemClock,
        logger,
        nameOf: (node) => names.get(node),
        members: () => [...names.keys()].filter((node) => node !== home.node)
      },
      options
    )
  }

  // --- writing ------------------------------------------------------------------------------------------------------

  async put(path: string, body: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<WriteReceipt> {
    if (!path.startsWith('id:')) checkPath(path)
    const source = await this.#take(body)
    const written = await this.#edit(
      (edit, draft) =>
        edit.put(
          path,
          'ref' in source ? source.ref : draft.body(source.bytes),
          options.exec === undefined ? {} : { exec: options.exec }
        ),
      'bytes' in source ? source.bytes.length + 400 : 400
    )
    const done = receipt(path.startsWith('id:') ? (this.replica.reader.pathOf(written.result.id) ?? '') : path, written)
    if (options.replicated === undefined || written.record === null) return done
    const replicas = await this.replica.replication.wait(
      written.record,
      options.replicated,
      options.timeoutMs ?? DEFAULT_REPLICATED_TIMEOUT_MS
    )
    return { ...done, replicas }
  }

  /** Small bodies are held, larger ones go to the blob store as they come. */
  async #take(body: AsyncIterable<Uint8Array>): Promise<{ bytes: Uint8Array } | { ref: BodyRef }> {
    const parts: Uint8Array[] = []
    let size = 0
    const iterator = body[Symbol.asyncIterator]()
    for (;;) {
      const next = await iterator.next()
      if (next.done === true) return { bytes: Buffer.concat(parts) }
      parts.push(next.value)
      size += next.value.length
      if (size > MAX_INLINE_BODY_BYTES) return { ref: await this.blobs.put(chain(parts, iterator)) }
    }
  }

  async putMany(files: Array<{ path: string; body: Uint8Array }>): Promise<WriteReceipt[]> {
    for (const { path } of files) checkPath(path)
    return Promise.all(
      files.map(async ({ path, body }) => {
        const ref = body.length > MAX_INLINE_BODY_BYTES ? await this.blobs.put(chain([body])) : undefined
        return receipt(
          path,
          await this.#edit(
            (edit, draft) => edit.put(path, ref ?? draft.body(body)),
            ref === undefined ? body.length + 400 : 400
          )
        )
      })
    )
  }

  async compact(): Promise<{ proposal: string; awaited: string[] }> {
    const { proposal, awaited } = await compact(this.replica)
    return { proposal, awaited: awaited.map((key) => nameOfKey(this.replica.members, key)) }
  }

  async remove(path: string): Promise<WriteReceipt> {
    const found = this.find(path)
    const below: string[] = []
    for await (const { entry } of this.replica.reader.walk(found.id, '')) below.push(entry.id)
    // a large directory takes several records: what is deepest goes first, so that no step leaves orphans
    while (below.length > MAX_REMOVED_AT_ONCE) {
      const some = below.splice(-MAX_REMOVED_AT_ONCE)
      await this.replica.change((draft) => some.toReversed().forEach((id) => draft.remove(id)), some.length * 300)
    }
    return receipt(path, await this.#edit((edit) => edit.remove(path, below), 400 + below.length * 300))
  }

  async move(from: string, to: string, options: { before?: string } = {}): Promise<WriteReceipt> {
    checkPath(to)
    const { reader } = this.replica
    const cut = to.lastIndexOf('/')
    const parent = cut < 0 ? ROOT_ID : reader.resolve(to.slice(0, cut))?.id
    const moving = this.find(from)
    const siblings =
      options.before === undefined || parent === undefined
        ? undefined
        : (await reader.children(parent)).filter((entry) => entry.id !== moving.id)
    const order = siblings === undefined ? undefined : { siblings, before: options.before! }
    return receipt(to, await this.#edit((edit) => edit.move(from, to, order), 400 + (siblings?.length ?? 0) * 200))
  }

  #edit(
    change: (edit: PathEditor, draft: Parameters<Parameters<Replica['change']>[0]>[0]) => PathEdit,
    bytes: number
  ): Promise<Written<PathEdit>> {
    return this.replica.change((draft) => change(new PathEditor(draft, this.replica.reader), draft), bytes)
  }

  invite(options: InviteRequest): Promise<InviteView> {
    return createInvitation(
      this.replica,
      this.#deps.home,
      { addresses: this.#deps.network.multiaddrs(), secret: this.#deps.secrets.current },
      options
    )
  }

  revokeInvitation(invite: string): Promise<InvitationView> {
    return revokeInvitation(this.replica, this.#deps.home, invite)
  }

  async secrets(): Promise<RotationView[]> {
    return this.#deps.secrets.view()
  }

  rotateKey(): Promise<KeyRotationView> {
    return this.#deps.keyRotation.rotate()
  }

  rotateSecret(): Promise<RotationView[]> {
    return this.#deps.secrets.rotate()
  }

  dropSecrets(): Promise<RotationView[]> {
    return this.#deps.secrets.drop()
  }

  appoint(certificate: string): Promise<AppointedView> {
    return appoint(this.replica, this.#deps.home, certificate)
  }

  removeMember({ node, since }: { node: string; since?: number }): Promise<RemovalView> {
    return removeMember(this.replica, this.#deps.home, node, since)
  }

  override async quarantine(): Promise<QuarantineView> {
    return quarantineOf(this.replica, this.#deps.target)
  }

  async waiting(): Promise<WaitingView> {
    return waitingOf(this.#deps.target, this.#deps.broken)
  }

  retryQuarantined(what?: string): Promise<QuarantineView> {
    return retryQuarantined(this.replica, this.#deps.target, what)
  }

  dropQuarantined(what: string): Promise<QuarantineView> {
    return dropQuarantined(this.replica, this.#deps.target, what)
  }

  drift = async (): Promise<DriftView[]> => this.#deps.drift?.list() ?? []

  async restoreDrift(paths?: readonly string[]): Promise<RestoredView[]> {
    return (await this.#deps.drift?.restore(paths)) ?? []
  }

  async adoptDrift(paths?: readonly string[]): Promise<AdoptionView[]> {
    return (await this.#deps.drift?.adopt(paths)) ?? []
  }

  // --- events and end -------------------------------------------------------------------------------------------------

  events(signal: AbortSignal): AsyncIterable<EventView> {
    return this.#deps.events.watch(signal)
  }

  async shutdown(): Promise<void> {
    // the answer must still leave before the process goes
    setImmediate(() => void this.#deps.stop().catch(() => undefined))
  }
}

function throttledView(state: Throttled | undefined): Pick<PeerStatus, 'throttled'> {
  return state === undefined ? {} : { throttled: { reason: state.reason, since: new Date(state.since).toISOString() } }
}

function receipt(path: string, { result, record }: Written<PathEdit>): WriteReceipt {
  return { path, id: result.id, record: record?.id ?? null, seq: record?.seq ?? null, changed: record !== null }
}

/** Entries deleted by one record. */
const MAX_REMOVED_AT_ONCE = 500

async function* chain(first: readonly Uint8Array[], rest?: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* first
  if (rest === undefined) return
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

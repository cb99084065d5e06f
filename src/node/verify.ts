/** Asks every reachable member for its root, and finds the entries in which they differ. */
import type { VerifyView } from '../control/target.js'
import { reasonOf } from '../errors.js'
import type { Replica } from '../replica/index.js'
import type { Clock, Logger, NodeId, Transport } from '../runtime.js'
import { BUCKETS, decodeAnswer, encodeRequest, hexOf, type SyncRequest } from '../wire/index.js'

export interface VerifyDeps {
  readonly replica: Replica
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  nameOf(node: NodeId): string | undefined
  /** All members but this node. */
  members(): NodeId[]
}

const ASK_TIMEOUT_MS = 10_000
const POLL_MS = 100
/** Differences listed; more only repeat the finding. */
const MAX_DIFFERENCES = 1_000

/** Waits up to `waitMs` for all to agree, then tells how they stand. */
export async function verifyAll(
  deps: VerifyDeps,
  options: { waitMs: number; signal?: AbortSignal }
): Promise<VerifyView> {
  const deadline = deps.clock.monotonic() + options.waitMs
  for (;;) {
    const view = await askAll(deps)
    if (view.equal || deps.clock.monotonic() >= deadline || options.signal?.aborted === true)
      return view.equal ? view : { ...view, differences: await differences(deps, view) }
    await new Promise<void>((resolve) => deps.clock.timer(POLL_MS, resolve))
  }
}

async function askAll(deps: VerifyDeps): Promise<VerifyView> {
  const { replica, transport } = deps
  const connected = new Set(transport.peers().map((peer) => peer.node))
  const roots = await Promise.all(
    deps.members().map(async (node) => {
      if (!connected.has(node)) return { node, root: undefined }
      const answer = await ask(deps, node, { t: 'root' })
        .then((bytes) => decodeAnswer(bytes, 'root-is'))
        .catch(
          (error: unknown) =>
            void deps.logger.debug('A member did not tell its root.', { node, reason: reasonOf(error) })
        )
      return { node, root: answer?.root }
    })
  )
  const root = replica.catalog.root()
  const nodes = [{ node: replica.node, root, waiting: replica.waiting }, ...roots].map(({ node, root: its }) => {
    const name = deps.nameOf(node)
    return {
      node,
      ...(name === undefined ? {} : { name }),
      reachable: its !== undefined,
      ...(its === undefined ? {} : { root: its }),
      equal: its === root
    }
  })
  return {
    equal: replica.waiting === 0 && nodes.every((node) => !node.reachable || node.equal),
    root,
    nodes,
    differences: []
  }
}

function ask(deps: VerifyDeps, node: NodeId, request: SyncRequest): Promise<Uint8Array> {
  return deps.transport.request(node, 'sync', encodeRequest(request), { timeoutMs: ASK_TIMEOUT_MS })
}

/** Bucket by bucket: only those whose sums differ are listed and compared. */
async function differences(deps: VerifyDeps, view: VerifyView): Promise<VerifyView['differences']> {
  const found = new Map<string, Set<NodeId>>()
  for (const node of view.nodes) {
    if (!node.reachable || node.equal) continue
    await differencesWith(deps, node.node, found).catch((error: unknown) =>
      deps.logger.warn('A member could not be compared.', { node: node.node, reason: reasonOf(error) })
    )
  }
  return [...found]
    .slice(0, MAX_DIFFERENCES)
    .map(([id, nodes]) => ({ id, path: deps.replica.reader.pathOf(id) ?? `id:${id}`, nodes: [...nodes] }))
}

async function differencesWith(deps: VerifyDeps, node: NodeId, found: Map<string, Set<NodeId>>): Promise<void> {
  const theirs = decodeAnswer(await ask(deps, node, { t: 'buckets' }), 'buckets-are').sums
  const ours = deps.replica.catalog.buckets.sums()
  for (let bucket = 0; bucket < BUCKETS && found.size < MAX_DIFFERENCES; bucket++) {
    const at = bucket * 32
    if (Buffer.compare(theirs.subarray(at, at + 32), ours.subarray(at, at + 32)) === 0) continue
    const there = rowsOf(decodeAnswer(await ask(deps, node, { t: 'bucket', index: bucket }), 'bucket-is').rows)
    const here = rowsOf(await deps.replica.reader.bucketRows(bucket))
    for (const id of new Set([...there.keys(), ...here.keys()])) {
      if (there.get(id) === here.get(id)) continue
      const nodes = found.get(id) ?? new Set<NodeId>()
      nodes.add(node)
      found.set(id, nodes)
    }
  }
}

function rowsOf(rows: Uint8Array): Map<string, string> {
  const map = new Map<string, string>()
  for (let at = 0; at < rows.length; at += 48)
    map.set(hexOf(rows.subarray(at, at + 16)), hexOf(rows.subarray(at + 16, at + 48)))
  return map
}

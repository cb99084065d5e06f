/** How a home comes to hold a node: by founding a cluster, or by an invitation. */
import { GrapevineError, reasonOf } from '../errors.js'
import { clusterIdOf, keyPairOf, nodeIdOf, publicKeyOf, signFounder } from '../identity/index.js'
import { joinOver, type WayBack } from '../net/index.js'
import { systemRandom } from '../runtime-node.js'
import { silentLogger, type Logger } from '../runtime.js'
import {
  bytesOf,
  decodeToken,
  encodeJoinRequest,
  encodeReturnRequest,
  hexOf,
  type Role,
  type Token
} from '../wire/index.js'
import {
  defaultName,
  clusterFileGone,
  ensureKey,
  homeLived,
  homeExists,
  prepareHome,
  readHome,
  writeCluster,
  writeRootKey,
  writeSecrets,
  type Home
} from './home.js'
import { learns, pagesOf, takePages, type Pages } from './join-pages.js'
import { noteIssuer } from './newcomer.js'
import { noTransport, openHome } from './open.js'

export interface Identity {
  readonly node: string
  readonly cluster: string
  readonly clusterName: string
}

/** Makes a node and a cluster of one. Throws `home-exists`. */
export async function initHome(options: { home: string; clusterName?: string; nodeName?: string }): Promise<Identity> {
  await prepareHome(options.home)
  if (await homeExists(options.home)) {
    throw new GrapevineError('home-exists', `${options.home} already holds a node`, {
      next: 'run "grapevine start", or choose another --home'
    })
  }
  if (await homeLived(options.home)) throw clusterFileGone(options.home)
  const keys = await ensureKey(options.home, (length) => systemRandom.bytes(length))
  const root = keyPairOf(systemRandom.bytes(32))
  const clusterName = checkLabel(options.clusterName ?? 'grapevine', 'cluster')
  const nodeName = checkLabel(options.nodeName ?? defaultName(), 'node')
  const cluster = clusterIdOf(root.publicKey)
  const secret = systemRandom.bytes(32)
  const file = {
    version: 1 as const,
    cluster,
    clusterName,
    nodeName,
    adopt: 'merge' as const,
    peers: [],
    joined: false
  }
  const home: Home = { path: options.home, keys, node: nodeIdOf(keys.publicKey), cluster: file, secrets: [secret] }
  const opened = await openHome(home, noTransport(home.node), silentLogger)
  try {
    await opened.replica.writeMembers(() => [
      { k: 'found', root: root.publicKey, signature: signFounder(root, keys.publicKey), name: clusterName, nodeName }
    ])
  } finally {
    await opened.close()
  }
  await writeRootKey(options.home, root)
  await writeCluster(options.home, file, [secret])
  return { node: home.node, cluster, clusterName }
}

function checkLabel(label: string, what: string): string {
  if (label !== '' && Buffer.byteLength(label) <= 64 && !/[\u0000-\u001f\u007f]/.test(label)) return label
  throw new GrapevineError('usage', `a ${what} name has 1 to 64 bytes and no control characters`, {
    next: 'choose another name'
  })
}

export interface JoinHomeOptions {
  readonly home: string
  readonly token: string
  readonly adopt: 'merge' | 'cluster'
  readonly mdns: boolean
  readonly peers: string[]
  readonly nodeName?: string
  readonly timeoutMs: number
  readonly logger?: Logger
}

/** Redeems an invitation at its issuer and keeps what it answered: the records that make this node a member. */
export async function joinCluster(options: JoinHomeOptions): Promise<Identity & { role: Role }> {
  const token = decodeToken(options.token)
  if (clusterIdOf(token.root) !== token.cluster)
    throw new GrapevineError('token-malformed', 'the invitation token contradicts itself', {
      next: 'ask for a new one'
    })
  if (token.expires <= Date.now() - CLOCK_TOLERANCE_MS)
    throw new GrapevineError('token-expired', `the invitation expired at ${new Date(token.expires).toISOString()}`, {
      next: 'ask for a new invitation'
    })
  await prepareHome(options.home)
  if (await homeExists(options.home)) return joinAgain(await readHome(options.home), token, options)
  const keys = await ensureKey(options.home, (length) => systemRandom.bytes(length))
  const nodeName = checkLabel(options.nodeName ?? defaultName(), 'node')
  const logger = options.logger ?? silentLogger
  const { mdns, peers, timeoutMs } = options
  const pages = redeemToken(token, { seed: keys.seed, nodeName, peers, mdns, timeoutMs, logger })
  const file = {
    version: 1 as const,
    cluster: token.cluster,
    clusterName: token.clusterName,
    nodeName,
    adopt: options.adopt,
    peers: [...options.peers, ...token.addresses],
    joined: true
  }
  const home: Home = {
    path: options.home,
    keys,
    node: nodeIdOf(keys.publicKey),
    cluster: file,
    secrets: [token.clusterSecret]
  }
  const { role } = await keepAdmission(home, nodeIdOf(token.issuer), pages, logger)
  await writeCluster(options.home, file, [token.clusterSecret])
  return { node: home.node, cluster: token.cluster, clusterName: token.clusterName, role }
}

/** Redeems an invitation for the key of `seed`; gives the records of the members space, first those that admit it. */
export function redeemToken(
  token: Token,
  options: {
    seed: Uint8Array
    nodeName: string
    peers: readonly string[]
    mdns: boolean
    timeoutMs: number
    logger: Logger
  }
): Pages {
  const { seed, nodeName, peers, mdns, timeoutMs, logger } = options
  const { invite, secret } = token
  return pagesOf((had) =>
    joinOver({
      seed,
      clusterId: bytesOf(token.cluster),
      secrets: [token.clusterSecret],
      issuer: token.issuer,
      addresses: [...peers, ...token.addresses],
      mdns,
      request: encodeJoinRequest({ invite, secret, name: nodeName, had }),
      timeoutMs,
      logger
    })
  )
}

/** Asks what the members space has become. */
export function askTheWayBack(
  home: Home,
  {
    node,
    ...options
  }: Omit<WayBack, 'isUrgent'> & { secrets: readonly Uint8Array[]; timeoutMs: number; logger: Logger }
): Pages {
  return pagesOf((had) =>
    joinOver({
      seed: home.keys.seed,
      clusterId: bytesOf(home.cluster.cluster),
      issuer: node === undefined ? undefined : publicKeyOf(node),
      mdns: false,
      request: encodeReturnRequest(had),
      ...options
    })
  )
}

/** Clocks of the two may differ; the issuer decides, this only spares an obviously useless attempt. */
const CLOCK_TOLERANCE_MS = 60_000

/**
 * A home that holds a node already: who was removed is admitted again under its own key. The issuer decides, for the node
 * may not have heard that it was; to a member it answers without using the invitation up.
 */
async function joinAgain(home: Home, token: Token, options: JoinHomeOptions): Promise<Identity & { role: Role }> {
  const { cluster, clusterName, nodeName } = home.cluster
  if (cluster !== token.cluster)
    throw new GrapevineError(
      'token-foreign',
      `the invitation is for the cluster ${token.clusterName}, this home belongs to ${clusterName}`,
      { next: 'join from an empty home: give another --home' }
    )
  const { mdns, peers, timeoutMs, logger = silentLogger } = options
  const pages = redeemToken(token, { seed: home.keys.seed, nodeName, peers, mdns, timeoutMs, logger })
  const { role, again } = await keepAdmission(home, nodeIdOf(token.issuer), pages, logger)
  const known = new Set(home.secrets.map(hexOf))
  // who was away while the secret changed has the present one from the token
  if (!known.has(hexOf(token.clusterSecret))) await writeSecrets(home.path, [token.clusterSecret, ...home.secrets])
  if (!again)
    throw new GrapevineError('already-member', `this home already belongs to the cluster ${clusterName}`, {
      next: 'run "grapevine start"'
    })
  return { node: home.node, cluster, clusterName, role }
}

/**
 * Takes the issuer's records in, a page at a time; they must make us a member, or the issuer is not what the token says.
 * Once they do, pages that cannot be had are no harm: the rest comes by sync. `again`: it is another admission than the
 * one held before.
 */
export async function keepAdmission(
  home: Home,
  issuer: string,
  pages: Pages,
  logger: Logger
): Promise<{ role: Role; again: boolean }> {
  // who is refused leaves nothing behind
  const first = await pages.next()
  const opened = await openHome(home, noTransport(home.node), logger)
  try {
    const { members } = opened.replica
    const key = home.keys.publicKey
    const [before, begun] = [members.get(key), members.certificateBegun(key)]
    if (first.done !== true) await opened.replica.takeIn(issuer, first.value.records)
    const { failed } = await takePages(pages, (records) => learns(opened.replica, issuer, records))
    if (failed !== undefined) {
      if (members.get(key) === undefined) throw failed
      logger.warn('Not all was told of the members; the rest comes from whoever this node meets.', {
        reason: reasonOf(failed)
      })
    }
    const member = members.get(key)
    if (member !== undefined && publicKeyOf(issuer) !== undefined) {
      if (first.done !== true && first.value.held !== undefined) await noteIssuer(home.path, first.value.held)
      const again = member.log !== before?.log || member.seq !== before.seq || members.certificateBegun(key) > begun
      return { role: member.role, again }
    }
    throw new GrapevineError('peer-refused', 'the issuer answered, but its records do not admit this node', {
      next: 'ask for a new invitation'
    })
  } finally {
    await opened.close()
  }
}

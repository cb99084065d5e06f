/**
 * Cures a stopped home whose identity is in doubt. Records of its own that no other node will take where they stand are
 * taken out of the log, and written again under what the node is from now on.
 *
 * - The same key, a new epoch: for a home that is an older copy and went on from there.
 * - A new key, admitted with a token or by itself: for a copy of a home whose original goes on.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GrapevineError } from '../errors.js'
import { nodeIdOf, type KeyPair } from '../identity/index.js'
import type { Replica } from '../replica/index.js'
import { silentLogger, type Logger } from '../runtime.js'
import { destroyStore } from '../store/index.js'
import { decodeToken, type Token } from '../wire/index.js'
import { packRecords } from './backup-format.js'
import { contested } from './contested.js'
import { deliver } from './deliver.js'
import { HOME_DIRS, readHome, writeCluster, writePrivate, type Home } from './home.js'
import { epochsBegunHere, markNewLife, noteEpoch } from './life.js'
import { copyLogWithout } from './log-copy.js'
import { noTransport, openHome } from './open.js'
import { ensureNextKey, switchToNextKey } from './next-key.js'
import { forgetParted, readParted } from './parted.js'
import { rememberForReissue, type Dropped } from './reissue.js'
import { keepAdmission, redeemToken } from './setup.js'

export interface ReidentifyOptions {
  readonly home: string
  /** An invitation for the new key. */
  readonly token?: string
  /** Another key, admitted by the present one: only an admin can. */
  readonly newKey?: boolean
  readonly name?: string
  readonly mdns: boolean
  readonly peers: string[]
  readonly timeoutMs: number
  readonly logger?: Logger
}

export interface ReidentifyView {
  node: string
  /** The node id before, when the key is another one now. */
  was?: string
  /** Records taken out of the log, and entries whose changes are written again. */
  recordsSetAside: number
  entriesReissued: number
}

/** Throws `home-missing`, `home-locked`, `role-forbids`, and what `join` throws. */
export async function reidentify(options: ReidentifyOptions): Promise<ReidentifyView> {
  const home = await readHome(options.home)
  const logger = options.logger ?? silentLogger
  const copy = options.token !== undefined || options.newKey === true
  const token = options.token === undefined ? undefined : readToken(options.token, home)
  // first: whatever happens from here on, the home does not simply go on
  await markNewLife(home.path, 'reidentified')
  const counts = await takeOut(home, copy, logger)
  if (copy) {
    const keys = await ensureNextKey(home.path)
    const name = options.name ?? home.cluster.nodeName
    if (token === undefined) await deliver(home, await admitItself(home, keys, name, logger), { ...options, logger })
    else await beAdmitted(home, keys, name, token, options)
    await switchKey(home, name, token)
  }
  await forgetParted(home.path)
  const { node } = await readHome(home.path)
  return { node, ...(copy ? { was: home.node } : {}), ...counts }
}

function readToken(text: string, home: Home): Token {
  const token = decodeToken(text)
  if (token.cluster === home.cluster.cluster) return token
  throw new GrapevineError('token-foreign', 'the invitation is for another cluster than this home belongs to', {
    next: 'make an invitation on an admin node of the same cluster'
  })
}

/** Takes out of the log what nobody will take from us, and remembers what it said. */
async function takeOut(
  home: Home,
  copy: boolean,
  logger: Logger
): Promise<{ recordsSetAside: number; entriesReissued: number }> {
  const opened = await openHome(home, noTransport(home.node), logger, { freshEpoch: true })
  const { replica } = opened
  let ids: ReadonlySet<string>
  let entriesReissued: number
  try {
    const parted = await readParted(home.path)
    const ownEpochs = await epochsBegunHere(home.path)
    const dropped = contested(replica, { parted, copy, author: home.keys.publicKey, ownEpochs })
    ids = idsOf(replica, dropped)
    if (ids.size === 0) return { recordsSetAside: 0, entriesReissued: 0 }
    entriesReissued = await rememberForReissue(home.path, replica, home.keys.publicKey, dropped)
    // the index stays open: it is the lock on the home
    await replica.stop()
    const left = await copyLogWithout(home.path, (record) => !ids.has(record.id))
    await keepAside(home.path, left)
  } finally {
    await opened.close()
  }
  await destroyStore(join(home.path, HOME_DIRS.index))
  return { recordsSetAside: ids.size, entriesReissued }
}

function idsOf(replica: Replica, dropped: Dropped): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const [log, from] of dropped)
    for (let seq = from; seq <= replica.log.get(log)!.seq; seq++) ids.add(replica.log.row(log, seq)!.id)
  return ids
}

/** Nothing that was ever acknowledged is deleted. */
async function keepAside(home: string, records: readonly Uint8Array[]): Promise<void> {
  const aside = join(home, HOME_DIRS.aside)
  await mkdir(aside, { recursive: true, mode: 0o700 })
  const name = `reidentified-${new Date().toISOString().replace(/[:.]/g, '-')}.records`
  await writePrivate(join(aside, name), packRecords(records))
}

/**
 * The key both homes have lets the new one in, under an epoch that the other does not write to. Where that stands must
 * then be brought to the others, because they do not speak to keys they do not know.
 */
async function admitItself(
  home: Home,
  keys: KeyPair,
  name: string,
  logger: Logger
): Promise<{ log: string; seq: number }> {
  const opened = await openHome(home, noTransport(home.node), logger, { freshEpoch: true })
  try {
    const { replica } = opened
    const role = replica.members.get(home.keys.publicKey)?.role
    if (role !== 'admin') {
      throw new GrapevineError('role-forbids', 'only an admin node can admit its own new key', {
        next: 'make an invitation on an admin node, and give it with --token'
      })
    }
    const admitted = replica.members.get(keys.publicKey)
    if (admitted !== undefined) return { log: admitted.log, seq: admitted.seq }
    const record = await replica.writeMembers(() => [{ k: 'admit', key: keys.publicKey, role, name }])
    await noteEpoch(home.path, record.body.epoch)
    return { log: record.log, seq: record.body.seq }
  } finally {
    await opened.close()
  }
}

async function beAdmitted(
  home: Home,
  keys: KeyPair,
  name: string,
  token: Token,
  options: ReidentifyOptions
): Promise<void> {
  const logger = options.logger ?? silentLogger
  const { mdns, timeoutMs } = options
  const peers = [...options.peers, ...home.cluster.peers]
  const pages = redeemToken(token, { seed: keys.seed, nodeName: name, peers, mdns, timeoutMs, logger })
  await keepAdmission({ ...home, keys, node: nodeIdOf(keys.publicKey) }, nodeIdOf(token.issuer), pages, logger)
}

/** The key comes last: until then the home is the one it was. */
async function switchKey(home: Home, name: string, token: Token | undefined): Promise<void> {
  const peers = [...new Set([...home.cluster.peers, ...(token?.addresses ?? [])])]
  await writeCluster(home.path, { ...home.cluster, nodeName: name, peers, joined: true }, home.secrets)
  await switchToNextKey(home.path)
}

/** A lifecycle over the fake target: homes are real directories, the node in them is not. */
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkDataDirectory } from '../../src/adapters/index.js'
import type { Lifecycle } from '../../src/cli/lifecycle.js'
import type { Config } from '../../src/config.js'
import { GrapevineError } from '../../src/errors.js'
import { FakeTarget, NODE_A } from '../control/fake-target.js'

export const CLUSTER = '9f'.repeat(16)

const BACKUP = {
  node: NODE_A,
  name: 'alpha',
  clusterName: 'maps',
  created: '2026-11-21T19:13:05.123Z',
  records: 3,
  blobs: 1,
  bytes: 6_000_000,
  damaged: [],
  missingBlobs: []
}

export class FakeLifecycle implements Lifecycle {
  readonly calls: unknown[] = []
  readonly target = new FakeTarget()
  config: Config | undefined
  /** Thrown by startNode. */
  fails: Error | undefined
  stops = 0
  closed = 0

  initHome: Lifecycle['initHome'] = async (options) => {
    this.calls.push(['initHome', options])
    const key = join(options.home, 'node.key')
    if (
      await access(key).then(
        () => true,
        () => false
      )
    )
      throw new GrapevineError('home-exists', `${options.home} already holds a node`, { next: 'use it' })
    await mkdir(options.home, { recursive: true, mode: 0o700 })
    await writeFile(key, 'key', { mode: 0o600 })
    return { node: NODE_A, cluster: CLUSTER, clusterName: options.clusterName ?? 'grapevine' }
  }

  joinCluster: Lifecycle['joinCluster'] = async (options) => {
    this.calls.push(['joinCluster', options])
    if (options.token === 'expired')
      throw new GrapevineError('token-expired', 'the invitation has expired', { next: 'ask for a new one' })
    return { node: NODE_A, cluster: CLUSTER, clusterName: 'maps', role: 'author' }
  }

  startNode: Lifecycle['startNode'] = async (config, { logger }) => {
    this.config = config
    if (this.fails) throw this.fails
    logger.info('fake node started', { dir: config.dir })
    let end!: () => void
    const stopped = new Promise<void>((done) => (end = done))
    const stop = async (): Promise<void> => {
      this.stops++
      end()
    }
    this.target.onShutdown = () => setImmediate(stop)
    return { control: this.target, stop, stopped, multiaddrs: ['/ip4/127.0.0.1/tcp/4470'], node: NODE_A }
  }

  openOffline: Lifecycle['openOffline'] = async (home) => {
    this.calls.push(['openOffline', home])
    return { reader: this.target, close: async () => void this.closed++ }
  }

  signRequest: Lifecycle['signRequest'] = async (options) => {
    this.calls.push(['signRequest', options])
    return { certificate: 'gva1-certificate', node: NODE_A, name: 'alpha' }
  }

  moveRoot: Lifecycle['moveRoot'] = async (options) => {
    this.calls.push(['moveRoot', options])
    return { file: options.file, cluster: CLUSTER }
  }

  checkBackup: Lifecycle['checkBackup'] = async (file) => {
    this.calls.push(['checkBackup', await readFile(file, 'utf8')])
    return BACKUP
  }

  restoreHome: Lifecycle['restoreHome'] = async (options) => {
    this.calls.push(['restoreHome', options])
    return BACKUP
  }

  rebuildIndex: Lifecycle['rebuildIndex'] = async ({ home, onProgress }) => {
    this.calls.push(['rebuildIndex', home])
    onProgress?.(1_000)
    return { records: 1_000, entries: 10, waiting: 0, damaged: 0, root: 'cd'.repeat(32) }
  }

  checkDataDirectory: Lifecycle['checkDataDirectory'] = checkDataDirectory

  reidentify: Lifecycle['reidentify'] = async (options) => {
    this.calls.push(['reidentify', options])
    return { node: NODE_A, recordsSetAside: 2, entriesReissued: 1 }
  }

  revokeInviteOffline: Lifecycle['revokeInviteOffline'] = async (options) => {
    this.calls.push(['revokeInviteOffline', options])
    const { invite } = options
    const expires = '2026-11-21T20:00:00.000Z'
    return { invite, state: 'revoked', role: 'author', uses: 1, used: 0, expires, issuer: NODE_A }
  }

  createInviteOffline: Lifecycle['createInviteOffline'] = async (options) => {
    this.calls.push(['createInviteOffline', options])
    return { token: 'offline-token', expires: '2026-11-21T20:00:00.000Z', role: options.role, uses: options.uses }
  }
}

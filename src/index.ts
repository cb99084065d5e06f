/**
 * The library's entry: a node inside another program. What it does is what `grapevine start` does; `control` is all the
 * command line uses.
 */
import './polyfill.js'
import { loadConfig, type SettingName, type Settings } from './config.js'
import { GrapevineError } from './errors.js'
import { initHome, joinCluster, startNode, type RunningNode } from './node.js'
import { silentLogger, type Logger } from './runtime.js'

export { ERRORS, GrapevineError, type ErrorCode } from './errors.js'
export { SETTINGS, type SettingName, type Settings } from './config.js'
export type { RunningNode } from './node.js'
export type { Facts, Logger, NodeId } from './runtime.js'
export type * from './control/target.js'

/** How long a newcomer looks for the node that issued its invitation, ms. */
const JOIN_TIMEOUT_MS = 60_000

export interface NodeOptions extends Partial<Settings> {
  /** The directory of the node's key and of all it keeps; made, with a node in it, when there is none. */
  readonly home: string
  /** An invitation that is redeemed when `home` holds no node yet. Without one a new cluster of one node is founded. */
  readonly token?: string
  /** Where log lines go; by default nowhere. */
  readonly logger?: Logger
}

/**
 * Starts a node; resolves when it runs. Settings come from the options, then from `config.json` in the home, then from
 * the defaults; the environment is not read. Throws a `GrapevineError`: `config-invalid`, `home-locked`, `home-unsafe`,
 * `listen-failed`, `store-failed`, and with a token what joining throws (`token-expired`, `issuer-unreachable`, ...).
 */
export async function createNode(options: NodeOptions): Promise<RunningNode> {
  const { home, token, logger = silentLogger, ...settings } = options
  const config = await loadConfig({ home, cwd: process.cwd(), env: {}, flags: flagsOf(settings) })
  await makeHome(config, token)
  return startNode(config, { logger })
}

async function makeHome(config: Settings & { home: string }, token: string | undefined): Promise<void> {
  const { home, name: nodeName, adopt, mdns, peers } = config
  try {
    if (token === undefined) await initHome({ home, nodeName })
    else await joinCluster({ home, token, adopt, mdns, peers, nodeName, timeoutMs: JOIN_TIMEOUT_MS })
  } catch (error) {
    const exists = error instanceof GrapevineError && (error.code === 'home-exists' || error.code === 'already-member')
    if (!exists) throw error
  }
}

/** Settings as the configuration reads flags: numbers are text there. */
function flagsOf(settings: Partial<Settings>): Partial<Record<SettingName, string | readonly string[] | boolean>> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, typeof value === 'number' ? String(value) : value])
  )
}

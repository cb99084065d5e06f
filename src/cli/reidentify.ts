/** `grapevine reidentify`: cures a stopped home that is an old copy of itself, or a copy of another. */
import { loadConfig } from '../config.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { parseDuration } from './duration.js'
import type { ReidentifyView } from './lifecycle.js'
import { print } from './print.js'
import { configOptions, flagsOf } from './settings.js'
import { mustBeStopped } from './stopped.js'
import { pairs } from './terminal.js'

export interface ReidentifyOptions {
  token?: string
  newKey?: boolean
  name?: string
  /** Milliseconds. */
  timeout: number
}

export async function run(options: ReidentifyOptions, context: Context): Promise<void> {
  const { token, newKey, name, timeout } = options
  if (token !== undefined && newKey === true) {
    throw new GrapevineError('usage', '--token gives a new key already', { next: 'give one of --token and --new-key' })
  }
  await mustBeStopped(context, 'reidentify')
  const { home, cwd, env } = context
  const config = await loadConfig({ home, cwd, env, flags: flagsOf(options) })
  const lifecycle = await context.lifecycle()
  const view = await lifecycle.reidentify({
    home,
    mdns: config.mdns,
    peers: config.peers,
    timeoutMs: timeout,
    ...(token === undefined ? {} : { token: token.trim() }),
    ...(newKey === true ? { newKey } : {}),
    ...(name === undefined ? {} : { name })
  })
  await print(context, view, () => viewText(view))
}

function viewText(view: ReidentifyView): string {
  const lines: Array<[string, string]> = [['node', view.node]]
  lines.push(view.was === undefined ? ['epoch', 'a new one begins with the next start'] : ['was', view.was])
  if (view.recordsSetAside > 0) {
    lines.push([
      'set aside',
      `${view.recordsSetAside} records that no other node has where they stood; they are kept in the home`
    ])
    lines.push(['again', `${view.entriesReissued} entries are written again with the next start`])
  }
  return pairs(lines)
}

export const definition: CommandDefinition = {
  name: 'reidentify',
  about: 'cure a stopped home that is an old copy of itself (a new epoch), or a copy of another (a new key)',
  options: [
    { flags: '--token <token>', about: 'this home is a copy: a new key, admitted by this invitation' },
    { flags: '--new-key', about: 'this home is a copy of an admin: a new key, admitted by the old one' },
    { flags: '--name <text>', about: 'what people call the node with the new key' },
    ...configOptions(['mdns', 'peers']),
    { flags: '--timeout <duration>', about: 'how long to look for the issuer', default: '30s', parse: parseDuration }
  ],
  run
}

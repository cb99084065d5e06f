/** `grapevine join`: redeems an invitation at the node that issued it. */
import { loadConfig } from '../config.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context, Input } from './context.js'
import { parseDuration } from './duration.js'
import { print } from './print.js'
import { configOptions, flagsOf } from './settings.js'
import { pairs } from './terminal.js'

export interface JoinOptions {
  token: string
  /** Milliseconds. */
  timeout: number
  adopt?: string
  mdns?: boolean
  peer?: string[]
  name?: string
}

/** Longest token that is read from stdin, bytes. */
const MAX_TOKEN_BYTES = 16 * 1024

export async function run(options: JoinOptions, context: Context): Promise<void> {
  const { home, cwd, env } = context
  const config = await loadConfig({ home, cwd, env, flags: flagsOf(options) })
  const token = options.token === '-' ? await readToken(context.stdin) : options.token
  const lifecycle = await context.lifecycle()
  const joined = await lifecycle.joinCluster({
    home,
    token: token.trim(),
    adopt: config.adopt,
    mdns: config.mdns,
    peers: config.peers,
    timeoutMs: options.timeout,
    ...(options.name === undefined ? {} : { nodeName: options.name })
  })
  await print(context, { ...joined, home }, () =>
    pairs([
      ['node', joined.node],
      ['cluster', joined.cluster],
      ['called', joined.clusterName],
      ['role', joined.role]
    ])
  )
}

/** `-` keeps the token out of the list of processes and the shell's history. */
async function readToken(stdin: Input): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stdin) {
    size += chunk.length
    if (size > MAX_TOKEN_BYTES)
      throw new GrapevineError('token-malformed', 'what was read from stdin is no token', {
        next: 'pass on the whole line that `grapevine invite` printed'
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

export const definition: CommandDefinition = {
  name: 'join',
  about: 'join a cluster with a token from `grapevine invite`',
  arguments: [{ name: '<token>', about: 'the token; - reads it from stdin' }],
  options: [
    ...configOptions(['adopt', 'mdns', 'peers', 'name']),
    { flags: '--timeout <duration>', about: 'how long to look for the issuer', default: '30s', parse: parseDuration }
  ],
  run
}

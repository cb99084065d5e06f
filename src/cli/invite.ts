/** `grapevine invite`: an invitation. The token alone goes to stdout, so that it can be piped. */
import { MAX_INVITE_USES } from '../control/limits.js'
import type { Role } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { parseDuration } from './duration.js'
import type { InviteView } from './lifecycle.js'
import { print } from './print.js'
import { daemonAnswers } from './reading.js'
import { safe, shortTime } from './terminal.js'

export interface InviteOptions {
  role: Role
  /** Milliseconds. */
  expires: number
  uses: number
}

export async function run(options: InviteOptions, context: Context): Promise<void> {
  const request = { role: options.role, expiresMs: options.expires, uses: options.uses }
  const invite = await issue(request, context)
  await print(context, invite, () => `${invite.token}\n`)
  if (context.json) return
  const uses = invite.uses === 1 ? 'once' : `${invite.uses} times`
  await context.err.write(
    `grapevine: admits ${safe(invite.role)} nodes, ${uses}, until ${shortTime(invite.expires)} UTC\n`
  )
}

/** The daemon is asked if there is one, since it alone writes to its home. */
async function issue(request: { role: Role; expiresMs: number; uses: number }, context: Context): Promise<InviteView> {
  if (await daemonAnswers(context)) return context.daemon.invite(request)
  const lifecycle = await context.lifecycle()
  return lifecycle.createInviteOffline({ home: context.home, ...request })
}

function parseUses(text: string): number {
  const uses = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (uses >= 1 && uses <= MAX_INVITE_USES) return uses
  throw new GrapevineError('usage', `"${text}" is not a number of uses`, {
    next: `give a number from 1 to ${MAX_INVITE_USES}`
  })
}

export const definition: CommandDefinition = {
  name: 'invite',
  about: 'print a token that lets another node join',
  options: [
    {
      flags: '--role <role>',
      about: 'what the node may do',
      default: 'author',
      choices: ['author', 'public', 'relay', 'admin']
    },
    { flags: '--expires <duration>', about: 'how long the token is good for', default: '1h', parse: parseDuration },
    { flags: '--uses <count>', about: 'how many nodes may use it', default: '1', parse: parseUses }
  ],
  run
}

/** `grapevine invite`: invitations. A token alone goes to stdout, so that it can be piped. */
import { MAX_INVITE_USES } from '../control/limits.js'
import type { InvitationView, InviteRequest, InviteView, Role } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { parseDuration } from './duration.js'
import { print } from './print.js'
import { daemonAnswers, withReader } from './reading.js'
import { safe, shortId, shortTime, table } from './terminal.js'

/** Hex digits of an id in the table: enough to be the only one. */
const SHOWN_ID = 12

export interface InviteOptions {
  role: Role
  /** Milliseconds. */
  expires: number
  uses: number
  scope?: readonly string[]
}

export async function run(options: InviteOptions, context: Context): Promise<void> {
  const { role, expires, uses: times, scope } = options
  const request = { role, expiresMs: expires, uses: times, ...(scope === undefined ? {} : { scope }) }
  const invite = await issue(request, context)
  await print(context, invite, () => `${invite.token}\n`)
  if (context.json) return
  const uses = invite.uses === 1 ? 'once' : `${invite.uses} times`
  const where = invite.scope === undefined ? '' : ` for ${safe(invite.scope.join(', '))}`
  await context.err.write(
    `grapevine: admits ${safe(invite.role)} nodes${where}, ${uses}, until ${shortTime(invite.expires)} UTC\n`
  )
}

/** The daemon is asked if there is one, since it alone writes to its home. */
async function issue(request: InviteRequest, context: Context): Promise<InviteView> {
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

async function list(_options: object, context: Context): Promise<void> {
  const invitations = await withReader(context, (reader) => reader.invitations())
  await print(context, invitations, () => invitationTable(invitations, context.out.columns))
}

/** Shown when some invitation has one. */
const SCOPE_COLUMN = { title: 'scope', of: ({ scope }: InvitationView): string => scope?.join(', ') ?? '-' }

function invitationTable(invitations: readonly InvitationView[], width: number): string {
  return table(
    [
      { title: 'id', of: ({ invite }: InvitationView) => invite.slice(0, SHOWN_ID) },
      { title: 'state', of: ({ state }) => state },
      { title: 'role', of: ({ role }) => role },
      { title: 'used', of: ({ used, uses }) => `${used} of ${uses}`, align: 'right' },
      { title: 'until (UTC)', of: ({ expires }) => shortTime(expires) },
      { title: 'issuer', of: ({ issuer }) => shortId(issuer) },
      ...(invitations.some(({ scope }) => scope !== undefined) ? [SCOPE_COLUMN] : [])
    ],
    invitations,
    width
  )
}

async function revoke({ id }: { id: string }, context: Context): Promise<void> {
  const invite = await wholeId(id, context)
  const view = await revoked(invite, context)
  await print(context, view, () => `revoked ${view.invite}\n`)
}

async function revoked(invite: string, context: Context): Promise<InvitationView> {
  if (await daemonAnswers(context)) return context.daemon.revokeInvitation(invite)
  const lifecycle = await context.lifecycle()
  return lifecycle.revokeInviteOffline({ home: context.home, invite })
}

/** An id may be shortened as far as it stays the only one. */
async function wholeId(id: string, context: Context): Promise<string> {
  if (!/^[0-9a-f]{4,32}$/.test(id))
    throw new GrapevineError('usage', `"${id}" is not the id of an invitation`, {
      next: 'give 4 to 32 hex digits as "grapevine invite ls" shows them'
    })
  const invitations = await withReader(context, (reader) => reader.invitations())
  const found = invitations.filter(({ invite }) => invite.startsWith(id))
  if (found.length === 1) return found[0]!.invite
  const [code, message] =
    found.length === 0
      ? (['not-found', `there is no invitation ${id}`] as const)
      : (['usage', `${found.length} invitations begin with ${id}`] as const)
  throw new GrapevineError(code, message, { next: 'see "grapevine invite ls --json"' })
}

export const definition: CommandDefinition = {
  name: 'invite',
  about: 'print a token that lets another node join; list and revoke tokens',
  options: [
    {
      flags: '--role <role>',
      about: 'what the node may do',
      default: 'author',
      choices: ['author', 'public', 'relay', 'admin']
    },
    { flags: '--expires <duration>', about: 'how long the token is good for', default: '1h', parse: parseDuration },
    { flags: '--uses <count>', about: 'how many nodes may use it', default: '1', parse: parseUses },
    {
      flags: '--scope <path>',
      about: 'an author may write here and below, and nowhere else; may be repeated',
      parse: entryPath,
      repeat: true
    }
  ],
  commands: [
    { name: 'ls', about: 'every invitation of the cluster, and what became of it', run: list },
    {
      name: 'revoke',
      about: 'take an invitation back; who used it before stays a member',
      arguments: [{ name: '<id>', about: 'as `grapevine invite ls` shows it' }],
      run: revoke
    }
  ],
  run
}

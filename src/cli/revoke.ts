/** `grapevine revoke`: removes a member from the cluster. */
import type { RemovalView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { safe } from './terminal.js'

export interface RevokeOptions {
  node: string
  since?: number
}

export async function run(options: RevokeOptions, context: Context): Promise<void> {
  const { node, since } = options
  const view = await context.daemon.removeMember({
    node: await nodeIdIn(node, context),
    ...(since === undefined ? {} : { since })
  })
  await print(context, view, () => `${safe(view.name)} is no member any more: ${view.node}\n${afterwards(view)}`)
}

function afterwards({ voided }: RemovalView): string {
  if (voided === 0) return 'all that this node held of it counts on\n'
  return `${voided} of its records count no more; see: grapevine salvage\n`
}

/** People name nodes; only the id is theirs alone. */
async function nodeIdIn(text: string, context: Context): Promise<string> {
  const peers = await context.daemon.peers()
  const found = peers.filter(({ node, name }) => node === text || name === text)
  if (found.length === 1) return found[0]!.node
  if (found.length > 1)
    throw new GrapevineError('usage', `${found.length} members are called ${JSON.stringify(text)}`, {
      next: 'give the node id; see "grapevine peers --json"'
    })
  return text
}

function parseSince(text: string): number {
  const seq = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (seq >= 1) return seq
  throw new GrapevineError('usage', `"${text}" is not a sequence number`, {
    next: 'give the seq of the first record that shall not count; see "grapevine inspect log"'
  })
}

export const definition: CommandDefinition = {
  name: 'revoke',
  about: 'remove a member from the cluster, for good unless it is invited again',
  arguments: [{ name: '<node>', about: 'its node id, or its name where no other has it' }],
  options: [{ flags: '--since <seq>', about: 'its records from this one on count no more', parse: parseSince }],
  run
}

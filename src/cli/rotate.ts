/** `grapevine rotate`: another secret for the cluster, without an outage. */
import type { RotationView } from '../control/target.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { table } from './terminal.js'

/** Hex digits of an id in the table: enough to be the only one. */
const SHOWN_ID = 12

async function list(_options: object, context: Context): Promise<void> {
  const secrets = await context.daemon.secrets()
  await print(context, secrets, () => secretsText(secrets, context.out.columns))
}

async function rotate({ drop }: { drop?: boolean }, context: Context): Promise<void> {
  const secrets = await (drop === true ? context.daemon.dropSecrets() : context.daemon.rotateSecret())
  await print(context, secrets, () => secretsText(secrets, context.out.columns))
}

async function key(_options: object, context: Context): Promise<void> {
  const view = await context.daemon.rotateKey()
  await print(context, view, () => `${view.node} goes on as\n${view.next}\nas soon as its peers know it\n`)
}

function secretsText(secrets: readonly RotationView[], width: number): string {
  if (secrets.length === 0) return 'the secret is the one the cluster was founded with\n'
  return table(
    [
      { title: 'secret', of: ({ id }: RotationView) => id.slice(0, SHOWN_ID) },
      { title: 'generation', of: ({ generation }) => String(generation), align: 'right' },
      { title: 'phase', of: ({ phase }) => phase },
      { title: 'held by', of: ({ heldBy, members }) => `${heldBy} of ${members}`, align: 'right' },
      { title: 'waits for', of: ({ missing }) => missing.map(({ name }) => name).join(', ') || '-' }
    ],
    secrets,
    width
  )
}

export const definition: CommandDefinition = {
  name: 'rotate',
  about: 'change the secret of the cluster, or the key of this node, without an outage',
  commands: [
    {
      name: 'secret',
      about: 'publish another secret to every member; the old one is dropped once all hold it',
      options: [{ flags: '--drop', about: 'drop the old one now, whoever does not hold the new one yet' }],
      run: rotate
    },
    {
      name: 'key',
      about: 'another key for this node: published, used once its peers know it, the old one dropped',
      run: key
    },
    { name: 'ls', about: 'the secrets that were published, and how far each is', run: list }
  ]
}

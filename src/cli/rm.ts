/** `grapevine rm`: removes an entry. */
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { printReceipt } from './receipt.js'

export interface RmOptions {
  path: string
}

export async function run(options: RmOptions, context: Context): Promise<void> {
  await printReceipt(context, 'removed', await context.daemon.remove(entryPath(options.path)))
}

export const definition: CommandDefinition = {
  name: 'rm',
  about: 'remove an entry; its history stays',
  arguments: [{ name: '<path>', about: 'path of the entry, or id:<32 hex>' }],
  run
}

/** `grapevine mv`: gives an entry another place or name. */
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { printReceipt } from './receipt.js'

export interface MvOptions {
  from: string
  to: string
  before?: string
}

export async function run(options: MvOptions, context: Context): Promise<void> {
  const place = options.before === undefined ? {} : { before: options.before }
  await printReceipt(
    context,
    'moved to',
    await context.daemon.move(entryPath(options.from), entryPath(options.to), place)
  )
}

export const definition: CommandDefinition = {
  name: 'mv',
  about: 'move or rename an entry; it stays the same entry',
  arguments: [
    { name: '<from>', about: 'path of the entry, or id:<32 hex>' },
    { name: '<to>', about: 'its new path' }
  ],
  options: [{ flags: '--before <name>', about: 'the sibling it is to stand before' }],
  run
}

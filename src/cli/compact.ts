/** `grapevine compact`: proposes a checkpoint now, in place of what the log has grown to. */
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { pairs, safe, shortId } from './terminal.js'

export async function run(_options: object, context: Context): Promise<void> {
  const view = await context.daemon.compact()
  await print(context, view, () =>
    pairs([
      ['proposed', shortId(view.proposal)],
      ['awaited', view.awaited.length === 0 ? 'nobody' : view.awaited.map(safe).join(', ')],
      ['follow it', 'grapevine inspect checkpoint']
    ])
  )
}

export const definition: CommandDefinition = {
  name: 'compact',
  about: 'propose a checkpoint now; once every member vouches for it, the history that the one before it covers goes',
  run
}

/** `grapevine rebuild`: drops the index of a stopped home and makes it again from the log. */
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { Progress } from './progress.js'
import { mustBeStopped } from './stopped.js'
import { pairs, shortId } from './terminal.js'

export async function run(_options: object, context: Context): Promise<void> {
  await mustBeStopped(context, 'rebuild')
  const lifecycle = await context.lifecycle()
  const progress = new Progress(context)
  let told = Promise.resolve()
  const view = await lifecycle
    .rebuildIndex({
      home: context.home,
      onProgress: (records) => {
        if (records % 1_000 === 0) told = told.then(() => progress.show(`${records} records indexed`))
      }
    })
    .finally(() => told.then(() => progress.end()))
  await print(context, view, () =>
    pairs([
      [
        'indexed',
        `${view.records} records, ${view.entries} entries${view.waiting > 0 ? `, ${view.waiting} waiting for others` : ''}`
      ],
      ['root', shortId(view.root)],
      [
        'damaged',
        view.damaged === 0
          ? 'nothing'
          : `${view.damaged} places of the log; what peers have is fetched after the next start`
      ]
    ])
  )
}

export const definition: CommandDefinition = {
  name: 'rebuild',
  about: 'make the index of a stopped home again from its log',
  run
}

/** `grapevine restore`: a home out of a backup, on the same machine or another one. */
import { resolve } from 'node:path'
import { restoredText } from './backup.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { mustBeStopped } from './stopped.js'

export interface RestoreOptions {
  file: string
}

export async function run(options: RestoreOptions, context: Context): Promise<void> {
  await mustBeStopped(context, `restore ${options.file}`)
  const lifecycle = await context.lifecycle()
  const view = await lifecycle.restoreHome({ file: resolve(context.cwd, options.file), home: context.home })
  await print(context, { home: context.home, ...view }, () => restoredText(context.home, view))
}

export const definition: CommandDefinition = {
  name: 'restore',
  about: 'make a home out of a backup; it must be empty or missing',
  arguments: [{ name: '<file>', about: 'what `grapevine backup` wrote' }],
  run
}

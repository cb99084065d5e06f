/** `grapevine cat`: the bytes of a file, exactly. */
import { GrapevineError } from '../errors.js'
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { withReader } from './reading.js'

export interface CatOptions {
  path: string
  hash?: string
}

export async function run(options: CatOptions, context: Context): Promise<void> {
  await withReader(context, async (reader) => {
    const { body } = await reader.open(
      entryPath(options.path),
      options.hash === undefined ? {} : { hash: options.hash }
    )
    for await (const chunk of body) await context.out.write(chunk)
  })
}

function parseHash(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text
  throw new GrapevineError('usage', `"${text}" is not a content hash`, {
    next: 'give the 64 hex characters shown by `grapevine inspect entry PATH --json`'
  })
}

export const definition: CommandDefinition = {
  name: 'cat',
  about: 'write the bytes of a file to stdout',
  arguments: [{ name: '<path>', about: 'path of the file, or id:<32 hex>' }],
  options: [{ flags: '--hash <hash>', about: 'one value of a conflict instead of the winner', parse: parseHash }],
  run
}

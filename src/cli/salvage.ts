/** `grapevine salvage`: what removed members wrote that counts nowhere, to be looked through and taken over by hand. */
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { SalvageLine } from '../control/target.js'
import { diskError } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import { print } from './print.js'
import { withReader, type Reader } from './reading.js'
import { safe, shortId, shortTime, table } from './terminal.js'

export interface SalvageOptions {
  to?: string
}

export async function run(options: SalvageOptions, context: Context): Promise<void> {
  await withReader(context, async (reader) => {
    const lines = await reader.salvage()
    if (options.to !== undefined) await save(lines, resolve(options.to), reader, context)
    else
      await print(context, lines, () => (lines.length === 0 ? 'nothing\n' : salvageTable(lines, context.out.columns)))
  })
}

function salvageTable(lines: readonly SalvageLine[], width: number): string {
  return table(
    [
      { title: 'time (UTC)', of: (line: SalvageLine) => shortTime(line.time) },
      { title: 'author', of: (line) => shortId(line.author) },
      { title: 'path', of: (line) => line.path },
      { title: 'change', of: (line) => line.change }
    ],
    lines,
    width
  )
}

/** Contents under names that lead nowhere else: the paths were chosen by somebody who was removed. */
async function save(lines: readonly SalvageLine[], to: string, reader: Reader, context: Context): Promise<void> {
  const saved: Array<SalvageLine & { file: string }> = []
  try {
    await mkdir(to, { recursive: true })
    for (const [at, line] of lines.entries()) {
      if (line.hash === undefined) continue
      const file = join(to, `${String(at + 1).padStart(4, '0')}-${harmless(line.path)}`)
      await pipeline(
        await reader.salvageBody(line.record, line.hash),
        createWriteStream(file, { flags: 'wx', mode: 0o600 })
      )
      saved.push({ ...line, file })
    }
  } catch (error) {
    throw diskError(error, 'store-failed', `${to} cannot be written`)
  }
  await print(context, saved, () => saved.map(({ file, path }) => `${safe(path)} -> ${safe(file)}\n`).join(''))
}

/** The last name of a path, of letters, digits, dots, dashes and underscores alone. */
function harmless(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name.replace(/[^A-Za-z0-9._-]/g, '_').slice(-100)
}

export const definition: CommandDefinition = {
  name: 'salvage',
  about: 'what removed members wrote that counts no more',
  options: [{ flags: '--to <dir>', about: 'save the contents there instead of listing them' }],
  run
}

/**
 * The proof that the simulation sees: known failures of this field, each as a change of the sources. They are put into a
 * copy of the sources, never into the product, and every one must be found. `npm run sim -- --planted`.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PlantedBug } from './bug.js'
import { IN_THE_CATALOG } from './in-the-catalog.js'
import { IN_THE_LOG } from './in-the-log.js'
import { ON_THE_WAY } from './on-the-way.js'
import { WITH_KEYS } from './with-keys.js'
import { WITH_CHECKPOINTS } from './with-checkpoints.js'

export type { PlantedBug } from './bug.js'

export const PLANTED: readonly PlantedBug[] = [
  ...IN_THE_LOG,
  ...ON_THE_WAY,
  ...IN_THE_CATALOG,
  ...WITH_CHECKPOINTS,
  ...WITH_KEYS
]

/** A source with an edit applied; throws unless the text to replace stands there exactly once. */
export function edited(source: string, { before, after, file }: PlantedBug['edits'][number]): string {
  const count = source.split(before).length - 1
  if (count !== 1)
    throw new Error(`${file} holds ${JSON.stringify(before)} ${count} times, not once: mend the planted bug`)
  return source.replace(before, () => after)
}

/** Copies what a simulation needs from `repository`, with the bug in it. Returns the copy's root, and what removes it. */
export function plant(repository: string, bug: PlantedBug): { root: URL; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'grapevine-planted-'))
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    for (const path of ['src', 'test/sim', 'package.json'])
      cpSync(join(repository, path), join(directory, path), { recursive: true })
    symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'))
    for (const edit of bug.edits) {
      const path = join(directory, 'src', edit.file)
      writeFileSync(path, edited(readFileSync(path, 'utf8'), edit))
    }
    return { root: pathToFileURL(`${directory}/`), remove }
  } catch (error) {
    remove()
    throw error
  }
}

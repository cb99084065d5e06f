/** `npm start`: builds when needed, then `grapevine start` in this same process, so that signals reach it. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildIfNeeded, REPOSITORY } from './build.mjs'

if (buildIfNeeded()) {
  const main = join(REPOSITORY, 'dist', 'main.js')
  process.argv.splice(1, 1, main, 'start')
  await import(pathToFileURL(main).href)
} else {
  process.exitCode = 1
}

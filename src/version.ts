import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** This package's version, from the file that holds it: how deep this one lies below it depends on how it was compiled. */
export const VERSION = ((): string => {
  let at = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(at, 'package.json')) && at !== dirname(at)) at = dirname(at)
  return (JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { version: string }).version
})()

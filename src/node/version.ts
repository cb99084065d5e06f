import { readFileSync } from 'node:fs'

/** This package's version, from the file that holds it. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version

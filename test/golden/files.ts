/** Where the golden files lie: in the sources, also when the tests run compiled. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository: the nearest directory above that holds the package file. */
export const REPOSITORY = ((): string => {
  let at = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  return at
})()

export function goldenPath(file: string): string {
  return join(REPOSITORY, 'test', 'golden', 'v1', file)
}

/** Name -> bytes, or text for names that are computed. */
export function readGolden(file: string): Record<string, string> {
  return JSON.parse(readFileSync(goldenPath(file), 'utf8')) as Record<string, string>
}

/** A golden table of hex as bytes. */
export function goldenBytes(file: string): Map<string, Uint8Array> {
  return new Map(Object.entries(readGolden(file)).map(([name, hex]) => [name, Buffer.from(hex, 'hex')]))
}

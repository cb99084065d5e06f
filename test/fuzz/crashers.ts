/** Inputs that once did harm, kept as hex, a file each: `TARGET-NAME.hex`, a comment line saying what it did in front. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from '../golden/files.js'

export interface Crasher {
  readonly file: string
  readonly target: string
  readonly input: Uint8Array
}

const PLACE = join(REPOSITORY, 'test', 'fuzz', 'crashers')

export function crashers(): Crasher[] {
  return readdirSync(PLACE)
    .filter((file) => file.endsWith('.hex'))
    .map((file) => {
      const lines = readFileSync(join(PLACE, file), 'utf8').split('\n')
      const hex = lines.filter((line) => !line.startsWith('#')).join('')
      return { file, target: file.slice(0, file.indexOf('.')).replaceAll('_', ' '), input: Buffer.from(hex, 'hex') }
    })
}

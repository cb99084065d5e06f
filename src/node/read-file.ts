import { readFile } from 'node:fs/promises'
import { diskError, isErrno } from '../errors.js'

/** The bytes of a file of the home, undefined when there is none. Throws `store-failed`, `disk-full`. */
export async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw diskError(error, 'store-failed', `${file} cannot be read`)
  }
}

/** A password in a file of its own, read anew for each call, so that a changed one counts at once. */
import { readClosed } from '../../../closed.js'
import { GrapevineError, reasonOf } from '../../../errors.js'

/** Largest password file, bytes. */
export const MAX_PASSWORD_FILE_BYTES = 4096

/**
 * Its content without the newline at its end. Throws `home-unsafe` when others may read it and `config-invalid` when it
 * cannot be read, is empty or too large.
 */
export async function readPasswordFile(file: string): Promise<string> {
  let text: string
  try {
    const tooLarge = (): Error => invalid(file, `is larger than ${MAX_PASSWORD_FILE_BYTES} bytes`)
    text = await readClosed(file, { maxBytes: MAX_PASSWORD_FILE_BYTES, what: 'a password', tooLarge })
  } catch (error) {
    throw error instanceof GrapevineError ? error : invalid(file, `cannot be read: ${reasonOf(error)}`)
  }
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw invalid(file, 'is empty')
  return password
}

function invalid(file: string, what: string): GrapevineError {
  return new GrapevineError('config-invalid', `the password file ${file} ${what}`, {
    next: 'write the password of --geoserver-user into it, and nothing else',
    facts: { file }
  })
}

/** A password in a file of its own, read anew for each call, so that a changed one counts at once. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
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
    const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const { mode, size } = await handle.stat()
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw unsafe(file)
      if (size > MAX_PASSWORD_FILE_BYTES) throw invalid(file, `is larger than ${MAX_PASSWORD_FILE_BYTES} bytes`)
      text = await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw error instanceof GrapevineError ? error : invalid(file, `cannot be read: ${reasonOf(error)}`)
  }
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw invalid(file, 'is empty')
  return password
}

function unsafe(file: string): GrapevineError {
  return new GrapevineError('home-unsafe', `${file} holds a password and is open to other users`, {
    next: `run "chmod 600 ${file}"`,
    facts: { file }
  })
}

function invalid(file: string, what: string): GrapevineError {
  return new GrapevineError('config-invalid', `the password file ${file} ${what}`, {
    next: 'write the password of --geoserver-user into it, and nothing else',
    facts: { file }
  })
}

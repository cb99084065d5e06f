/**
 * Files and directories that hold what nobody else on this machine may know: the one rule of who may look at them, for
 * homes, sockets, and the files in which an operator leaves passwords.
 */
import { constants, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { GrapevineError } from './errors.js'

/** Permissions of the group and of everybody else. */
const OTHERS = 0o077

/** Why others may look at it, as the rest of a sentence; undefined when it is ours alone. Windows says so in other ways. */
export function whyOpen({ mode, uid }: Pick<Stats, 'mode' | 'uid'>): 'another user' | 'other users' | undefined {
  if (process.platform === 'win32') return undefined
  if (process.getuid !== undefined && uid !== process.getuid()) return 'another user'
  return (mode & OTHERS) === 0 ? undefined : 'other users'
}

/** Throws `home-unsafe`; `what` is said of the file in front of "open to other users", such as "holds a password and is". */
export function checkClosed(path: string, stat: Stats, what = 'is'): void {
  const to = whyOpen(stat)
  if (to === undefined) return
  const foreign = to === 'another user'
  throw new GrapevineError('home-unsafe', `${path} ${what} ${foreign ? 'owned by' : 'open to'} ${to}`, {
    next: foreign
      ? 'run grapevine as the user who owns it'
      : `run: chmod ${stat.isDirectory() ? '700' : '600'} ${path}`,
    facts: { path }
  })
}

/**
 * The text of a file in which an operator left a secret, looked at and read through one handle: nobody swaps it in between,
 * and a pipe is not waited for. Throws `home-unsafe`, what `tooLarge` makes of a file of more than `maxBytes`, and what
 * the system says.
 */
export async function readClosed(
  file: string,
  { maxBytes, what, tooLarge }: { maxBytes: number; what: string; tooLarge: () => Error }
): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stat = await handle.stat()
    checkClosed(file, stat, `holds ${what} and is`)
    if (stat.size > maxBytes) throw tooLarge()
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

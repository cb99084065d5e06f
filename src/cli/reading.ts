/** Reading from the daemon, or from the stopped node's home when none answers. */
import type { CatalogReader, StatusView } from '../control/target.js'
import { GrapevineError } from '../errors.js'
import type { Context } from './context.js'

export type Reader = CatalogReader & { status?(): Promise<StatusView> }

/** Runs `read` with whoever can answer. The home is opened at most once and closed again. */
export async function withReader<T>(context: Context, read: (reader: Reader) => Promise<T>): Promise<T> {
  if (await daemonAnswers(context)) return read(context.daemon)
  const lifecycle = await context.lifecycle()
  const offline = await lifecycle.openOffline(context.home)
  try {
    // a person should know that this is what the node last knew; a script asked for the data only
    if (context.err.isTTY && !context.json)
      await context.err.write('grapevine: no daemon answers; this is the home as it was left\n')
    return await read(offline.reader)
  } finally {
    await offline.close()
  }
}

/** A daemon that hangs counts as absent too: it still holds the home, and opening that then says so (`home-locked`). */
export async function daemonAnswers(context: Context): Promise<boolean> {
  try {
    await context.daemon.daemon()
    return true
  } catch (error) {
    if (error instanceof GrapevineError && error.code === 'daemon-unreachable') return false
    throw error
  }
}

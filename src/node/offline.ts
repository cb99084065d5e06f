/** Reads a stopped node's home: the catalog, its docs and its log, as they are on disk. */
import { silentLogger } from '../runtime.js'
import { readHome } from './home.js'
import { noTransport, openHome } from './open.js'
import { Views } from './views.js'

/** Throws `home-missing`, `home-locked` when a process works on it, or `store-failed`. */
export async function openOffline(path: string): Promise<{ reader: Views; close(): Promise<void> }> {
  const home = await readHome(path)
  const opened = await openHome(home, noTransport(home.node), silentLogger, { readOnly: true })
  return { reader: new Views({ replica: opened.replica, blobs: opened.blobs }), close: () => opened.close() }
}

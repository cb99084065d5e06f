/** Reads a stopped node's home: the catalog, its docs and its log, as they are on disk. */
import { join } from 'node:path'
import { readConfigFile } from '../config.js'
import { systemClock } from '../runtime-node.js'
import { silentLogger } from '../runtime.js'
import { destroyStore } from '../store/index.js'
import { Custodian } from './custodian.js'
import { custodyOf } from './custody.js'
import { HOME_DIRS, readHome } from './home.js'
import { contentsFor } from './make-adapter.js'
import { noTransport, openHome } from './open.js'
import { Views } from './views.js'

/** Throws `home-missing`, `home-locked` when a process works on it, or `store-failed`. */
export async function openOffline(path: string): Promise<{ reader: Views; close(): Promise<void> }> {
  const home = await readHome(path)
  const opened = await openHome(home, noTransport(home.node), silentLogger, { readOnly: true })
  const { replica, blobs, report } = opened
  let rebuild = false
  // nobody is connected: what is damaged is named, and an index that is damaged made again when the home is closed
  const custodian = new Custodian(
    {
      home: path,
      key: home.keys.publicKey,
      replica,
      report,
      heldBefore: opened.heldBefore,
      blobs,
      clock: systemClock,
      logger: silentLogger,
      peers: () => 0,
      want: () => undefined,
      rebuild: () => (rebuild = true),
      emit: () => undefined
    },
    { bytesPerSecond: 0 }
  )
  await custodian.start()
  return {
    reader: new Views({
      ...{ home, replica, blobs, index: opened.index, custody: custodyOf(home, opened, custodian) },
      contents: contentsFor(await readConfigFile(path))
    }),
    close: async () => {
      await custodian.stop()
      await opened.close()
      if (rebuild) await destroyStore(join(path, HOME_DIRS.index))
    }
  }
}

/** Makes the index of a stopped home again from its log. */
import { join } from 'node:path'
import { silentLogger, type Logger } from '../runtime.js'
import { destroyStore } from '../store/index.js'
import { HOME_DIRS, readHome } from './home.js'
import { noTransport, openHome } from './open.js'

export interface RebuildView {
  records: number
  entries: number
  waiting: number
  /** Places of the log that do not read back. */
  damaged: number
  root: string
}

/** Throws `home-missing`, and `home-locked` while a daemon runs on the home. */
export async function rebuildIndex(options: {
  home: string
  onProgress?: (records: number) => void
  logger?: Logger
}): Promise<RebuildView> {
  const home = await readHome(options.home)
  // an index that knows more than the log must be heard before it is gone
  const before = await openHome(home, noTransport(home.node), silentLogger, { readOnly: true })
  await before.close()
  await destroyStore(join(options.home, HOME_DIRS.index))
  const opened = await openHome(home, noTransport(home.node), options.logger ?? silentLogger, {
    readOnly: true,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress })
  })
  try {
    const { replica, report } = opened
    return {
      records: report.indexed,
      entries: replica.catalog.entries,
      waiting: replica.waiting,
      damaged: report.damaged.length,
      root: replica.catalog.root()
    }
  } finally {
    await opened.close()
  }
}

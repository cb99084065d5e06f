/** The process behind `probeStore`: opens the database named by its argument, reads all of it, answers by exit code. */
import type { GrapevineError } from '../errors.js'
import { openDatabase } from './database.js'
import { readError } from './level-errors.js'
import { PROBE_EXIT } from './probe-exit.js'
import { decodeRow } from './rows.js'

/** Bytes fetched from LevelDB at once. */
const READ_BYTES = 256 * 1024

async function readEverything(path: string): Promise<void> {
  const database = await openDatabase(path, {}, false)
  try {
    for await (const [key, row] of database.iterator({ highWaterMarkBytes: READ_BYTES })) decodeRow(key, row)
  } finally {
    await database.close()
  }
}

function exitCodeOf(error: GrapevineError): number {
  if (error.code === 'store-damaged') return PROBE_EXIT.damaged
  return error.code === 'home-locked' ? PROBE_EXIT.locked : PROBE_EXIT.failed
}

try {
  await readEverything(process.argv[2] ?? '')
  process.exitCode = PROBE_EXIT.ok
} catch (error) {
  process.exitCode = exitCodeOf(readError(error, 'The index cannot be read'))
}

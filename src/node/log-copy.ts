/**
 * Writes the log of a stopped home anew without some of its records. The copy takes the place of the log only when it is
 * complete: a crash leaves the one or the other, and the next open finishes what was begun.
 */
import { access, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../durable.js'
import { GrapevineError } from '../errors.js'
import { SegmentLog } from '../log/index.js'
import { BaseFile } from '../replica/index.js'
import { NodeDisk } from '../runtime-node.js'
import { silentLogger } from '../runtime.js'
import { decodeRecord, type SignedRecord } from '../wire/index.js'
import { HOME_DIRS } from './home.js'

/** Being written; worth nothing. */
const COPYING = 'log.copying'
/** Complete, and about to be the log. */
const COMPLETE = 'log.new'
const BEFORE = 'log.old'
/** Bytes appended at once. */
const APPEND_BYTES = 4 * 1024 * 1024

/** `keep` is asked for every record that can be read; what this version cannot read is kept. Returns those left out. */
export async function copyLogWithout(home: string, keep: (record: SignedRecord) => boolean): Promise<Uint8Array[]> {
  await finishLogCopy(home)
  const from = await SegmentLog.open(new NodeDisk(join(home, HOME_DIRS.log)), { logger: silentLogger })
  const left: Uint8Array[] = []
  try {
    const to = await SegmentLog.open(new NodeDisk(join(home, COPYING)), { logger: silentLogger })
    try {
      let batch: Uint8Array[] = []
      let bytes = 0
      for await (const scanned of from.scan()) {
        if ('damaged' in scanned) continue
        const record = readable(scanned.bytes)
        if (record !== undefined && !keep(record)) {
          left.push(scanned.bytes)
          continue
        }
        batch.push(scanned.bytes)
        bytes += scanned.bytes.length
        if (bytes < APPEND_BYTES) continue
        await to.append(batch)
        batch = []
        bytes = 0
      }
      await to.append(batch)
      await new BaseFile(new NodeDisk(join(home, HOME_DIRS.log))).copyTo(new NodeDisk(join(home, COPYING)))
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
  await rename(join(home, COPYING), join(home, COMPLETE))
  await syncDirectory(home)
  await finishLogCopy(home)
  return left
}

/** Puts a complete copy in the place of the log, and removes what an interrupted one left. */
export async function finishLogCopy(home: string): Promise<void> {
  await rm(join(home, COPYING), { recursive: true, force: true })
  if (await exists(join(home, COMPLETE))) {
    if (await exists(join(home, HOME_DIRS.log))) await rename(join(home, HOME_DIRS.log), join(home, BEFORE))
    await rename(join(home, COMPLETE), join(home, HOME_DIRS.log))
    await syncDirectory(home)
  }
  await rm(join(home, BEFORE), { recursive: true, force: true })
}

function readable(bytes: Uint8Array): SignedRecord | undefined {
  try {
    return decodeRecord(bytes)
  } catch (error) {
    if (error instanceof GrapevineError) return undefined
    throw error
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}

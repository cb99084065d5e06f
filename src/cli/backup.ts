/** `grapevine backup`: everything that makes this node in one file, while it runs or not. */
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { syncDirectory } from '../durable.js'
import { diskError, GrapevineError, isErrno } from '../errors.js'
import type { CommandDefinition, Context } from './context.js'
import type { BackupView } from './lifecycle.js'
import { print } from './print.js'
import { withReader } from './reading.js'
import { bytesText, pairs, safe, shortTime } from './terminal.js'

export interface BackupOptions {
  file: string
}

/** A backup begins with these bytes: only a file that does is ever replaced. */
const MAGIC = Buffer.from('gvbk')

export async function run(options: BackupOptions, context: Context): Promise<void> {
  const file = resolve(context.cwd, options.file)
  await mustBeReplaceable(file)
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}.partial`)
  const lifecycle = await context.lifecycle()
  let view: BackupView
  try {
    await withReader(context, (reader) => writeDurably(temporary, reader.backup()))
    // what was written is read back before it takes the place of an older one
    view = await lifecycle.checkBackup(temporary)
    await onDisk(file, async () => {
      await rename(temporary, file)
      await syncDirectory(dirname(file))
    })
  } finally {
    await rm(temporary, { force: true })
  }
  await print(context, { file, ...view }, () => backupText(file, view))
  if (view.damaged.length + view.missingBlobs.length > 0) throw incomplete(view)
}

async function mustBeReplaceable(file: string): Promise<void> {
  let handle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw diskError(error, 'store-failed', `${file} cannot be looked at`)
  }
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
    if (bytesRead === MAGIC.length && buffer.equals(MAGIC)) return
  } catch (error) {
    if (!isErrno(error, 'EISDIR')) throw diskError(error, 'store-failed', `${file} cannot be looked at`)
  } finally {
    await handle.close()
  }
  throw new GrapevineError('not-empty', `${file} is there already and is no backup`, {
    next: 'choose another name; only an older backup is ever replaced',
    facts: { file }
  })
}

/** Readable by us alone: it holds the node's key. */
async function writeDurably(file: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await rm(file, { force: true })
  const handle = await onDisk(file, () => open(file, 'wx', 0o600))
  try {
    for await (const chunk of bytes) await onDisk(file, () => handle.writeFile(chunk))
    await onDisk(file, () => handle.sync())
  } finally {
    await handle.close()
  }
}

async function onDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error, 'store-failed', `${file} cannot be written`)
  }
}

function backupText(file: string, view: BackupView): string {
  return pairs([
    ['backup', file],
    ['of', `${view.name} (${view.node}), cluster ${view.clusterName}`],
    ['made', shortTime(view.created)],
    ['holds', `${view.records} records, ${view.blobs} blobs, ${bytesText(view.bytes)}`],
    ['private', 'it holds the key of this node: keep it where only you can read it']
  ])
}

function incomplete({ damaged, missingBlobs }: BackupView): GrapevineError {
  return new GrapevineError(
    'store-damaged',
    `the backup was made, but ${damaged.length} places of the log and ${missingBlobs.length} blobs are damaged here and not in it`,
    { next: 'heal them with "grapevine scrub" while other nodes are connected, then make the backup again' }
  )
}

export function restoredText(home: string, view: BackupView): string {
  return pairs([
    ['restored', `${safe(view.name)} (${view.node}), cluster ${view.clusterName}`],
    ['as of', shortTime(view.created)],
    ['holds', `${view.records} records, ${view.blobs} blobs`],
    ['home', home]
  ])
}

export const definition: CommandDefinition = {
  name: 'backup',
  about: 'write everything that makes this node into one file',
  arguments: [{ name: '<file>', about: 'where to; an older backup there is replaced' }],
  run
}

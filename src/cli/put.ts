/** `grapevine put`: stores a file or stdin under a path, streamed. */
import { open, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { GrapevineError, isErrno, reasonOf } from '../errors.js'
import { DEFAULT_REPLICATED_TIMEOUT_MS, MAX_REPLICAS } from '../control/limits.js'
import type { PutOptions as WriteOptions } from '../control/target.js'
import { entryPath } from './catalog-path.js'
import type { CommandDefinition, Context } from './context.js'
import { durationText, parseDuration } from './duration.js'
import { printReceipt } from './receipt.js'

export interface PutOptions {
  path: string
  file?: string
  replicated?: number
  timeout: number
}

export async function run(options: PutOptions, context: Context): Promise<void> {
  const path = entryPath(options.path)
  if (options.file !== undefined && options.file !== '-')
    return putFile(path, resolve(context.cwd, options.file), context, waitOf(options))
  if (options.file === undefined && context.stdin.isTTY) {
    throw new GrapevineError('usage', 'there is nothing to put', {
      next: `name a file, as in \`grapevine put ${path} FILE\`, or give the bytes on stdin`
    })
  }
  await printReceipt(context, 'put', await context.daemon.put(path, context.stdin, waitOf(options)))
}

type Wait = Pick<WriteOptions, 'replicated' | 'timeoutMs'>

function waitOf({ replicated, timeout }: PutOptions): Wait {
  return replicated === undefined ? {} : { replicated, timeoutMs: timeout }
}

function parseCopies(text: string): number {
  const copies = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (copies >= 1 && copies <= MAX_REPLICAS) return copies
  throw new GrapevineError('usage', `"${text}" is not a number of nodes`, { next: `give 1 to ${MAX_REPLICAS}` })
}

/** A file brings its exec bit with it. */
async function putFile(path: string, file: string, context: Context, wait: Wait): Promise<void> {
  const handle = await openFile(file)
  try {
    const stat = await handle.stat()
    if (stat.isDirectory()) {
      throw new GrapevineError('not-a-file', `${file} is a directory`, {
        next: 'put its files one by one, or copy it into the shared directory',
        facts: { file }
      })
    }
    const receipt = await context.daemon.put(path, bytesOf(handle, file), { exec: (stat.mode & 0o100) !== 0, ...wait })
    await printReceipt(context, 'put', receipt)
  } finally {
    await handle.close()
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r')
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR'))
      throw new GrapevineError('not-found', `there is no file ${file}`, {
        next: 'check its name',
        facts: { file },
        cause
      })
    throw unreadable(file, cause)
  }
}

async function* bytesOf(handle: FileHandle, file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function unreadable(file: string, cause: unknown): GrapevineError {
  return new GrapevineError('file-unreadable', `${file} cannot be read: ${reasonOf(cause)}`, {
    next: 'check who may read it',
    facts: { file },
    cause
  })
}

export const definition: CommandDefinition = {
  name: 'put',
  about: 'store a file under a path',
  arguments: [
    { name: '<path>', about: 'where in the catalog' },
    { name: '[file]', about: 'what to store; - or nothing reads stdin' }
  ],
  options: [
    { flags: '--replicated <n>', about: 'wait until so many other nodes hold it durably', parse: parseCopies },
    {
      flags: '--timeout <duration>',
      about: 'how long to wait for them',
      default: durationText(DEFAULT_REPLICATED_TIMEOUT_MS).replace(' ', ''),
      parse: parseDuration
    }
  ],
  run
}

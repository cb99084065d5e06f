/** The few things this part does with files that node:fs leaves to its callers. */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from '../durable.js'
import { isErrno } from '../errors.js'

export const DIRECTORY_MODE = 0o700
export const FILE_MODE = 0o600

/** A symlink where one of our files should be is never followed. */
export function openForReading(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
}

export function openForWriting(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE)
}

/** Up to `length` bytes from `offset`; fewer at the end of the file. */
export async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length)
  return buffer.subarray(0, await readInto(file, offset, buffer))
}

/** Fills `into` from `offset` on, and says how far: less at the end of the file. */
export async function readInto(file: FileHandle, offset: number, into: Uint8Array): Promise<number> {
  let filled = 0
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

export async function writeAt(file: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written)
    written += bytesWritten
  }
}

/** Creates a directory only we can look into; durable when it resolves. */
export async function ensureDirectory(path: string): Promise<void> {
  const created = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
  if (created !== undefined) await syncDirectory(dirname(path))
}

/** Removes a file that may already be gone. */
export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error
  })
}

/** Whether a failed read means that the bytes are gone for good, as opposed to a passing trouble. */
export function meansLost(error: unknown): boolean {
  return isErrno(error, 'ENOENT', 'EIO', 'EISDIR', 'ELOOP', 'ENOTDIR')
}

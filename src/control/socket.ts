/**
 * Where the control socket lies and who may reach it. The file system is the only gate in front of it: the directory
 * is 0700 and ours, the socket 0600. A home whose path is too long for a unix socket keeps its socket in a private
 * directory under the temporary directory, and the path of it in `<home>/control.path`.
 */
import { lstat, mkdtemp, readFile, rename, rm, rmdir, stat as statOf, unlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { checkClosed, whyOpen } from '../closed.js'
import { GrapevineError, isErrno, reasonOf } from '../errors.js'
import { MAX_SOCKET_PATH_BYTES, PROBE_TIMEOUT_MS } from './limits.js'

const SOCKET_NAME = 'control.sock'
const POINTER_NAME = 'control.path'
const FALLBACK_PREFIX = 'grapevine-'

/** Refuses a directory that is missing (`home-missing`), not ours, or open to other users (`home-unsafe`). */
export async function checkPrivateDirectory(path: string): Promise<void> {
  const stat = await statOf(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw homeMissing(path)
    throw unsafe(path, `cannot be looked at (${reasonOf(error)})`, 'run grapevine as the user who owns it')
  })
  if (!stat.isDirectory()) throw unsafe(path, 'is not a directory', 'name a directory with --home')
  checkClosed(path, stat)
}

/** The path a client connects to. Throws `home-missing`, `home-unsafe`; `daemon-unreachable` when there is no socket. */
export async function findSocket(home: string): Promise<string> {
  await checkPrivateDirectory(home)
  const path = directPath(home) ?? (await readPointer(home))
  if (path === undefined) throw daemonUnreachable(home)
  const stat = await lstat(path).catch(() => undefined)
  if (!stat) throw daemonUnreachable(home)
  if (whyOpen(stat) !== undefined) {
    throw unsafe(path, 'is open to other users', 'stop the daemon and start it again; it makes the socket private')
  }
  return path
}

/**
 * The path a server may listen on, with what a dead daemon left behind removed. A live daemon answers `home-locked`.
 * The node has taken its store's lock before this runs, so two starting daemons do not meet here; the probe tells what
 * is wrong when somebody did anyway.
 */
export async function claimSocketPath(home: string): Promise<string> {
  await checkPrivateDirectory(home)
  const direct = directPath(home)
  if (direct !== undefined) {
    await removeStale(home, direct)
    return direct
  }
  const left = await readPointer(home)
  if (left !== undefined) {
    await removeStale(home, left)
    await removeFallback(left)
  }
  const path = join(await makeFallback(), SOCKET_NAME)
  await writePointer(home, path)
  return path
}

/** Removes what a stopped server leaves; the socket itself is removed by closing it. */
export async function releaseSocketPath(home: string, path: string): Promise<void> {
  await rm(path, { force: true })
  if (path === directPath(home)) return
  await removeFallback(path)
  await rm(join(home, POINTER_NAME), { force: true })
}

/** Whether somebody accepts connections there. */
export async function isListening(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ path })
    const end = (answer: boolean): void => {
      socket.destroy()
      done(answer)
    }
    // silence counts as life: whoever accepts no more connections still holds the home
    socket.setTimeout(PROBE_TIMEOUT_MS, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', (error) => end(!isErrno(error, 'ECONNREFUSED', 'ENOENT', 'ENOTSOCK', 'ENOTDIR')))
  })
}

export function daemonUnreachable(home: string, cause?: unknown): GrapevineError {
  return new GrapevineError('daemon-unreachable', `no daemon answers on ${home}`, {
    next: 'start it with `grapevine start`, or name another home with --home',
    facts: { home },
    ...(cause === undefined ? {} : { cause })
  })
}

export function homeLocked(home: string): GrapevineError {
  return new GrapevineError('home-locked', `a daemon already runs on ${home}`, {
    next: 'use it, or stop it with `grapevine stop`',
    facts: { home }
  })
}

function homeMissing(home: string): GrapevineError {
  return new GrapevineError('home-missing', `there is no node in ${home}`, {
    next: 'make one with `grapevine start` or `grapevine join TOKEN`, or name another home with --home',
    facts: { home }
  })
}

function unsafe(path: string, what: string, next: string): GrapevineError {
  return new GrapevineError('home-unsafe', `${path} ${what}`, { next, facts: { path } })
}

/** The socket inside the home, or undefined when that path is too long for the system. */
function directPath(home: string): string | undefined {
  const path = join(resolve(home), SOCKET_NAME)
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES ? path : undefined
}

async function removeStale(home: string, path: string): Promise<void> {
  if (await isListening(path)) throw homeLocked(home)
  await unlink(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  })
}

async function makeFallback(): Promise<string> {
  const room = MAX_SOCKET_PATH_BYTES - Buffer.byteLength(join(FALLBACK_PREFIX + 'XXXXXX', SOCKET_NAME)) - 1
  const base = Buffer.byteLength(resolve(tmpdir())) <= room ? resolve(tmpdir()) : '/tmp'
  // mkdtemp makes the directory 0700
  return mkdtemp(join(base, FALLBACK_PREFIX))
}

async function removeFallback(path: string): Promise<void> {
  const directory = dirname(path)
  if (!basename(directory).startsWith(FALLBACK_PREFIX)) return
  await rmdir(directory).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT', 'ENOTEMPTY')) throw error
  })
}

/** The pointer is only believed when it leads into a private directory of ours. */
async function readPointer(home: string): Promise<string | undefined> {
  const text = await readFile(join(home, POINTER_NAME), 'utf8').catch(() => undefined)
  const path = text?.trim()
  if (path === undefined || !isAbsolute(path) || basename(path) !== SOCKET_NAME) return undefined
  try {
    await checkPrivateDirectory(dirname(path))
  } catch (error) {
    if (error instanceof GrapevineError && error.code === 'home-missing') return undefined
    throw error
  }
  return path
}

async function writePointer(home: string, path: string): Promise<void> {
  const pointer = join(home, POINTER_NAME)
  await writeFile(`${pointer}.new`, `${path}\n`, { mode: 0o600 })
  await rename(`${pointer}.new`, pointer)
}

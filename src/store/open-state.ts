import { readFileSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { isErrno } from '../errors.js'

/**
 * How the last use of an index ended.
 * - `clean`: closed properly, or new.
 * - `killed`: the process died but the machine did not restart since, so the system still wrote what it was given.
 * - `power-lost`: the machine restarted meanwhile (or that cannot be known): writes may be missing.
 */
export type OpenState = 'clean' | 'killed' | 'power-lost'

/** What stands in a store's directory: nothing, a usable state, or files that are not those it was closed with. */
export type StoreState = 'missing' | OpenState | 'damaged'

/**
 * The marker lies beside LevelDB's files, not in a row: it must be readable before LevelDB opens them (a damaged block
 * can abort the process), and one flipped byte of a manifest can hide any row, this one included.
 */
const MARKER = 'open-state.json'

interface Marker {
  readonly open: boolean
  /** Boot id of the machine during all use since the last proper close; absent where unknown. */
  readonly boot?: string
  /** What the data files looked like at the proper close. */
  readonly seal?: string
}

/** The kernel's id of this boot, or undefined where there is none. */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Looks at a store's directory without opening the database. `boot` is the id of the current boot. */
export async function storeState(path: string, boot: string | undefined = bootId()): Promise<StoreState> {
  const names = await listOrEmpty(path)
  const marker = await readMarker(path)
  // also where a process died between marking the store as open and making the database
  if (!names.includes('CURRENT') && marker?.open !== false) return names.some(isDataFile) ? 'damaged' : 'missing'
  if (marker === undefined) return 'power-lost'
  if (!marker.open) return marker.seal === (await sealOf(path)) ? 'clean' : 'damaged'
  return marker.boot !== undefined && marker.boot === boot ? 'killed' : 'power-lost'
}

/**
 * Says durably that the store is in use from now on. After `power-lost` the marker names no boot, so the same is found
 * again if we die before the caller has rebuilt the index.
 */
export async function markOpen(path: string, found: StoreState, boot: string | undefined = bootId()): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  if (found === 'killed') return
  const known = found !== 'power-lost' && boot !== undefined
  await writeMarker(path, known ? { open: true, boot } : { open: true })
}

/** Says durably that the database is closed, once all of its files are on disk. */
export async function markClosed(path: string): Promise<void> {
  for (const name of await listOrEmpty(path)) if (isDataFile(name)) await syncFile(join(path, name))
  await syncFile(path)
  await writeMarker(path, { open: false, seal: await sealOf(path) })
}

async function readMarker(path: string): Promise<Marker | undefined> {
  try {
    const marker: unknown = JSON.parse(await readFile(join(path, MARKER), 'utf8'))
    return typeof marker === 'object' && marker !== null && 'open' in marker ? (marker as Marker) : undefined
  } catch {
    return undefined
  }
}

async function writeMarker(path: string, marker: Marker): Promise<void> {
  const temporary = join(path, `${MARKER}.new`)
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(JSON.stringify(marker) + '\n')
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(path, MARKER))
  await syncFile(path)
}

/**
 * Names and content of the data files. LevelDB says nothing of what it does not find: one flipped byte of a manifest hid
 * half of the keys, one of its log all that was written behind it, and a node that misses entries of its own writes them
 * anew. Files of a closed database do not change, so comparing them is enough to notice. Takes about 1 ms a megabyte.
 */
async function sealOf(path: string): Promise<string> {
  const parts: string[] = []
  for (const name of (await listOrEmpty(path)).filter(isDataFile).sort()) {
    const bytes = await readFile(join(path, name))
    parts.push(`${name}:${bytes.length}:${crc32(bytes).toString(16)}`)
  }
  return parts.join(' ')
}

function isDataFile(name: string): boolean {
  return name === 'CURRENT' || name.startsWith('MANIFEST-') || /^\d+\.(log|ldb|sst)$/.test(name)
}

async function listOrEmpty(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** Makes a file or directory durable. Systems that cannot sync a directory order its changes themselves. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } catch (error) {
    if (!isErrno(error, 'EISDIR', 'EPERM', 'EINVAL', 'EBADF')) throw error
  } finally {
    await file.close()
  }
}

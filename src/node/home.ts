/** A node's home: its key, its cluster, and where everything it keeps lies. Open to nobody else. */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { KeyedLock } from '../blobs/index.js'
import { checkClosed } from '../closed.js'
import { writeWhole } from '../durable.js'
import { diskError, GrapevineError, isErrno } from '../errors.js'
import { keyPairOf, nodeIdOf, SEED_BYTES, type KeyPair } from '../identity/index.js'
import { bytesOf, hexOf } from '../wire/index.js'
import { encodeSums, firstDamaged, hashOf, readSums, SUMS_FILE, sumsOf } from './sums.js'

/** What a home says about its cluster. The secret is in a file of its own. */
export interface ClusterFile {
  readonly version: 1
  /** 32 hex. */
  readonly cluster: string
  readonly clusterName: string
  /** What this node called itself when it joined. */
  readonly nodeName: string
  /** What to do with files that are there before the first scan. */
  readonly adopt: 'merge' | 'cluster'
  /** Addresses of the issuer that worked when joining. */
  readonly peers: readonly string[]
  /** False for the founder: nothing to wait for before the first scan. */
  readonly joined: boolean
}

/** A later version may have more to say; it stays in the file. */
const CLUSTER_SHAPE = z.looseObject({
  version: z.literal(1),
  cluster: z.string().regex(/^[0-9a-f]{32}$/),
  clusterName: z.string(),
  nodeName: z.string(),
  adopt: z.enum(['merge', 'cluster']),
  peers: z.array(z.string()),
  joined: z.boolean()
})

export interface Home {
  readonly path: string
  readonly keys: KeyPair
  readonly node: string
  readonly cluster: ClusterFile
  /** Secrets of the cluster, 32 bytes each, the one that was learnt last in front. */
  readonly secrets: readonly Uint8Array[]
}

export const HOME_DIRS = {
  log: 'log',
  index: 'index',
  target: 'target',
  blobs: 'blobs',
  aside: 'aside',
  journal: 'journal'
} as const

export const KEY_FILE = 'node.key'
export const ROOT_FILE = 'root.key'
const SECRET_FILE = 'cluster.secret'
const SECRET_BYTES = 32
const CLUSTER_FILE = 'cluster.json'

/** Makes the directory, or checks that it is ours alone. Throws `home-unsafe`. */
export async function prepareHome(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw diskError(error, 'store-failed', `the home ${path} cannot be made`)
  }
  await checkPrivate(path)
}

/** Throws `home-unsafe` when others may look at it, or it is another user's. */
export async function checkPrivate(path: string): Promise<void> {
  checkClosed(path, await stat(path))
}

export async function homeExists(path: string): Promise<boolean> {
  return (await readPrivate(join(path, CLUSTER_FILE))) !== undefined
}

/** Whether a node has lived here, even if the file that says so is gone. */
export async function homeLived(path: string): Promise<boolean> {
  return (await readSums(path)) !== undefined
}

async function checkSums(path: string): Promise<void> {
  const sums = await readSums(path)
  const bad = sums === undefined ? undefined : await firstDamaged(path, sums)
  if (bad !== undefined) throw damaged(join(path, bad))
}

/** One change of a home after the other: each takes note of all the files that make the node. */
const changes = new KeyedLock()

/** Puts something in the place of a file that makes the node. A crash in between leaves one of the two, and both are known. */
export function replaceFile(path: string, name: string, hash: string, replace: () => Promise<void>): Promise<void> {
  return changes.run(path, async () => {
    await noteSums(path, new Map([[name, hash]]))
    await replace()
    await noteSums(path)
  })
}

/** Takes note of what the files are that make the node. */
export function writeSums(path: string): Promise<void> {
  return changes.run(path, () => noteSums(path))
}

/** `beside`: what one of them will be in a moment. */
async function noteSums(path: string, beside: ReadonlyMap<string, string> = new Map()): Promise<void> {
  await writeSumsOf(path, [KEY_FILE, ROOT_FILE, SECRET_FILE, CLUSTER_FILE], beside)
}

/** The root key is about to leave the home, which is then no damage. */
export async function disownRoot(path: string): Promise<void> {
  await changes.run(path, () => writeSumsOf(path, [KEY_FILE, SECRET_FILE, CLUSTER_FILE], new Map()))
}

async function writeSumsOf(path: string, names: readonly string[], beside: ReadonlyMap<string, string>): Promise<void> {
  const sums = await sumsOf(path, names)
  for (const [name, hash] of beside) sums.set(name, [...(sums.get(name) ?? []), hash])
  await writePrivate(join(path, SUMS_FILE), encodeSums(sums))
}

/** The error for a home whose cluster file is gone though a node lived in it. */
export function clusterFileGone(path: string): GrapevineError {
  return damaged(join(path, CLUSTER_FILE))
}

/** Reads a home. Throws `home-missing`, `home-unsafe` or `store-damaged`. */
export async function readHome(path: string): Promise<Home> {
  const cluster = await readPrivate(join(path, CLUSTER_FILE))
  if (cluster === undefined) {
    throw new GrapevineError('home-missing', `there is no node in ${path} yet`, {
      next: 'run "grapevine init", or "grapevine join TOKEN"',
      facts: { home: path }
    })
  }
  await checkPrivate(path)
  await checkSums(path)
  const seed = await readHex(join(path, KEY_FILE), SEED_BYTES)
  const keys = keyPairOf(seed)
  return {
    path,
    keys,
    node: nodeIdOf(keys.publicKey),
    cluster: parsed(join(path, CLUSTER_FILE), cluster, CLUSTER_SHAPE),
    secrets: await readSecrets(path)
  }
}

function damaged(file: string, cause?: unknown): GrapevineError {
  return new GrapevineError('store-damaged', `${file} is not what a node wrote there`, {
    next: 'restore it from a backup, or join again from an empty home',
    facts: { file },
    cause
  })
}

async function readSecrets(path: string): Promise<Uint8Array[]> {
  const file = join(path, SECRET_FILE)
  const lines = ((await readPrivate(file)) ?? '').split('\n').filter((line) => line !== '')
  const secrets = lines.map((line) => bytesOf(line))
  if (secrets.length === 0 || secrets.some((secret) => secret.length !== SECRET_BYTES)) throw damaged(file)
  return secrets
}

/** Keeps the secrets of the cluster; whole and durable when it resolves. */
export async function writeSecrets(path: string, secrets: readonly Uint8Array[]): Promise<void> {
  const text = secrets.map((secret) => `${hexOf(secret)}\n`).join('')
  await replaceText(path, SECRET_FILE, text)
}

async function readHex(file: string, length: number): Promise<Uint8Array> {
  const text = await readPrivate(file)
  const bytes = bytesOf(text?.trim() ?? '')
  if (bytes.length !== length) throw damaged(file)
  return bytes
}

/** The key of this home, made when there is none yet: a join that failed is tried again with the same one. */
export async function ensureKey(
  path: string,
  random: (length: number) => Uint8Array,
  name = KEY_FILE
): Promise<KeyPair> {
  const file = join(path, name)
  if ((await readPrivate(file)) === undefined) await writePrivate(file, `${hexOf(random(SEED_BYTES))}\n`)
  return keyPairOf(await readHex(file, SEED_BYTES))
}

export async function writeRootKey(path: string, keys: KeyPair): Promise<void> {
  await writePrivate(join(path, ROOT_FILE), `${hexOf(keys.seed)}\n`)
}

/** The cluster file comes last: a home without it is no node yet. */
export async function writeCluster(path: string, cluster: ClusterFile, secrets: readonly Uint8Array[]): Promise<void> {
  if (await homeExists(path)) await writeSecrets(path, secrets)
  else await writePrivate(join(path, SECRET_FILE), secrets.map((secret) => `${hexOf(secret)}\n`).join(''))
  const text = `${JSON.stringify(cluster, null, 2)}\n`
  // a home without it is no node yet, and nothing there says that it was one
  if (await homeExists(path)) return replaceText(path, CLUSTER_FILE, text)
  await writePrivate(join(path, CLUSTER_FILE), text)
  await writeSums(path)
}

function replaceText(path: string, name: string, text: string): Promise<void> {
  return replaceFile(path, name, hashOf(Buffer.from(text)), () => writePrivate(join(path, name), text))
}

/** Undefined when there is no such file. Throws `store-damaged` for what does not have this shape, `home-unsafe`. */
export async function readJson<S extends z.ZodType>(file: string, shape: S): Promise<z.output<S> | undefined> {
  const text = await readPrivate(file)
  return text === undefined ? undefined : parsed(file, text, shape)
}

function parsed<S extends z.ZodType>(file: string, text: string, shape: S): z.output<S> {
  try {
    return shape.parse(JSON.parse(text))
  } catch (error) {
    throw damaged(file, error)
  }
}

/** As `readJson`; `instead` when what is there is damaged. */
export async function readJsonOr<S extends z.ZodType>(
  file: string,
  shape: S,
  instead: z.output<S> | undefined
): Promise<z.output<S> | undefined> {
  try {
    return await readJson(file, shape)
  } catch (error) {
    if (error instanceof GrapevineError && error.code === 'store-damaged') return instead
    throw error
  }
}

async function readPrivate(file: string): Promise<string | undefined> {
  try {
    await checkPrivate(file)
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw diskError(error, 'store-failed', `${file} cannot be read`)
  }
}

/** Writes a small file whole or not at all, readable by us alone, durable when it resolves. */
export async function writePrivate(file: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeWhole(file, content)
  } catch (error) {
    throw diskError(error, 'store-failed', `${file} cannot be written`)
  }
}

export function defaultName(): string {
  return hostname().slice(0, 64) || 'node'
}

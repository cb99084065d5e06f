/** Files that somebody, or a disk, may have changed: segments, backups, the small files of a home. */
import '../../../src/polyfill.js'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Journal, JOURNAL_FILE } from '../../../src/adapters/directory/journal.js'
import { loadConfig, SETTINGS } from '../../../src/config.js'
import { AddressFile } from '../../../src/node/address-file.js'
import { backupOf } from '../../../src/node/backup.js'
import { BackupWriter, KIND, readBackup } from '../../../src/node/backup-format.js'
import { ensureKey, prepareHome, readHome, writeCluster, writeSums } from '../../../src/node/home.js'
import { epochsBegunHere, newLifeOf } from '../../../src/node/life.js'
import { heldBeforeOf } from '../../../src/node/last-words.js'
import { Losses } from '../../../src/node/losses.js'
import { readParted } from '../../../src/node/parted.js'
import { checkBackup, restoreHome } from '../../../src/node/restore.js'
import { readRoot } from '../../../src/node/root-file.js'
import { ISSUER_FILE, readIssuer } from '../../../src/node/newcomer.js'
import { SUMS_FILE } from '../../../src/node/sums.js'
import { silentLogger } from '../../../src/runtime.js'
import { BlobStore } from '../../../src/blobs/index.js'
import { openLog, payload } from '../../log/segments-world.js'
import { Lab } from '../../replica/lab.js'
import { SimDisk } from '../../sim/disk.js'
import type { SeededRandom } from '../../sim/random.js'
import { harmBytes, harmJson, harmText, harmValue, jsonOf, TEXTS } from '../mutate.js'
import type { Session, Target } from '../target.js'

async function place(): Promise<{ path: string; close: () => Promise<void> }> {
  const path = mkdtempSync(join(tmpdir(), 'gv-fuzz-'))
  // also when the process ends on its way
  process.once('exit', () => rmSync(path, { recursive: true, force: true }))
  return { path, close: () => rm(path, { recursive: true, force: true }) }
}

async function segments(): Promise<Session> {
  const disk = new SimDisk()
  const log = await openLog(disk)
  await log.append(Array.from({ length: 30 }, (_, at) => payload(`payload ${at} `.repeat(1 + (at % 7)))))
  await log.close()
  const good = [disk.contentOf('00000001.seg')]
  return {
    make: (random) => harmBytes(random, good),
    take: async (bytes) => {
      const harmed = new SimDisk()
      harmed.place('00000001.seg', bytes)
      const opened = await openLog(harmed)
      let frames = 0
      for await (const scanned of opened.scan()) frames += 'at' in scanned ? 1 : 0
      await opened.close()
      return { frames }
    }
  }
}

interface MadeHome {
  readonly home: string
  readonly cluster: string
}

async function makeHome(path: string): Promise<MadeHome> {
  const home = join(path, 'home')
  await prepareHome(home)
  await ensureKey(home, (length) => randomBytes(length))
  const cluster = 'ab'.repeat(16)
  await writeCluster(
    home,
    {
      version: 1,
      cluster,
      clusterName: 'maps',
      nodeName: 'n',
      adopt: 'merge',
      peers: ['/ip4/127.0.0.1/tcp/1'],
      joined: true
    },
    [randomBytes(32)]
  )
  return { home, cluster }
}

interface Frame {
  readonly kind: number
  readonly payload: Buffer
}

/** A backup whose frames say something else under checksums that hold. */
function harmBackup(random: SeededRandom, frames: readonly Frame[]): Uint8Array {
  const writer = new BackupWriter()
  const parts: Uint8Array[] = [writer.head()]
  const which = random.below(frames.length)
  for (const [at, { kind, payload: bytes }] of frames.entries()) {
    if (kind === KIND.end && at !== which) parts.push(writer.end(JSON.parse(bytes.toString()) as object))
    else if (at !== which) parts.push(writer.frame(kind, bytes))
    else parts.push(...harmFrame(random, writer, { kind, payload: bytes }))
  }
  return Buffer.concat(parts)
}

function harmFrame(random: SeededRandom, writer: BackupWriter, { kind, payload: bytes }: Frame): Buffer[] {
  const isJson = kind === KIND.about || kind === KIND.blob || kind === KIND.end
  const value: unknown = isJson ? JSON.parse(bytes.toString()) : undefined
  switch (random.below(5)) {
    case 0:
      return []
    case 1:
      return [writer.frame(kind, bytes), writer.frame(kind, bytes)]
    case 2:
      return [writer.frame(random.pick(Object.values(KIND)), bytes)]
    default: {
      if (kind === KIND.end && random.chance(0.7)) return [endOf(writer, objectOf(harmValue(random, value)))]
      return [writer.frame(kind, isJson ? harmJson(random, [value]) : harmBytes(random, [bytes]))]
    }
  }
}

function endOf(writer: BackupWriter, counts: object): Buffer {
  try {
    return writer.end(counts)
  } catch (error) {
    // deeper than JSON is written
    if (error instanceof RangeError) return writer.end({})
    throw error
  }
}

/** What JSON can say of it. */
function objectOf(value: unknown): object {
  const plain: unknown = JSON.parse(jsonOf(value))
  return typeof plain === 'object' && plain !== null ? plain : {}
}

async function backups(restores: boolean): Promise<Session> {
  const { path, close } = await place()
  const { home } = await makeHome(path)
  const [node] = await new Lab().nodes(1)
  await node!.put('f', 'x')
  const blobs = new BlobStore({ logger: silentLogger }, { directory: join(path, 'blobs') })
  await blobs.open()
  await blobs.put(
    (async function* () {
      yield Buffer.alloc(20_000, 7)
    })()
  )
  const parts: Uint8Array[] = []
  const cluster = { ...(await readHome(home)) }
  for await (const part of backupOf({
    home: { ...cluster, cluster: { ...cluster.cluster, cluster: node!.lab.cluster } },
    records: node!.replica,
    blobs
  }))
    parts.push(part)
  await blobs.close()
  const good = Buffer.concat(parts)
  const frames: Frame[] = []
  for await (const { kind, payload: bytes } of readBackup(
    (async function* () {
      yield good
    })()
  ))
    frames.push({ kind, payload: Buffer.from(bytes) })
  const file = join(path, 'backup')
  const into = join(path, 'into')
  return {
    make: (random) => (random.chance(restores ? 0.1 : 0.4) ? harmBytes(random, [good]) : harmBackup(random, frames)),
    take: async (bytes) => {
      await writeFile(file, bytes)
      if (!restores) return checkBackup(file)
      await restoreHome({ file, home: into })
      await rm(into, { recursive: true, force: true })
      return undefined
    },
    // half a home must not be started
    state: async () => (await readdir(into).catch(() => [])).join(),
    close
  }
}

const LOSSES = {
  version: 1,
  open: [{ kind: 'record', log: 'ab'.repeat(16), author: 'x', seq: 1, paths: ['a'] }],
  acknowledged: [{ kind: 'blob', hash: 'cd'.repeat(32), size: 4, paths: [] }],
  healed: ['1/12']
}

/** Small files of the home: name, what is in it, and who reads it. */
const SMALL: ReadonlyArray<readonly [name: string, good: unknown, read: (home: string) => Promise<unknown>]> = [
  [
    'losses.json',
    LOSSES,
    async (home) => {
      const losses = new Losses(home)
      await losses.load()
      return [losses.open, losses.wasHealed({ segment: 1, offset: 12 })]
    }
  ],
  ['parted.json', { version: 1, logs: ['ab'.repeat(16)] }, readParted],
  ['new-life.json', { version: 1, why: 'restored', at: 'x' }, newLifeOf],
  [
    'life.json',
    { version: 1, inode: '5', changedNs: '6', epochs: ['a'] },
    async (home) => [await newLifeOf(home), await epochsBegunHere(home)]
  ],
  ['root-identity.json', { dir: '/srv', root: { ino: '1', dev: '2' } }, (home) => readRoot(home, '/srv', silentLogger)],
  [
    'addresses.json',
    [{ node: 'x', address: '/ip4/127.0.0.1/tcp/1', lastOk: 5 }],
    async (home) => (await new AddressFile(join(home, 'addresses.json'), silentLogger).open()).load()
  ],
  [
    'cluster.json',
    {
      version: 1,
      cluster: 'ab'.repeat(16),
      clusterName: 'maps',
      nodeName: 'n',
      adopt: 'merge',
      peers: ['/ip4/127.0.0.1/tcp/1'],
      joined: true
    },
    async (home) => {
      // whoever wrote it wrote its sum as well
      await writeSums(home)
      const { cluster } = await readHome(home)
      return [...cluster.peers, cluster.clusterName.length, cluster.nodeName.length]
    }
  ],
  [
    'held-before.json',
    { version: 1, held: [{ log: 'ab'.repeat(16), author: 'cd'.repeat(32), seq: 5, paths: [[5, ['a']]] }] },
    heldBeforeOf
  ],
  [ISSUER_FILE, { version: 1, held: [{ log: 'ab'.repeat(16), seq: 5, head: 'cd'.repeat(8) }] }, readIssuer],
  [SUMS_FILE, {}, readHome],
  ['node.key', 'ab'.repeat(32), readHome],
  ['cluster.secret', 'ab'.repeat(32), readHome]
]

async function smallFiles(): Promise<Session> {
  const { path, close } = await place()
  const { home } = await makeHome(path)
  const files = new Map<string, Buffer>()
  for (const name of await readdir(home)) files.set(name, await readFile(join(home, name)))
  return {
    make: (random) => {
      const which = random.below(SMALL.length)
      const [, good] = SMALL[which]!
      const bytes = typeof good === 'string' ? harmText(random, [good]) : harmJson(random, [good])
      return Buffer.concat([Uint8Array.of(which), bytes])
    },
    take: async (input) => {
      const [name, , read] = SMALL[input[0]!]!
      const file = join(home, name)
      await writeFile(file, input.subarray(1), { mode: 0o600 })
      try {
        return { read: await read(home) }
      } finally {
        const before = files.get(name)
        if (before === undefined) await rm(file, { force: true })
        else await writeFile(file, before, { mode: 0o600 })
        await writeFile(join(home, SUMS_FILE), files.get(SUMS_FILE)!, { mode: 0o600 })
      }
    },
    close
  }
}

async function journals(): Promise<Session> {
  const { path, close } = await place()
  const entry = {
    root: { ino: '1', dev: '2', place: 'x' },
    steps: [{ item: { do: 'mkdir', path: 'a', expect: null }, staged: null }]
  }
  const journal = new Journal(path)
  await journal.begin(entry as never)
  const good = [await readFile(join(path, JOURNAL_FILE))]
  return {
    make: (random) => harmBytes(random, good),
    take: async (bytes) => {
      await writeFile(join(path, JOURNAL_FILE), bytes)
      return { read: await journal.read() }
    },
    close
  }
}

const CONFIG = Object.fromEntries(Object.entries(SETTINGS).map(([name, { default: value }]) => [name, value]))

async function configFiles(): Promise<Session> {
  const { path, close } = await place()
  return {
    make: (random) => harmJson(random, [CONFIG]),
    take: async (bytes) => {
      await writeFile(join(path, 'config.json'), bytes)
      return loadConfig({ home: path, cwd: path, env: {} })
    },
    close
  }
}

/** Settings in variables and flags: a JSON object of both. */
async function variables(): Promise<Session> {
  const { path, close } = await place()
  const names = Object.keys(SETTINGS)
  return {
    make: (random) => {
      const some = (prefix: boolean): Record<string, unknown> =>
        Object.fromEntries(
          Array.from({ length: random.below(4) }, () => {
            const name = random.pick(names)
            const text = random.chance(0.5)
              ? random.pick(TEXTS)
              : Buffer.from(harmText(random, ['true', '5', '/ip4/1.2.3.4/tcp/5,x', 'info'])).toString()
            return [prefix ? `GRAPEVINE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}` : name, text]
          })
        )
      return Buffer.from(JSON.stringify({ env: some(true), flags: some(false) }))
    },
    take: (bytes) => {
      const { env, flags } = JSON.parse(Buffer.from(bytes).toString()) as { env: Record<string, string>; flags: object }
      return loadConfig({ home: path, cwd: path, env, flags })
    },
    close
  }
}

export const FILES: readonly Target[] = [
  { name: 'segment', share: 3, codes: ['store-damaged', 'store-newer'], open: segments },
  { name: 'backup', share: 1, codes: ['backup-damaged', 'store-newer'], open: () => backups(false) },
  { name: 'restore', share: 0.1, codes: ['backup-damaged', 'store-newer', 'store-damaged'], open: () => backups(true) },
  { name: 'home files', share: 1, codes: ['store-damaged'], open: smallFiles },
  { name: 'journal', share: 1, codes: ['store-newer', 'store-failed'], open: journals },
  { name: 'config file', share: 2, codes: ['config-invalid'], open: configFiles },
  { name: 'settings', share: 3, codes: ['config-invalid'], open: variables }
]

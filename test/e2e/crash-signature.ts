/** Whether home and directory are as they were: two images with one signature need only one judgement. */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync, type BigIntStats } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '../../src/errors.js'

/** Files of LevelDB that say nothing: its diary, and an empty file that is locked. */
const SAYS_NOTHING = /(^|\/)(LOG|LOG\.old|LOCK)$/
/** A file that was changed less than this before it was read may change once more within one tick of its times, ns. */
const RACY_NS = 20_000_000n
const MS_IN_NS = 1_000_000n

interface Known {
  readonly stamp: string
  readonly hash: string
  readonly racy: boolean
}

/** Takes signatures of one place again and again, reading only what changed since. */
export class Signatures {
  readonly #home: string
  readonly #dir: string
  readonly #known = new Map<string, Known>()

  constructor(place: string) {
    this.#home = join(place, 'home')
    this.#dir = join(place, 'catalog')
  }

  take(): string {
    const sum = createHash('sha1')
    // a home tells by nothing but contents; of the directory inodes and times count too
    for (const [path, stat] of walk(this.#home, ''))
      sum.update(`h ${path} ${stat.mode} ${this.#contentOf(stat, path, this.#home)}\n`)
    for (const [path, stat] of walk(this.#dir, ''))
      sum.update(
        `d ${path} ${stat.ino} ${stat.mode} ${stat.isFile() ? stampOf(stat) : ''} ${this.#contentOf(stat, path, this.#dir)}\n`
      )
    return sum.digest('base64')
  }

  #contentOf(stat: BigIntStats, path: string, root: string): string {
    const file = join(root, path)
    if (stat.isSymbolicLink()) return readlinkSync(file)
    if (!stat.isFile()) return ''
    const stamp = stampOf(stat)
    const known = this.#known.get(file)
    if (known?.stamp === stamp && !known.racy) return known.hash
    const racy = stat.ctimeNs + RACY_NS > BigInt(Date.now()) * MS_IN_NS
    const hash = hashOf(file)
    this.#known.set(file, { stamp, hash, racy })
    return hash
  }
}

function hashOf(file: string): string {
  try {
    return createHash('sha1').update(readFileSync(file)).digest('base64')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

/** Every path below `root`, sorted in each directory. LevelDB may remove files meanwhile: what is gone is left out. */
function* walk(root: string, below: string): Generator<[string, BigIntStats]> {
  for (const name of readdirSync(join(root, below)).sort()) {
    const path = join(below, name)
    const stat = lstatSync(join(root, path), { bigint: true, throwIfNoEntry: false })
    if (stat === undefined || stat.isSocket() || SAYS_NOTHING.test(path)) continue
    yield [path, stat]
    if (stat.isDirectory()) yield* walk(root, path)
  }
}

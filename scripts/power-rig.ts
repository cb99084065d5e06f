/** Power cuts without a device mapper: an ext4 image in an XFS that can share blocks; copying the image is the cut. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { call } from '../test/e2e/call.js'

/** Sizes of the images, as truncate takes them; both are sparse. */
const XFS_SIZE = '6G'
const EXT4_SIZE = '1G'

/** What the rig calls, and the Debian package it comes with. */
const TOOLS: ReadonlyArray<readonly [string, string]> = [
  ['mkfs.xfs', 'xfsprogs'],
  ['mkfs.ext4', 'e2fsprogs'],
  ['losetup', 'mount'],
  ['unshare', 'util-linux'],
  ['ip', 'iproute2']
]

/** Why there can be no power cuts here, or undefined. Installs what is missing. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.geteuid?.() !== 0) return 'it needs root, for loop mounts'
  const missing = TOOLS.filter(([tool]) => spawnSync('which', [tool]).status !== 0)
  if (missing.length === 0) return undefined
  const packages = [...new Set(missing.map(([, name]) => name))]
  process.stdout.write(`installing ${packages.join(', ')}\n`)
  const installed = spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
    encoding: 'utf8'
  })
  return installed.status === 0 ? undefined : `${packages.join(', ')} cannot be installed: ${installed.stderr.trim()}`
}

export class Rig {
  /** Where the file system that loses power is mounted. */
  readonly live: string
  readonly #xfs: string
  readonly #image: string
  #cuts = 0

  /** Throws, with what the system said, when loop mounts or shared blocks do not work. */
  constructor(place: string) {
    this.live = join(place, 'live')
    this.#xfs = join(place, 'xfs')
    this.#image = join(this.#xfs, 'disk.img')
    for (const path of [this.live, this.#xfs]) mkdirSync(path)
    try {
      call('truncate', '-s', XFS_SIZE, join(place, 'xfs.img'))
      call('mkfs.xfs', '-q', '-m', 'reflink=1', join(place, 'xfs.img'))
      call('mount', '-o', 'loop', join(place, 'xfs.img'), this.#xfs)
      call('truncate', '-s', EXT4_SIZE, this.#image)
      call('mkfs.ext4', '-q', '-F', this.#image)
      call('mount', '-o', 'loop', this.#image, this.live)
      // shows at once whether blocks can be shared
      this.discard(this.cut())
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The power is gone now: a copy of exactly what had reached the disk. Returns its path. */
  cut(): string {
    const copy = join(this.#xfs, `cut-${++this.#cuts}.img`)
    call('cp', '--reflink=always', this.#image, copy)
    return copy
  }

  discard(copy: string): void {
    rmSync(copy, { force: true })
  }

  close(): void {
    for (const path of [this.live, this.#xfs]) spawnSync('umount', ['-l', path], { stdio: 'ignore' })
  }
}

/**
 * Images of a home and its directory at one instant: snapshots of a file system of their own (btrfs). A snapshot holds
 * what a killed process leaves, whatever has reached the disk, and keeps inodes and times, by which a home tells that it
 * was copied. Needs root.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { reasonOf } from '../../src/errors.js'
import { call } from './call.js'

/** Size of the file system as truncate takes it; the file is sparse. */
const SIZE = '32G'
/** What is called, and the Debian package it comes with. */
const TOOLS: ReadonlyArray<readonly [string, string]> = [
  ['mkfs.btrfs', 'btrfs-progs'],
  ['losetup', 'mount'],
  ['unshare', 'util-linux']
]
const run = promisify(execFile)

/** Why there can be no images here, or undefined. */
export function whyNoImages(): string | undefined {
  if (process.platform !== 'linux') return 'images need Linux'
  if (process.geteuid?.() !== 0) return 'images need root, for loop mounts'
  const missing = TOOLS.filter(([tool]) => spawnSync('which', [tool]).status !== 0)
  return missing.length === 0 ? whyNoMount() : `images need ${missing.map(([, name]) => name).join(', ')}`
}

/** A container may be root and yet have no loop devices, no btrfs and no mount namespaces. */
function whyNoMount(): string | undefined {
  const place = mkdtempSync(join(tmpdir(), 'gv-images-'))
  const places = new Places(place)
  try {
    call('unshare', '--mount', 'true')
    places.mount()
    return undefined
  } catch (error) {
    return `images need mounts of btrfs over a loop device: ${reasonOf(error)}`
  } finally {
    places.unmount()
    rmSync(place, { recursive: true, force: true })
  }
}

/** The packages images need, where they can be installed. */
export function installForImages(): void {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0 || whyNoImages() === undefined) return
  spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...TOOLS.map(([, name]) => name)])
}

/** The places of a sweep below one directory. */
export class Places {
  /** Home and directory lie here for whoever looks, whichever of them are meant: paths are part of what is kept. */
  readonly here: string
  readonly #disk: string
  readonly #mounted: string

  constructor(place: string) {
    this.here = join(place, 'at')
    this.#disk = join(place, 'disk.img')
    this.#mounted = join(place, 'fs')
  }

  /** Makes the file system, or takes the one that is there. Throws, with what the system said. */
  mount(): void {
    const there = existsSync(this.#disk)
    for (const path of [this.here, this.#mounted]) mkdirSync(path, { recursive: true })
    if (!there) {
      call('truncate', '-s', SIZE, this.#disk)
      call('mkfs.btrfs', '-q', '-m', 'single', '-d', 'single', this.#disk)
    }
    call('mount', '-o', 'loop,noatime', this.#disk, this.#mounted)
  }

  unmount(): void {
    for (const path of [this.here, this.#mounted]) spawnSync('umount', ['-l', path], { stdio: 'ignore' })
  }

  /** A new empty image that can be written. */
  create(name: string): void {
    call('btrfs', '-q', 'subvolume', 'create', this.pathOf(name))
  }

  /** Shows an image at `here`, in place of what was shown before; for this mount namespace only. */
  async show(name: string): Promise<void> {
    await run('mount', ['--bind', this.pathOf(name), this.here])
  }

  async hide(): Promise<void> {
    await run('umount', ['-l', this.here])
  }

  async copy(from: string, to: string): Promise<void> {
    await run('btrfs', ['-q', 'subvolume', 'snapshot', this.pathOf(from), this.pathOf(to)])
  }

  /** As `copy`, while everything else of this thread stands still. */
  copyNow(from: string, to: string): void {
    execFileSync('btrfs', ['-q', 'subvolume', 'snapshot', this.pathOf(from), this.pathOf(to)])
  }

  async discard(...names: readonly string[]): Promise<void> {
    await run('btrfs', ['-q', 'subvolume', 'delete', ...names.map((name) => this.pathOf(name))])
  }

  /** Where an image lies for who looks at its files from outside. */
  pathOf(name: string): string {
    return join(this.#mounted, name)
  }
}

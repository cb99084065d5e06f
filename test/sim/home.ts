/** What a simulated node keeps: its disk, its index, and what the checks remember of what it promised. */
import type { NewLife } from '../../src/node/life.js'
import { frameBytes } from '../../src/log/frame.js'
import { segmentName } from '../../src/log/segment-files.js'
import type { Location } from '../../src/log/index.js'
import { MemoryContents } from './contents.js'
import { SimDisk } from './disk.js'
import type { SeededRandom } from './random.js'
import { SimStore } from './store.js'

export interface HomeBackup {
  readonly disk: ReadonlyMap<string, Uint8Array>
  readonly index: ReadonlyMap<string, Uint8Array | null>
  readonly rotten: boolean
}

export class SimHome {
  readonly disk = new SimDisk()
  readonly store = new SimStore()
  /** Pieces of checkpoints. They are durable when they are put, and nothing befalls them here. */
  readonly contents = new MemoryContents()
  /** The home was restored or copied, and knows it (see life.ts): the next process begins another life. */
  newLife: NewLife | undefined
  /** An older copy lies here and nothing says so: no user writes before the node has heard from the others. */
  quiet = false
  /** Bytes of its log were changed by the disk: until they are healed it may hold less than it said. */
  rotten = false
  /** Records acknowledged to users by a process on this home. */
  acknowledged: string[] = []
  /** The furthest a process on this home said it durably holds each log: no later one may hold less. */
  readonly held = new Map<string, number>()
  /** Up to where the records of each log were compared with everybody's. */
  readonly compared = new Map<string, number>()

  async backup(): Promise<HomeBackup> {
    return { disk: this.disk.backup(), index: await this.store.backup(), rotten: this.rotten }
  }

  /** Puts files of an earlier time in the place of those of now; what was promised since is forgotten. */
  async restore(backup: HomeBackup, index: 'none' | 'old' | 'kept'): Promise<void> {
    this.disk.restore(backup.disk)
    if (index === 'none') this.store.drop()
    else if (index === 'old') await this.store.place(backup.index)
    else this.store.kill()
    this.rotten = backup.rotten
    this.forget()
  }

  /** Whether the index, as it is written down, knows of more than the log of a backup holds. */
  indexIsAheadOf(backup: HomeBackup): boolean {
    const mark = this.store.get('~mark')
    if (mark === undefined) return false
    const row = Buffer.from(mark)
    const size = backup.disk.get(segmentName(row.readUInt32BE(0)))?.length ?? 0
    return row.readUIntBE(4, 6) > size
  }

  flipBit({ segment, offset, length }: Location, random: SeededRandom): void {
    const name = segmentName(segment)
    const at = offset + random.below(frameBytes(length))
    const byte = this.disk.contentOf(name)[at]!
    this.disk.damage(name, at, Uint8Array.of(byte ^ (1 << random.below(8))))
    this.rotten = true
  }

  forget(): void {
    this.held.clear()
    this.compared.clear()
  }

  /** The same files on another machine. */
  static async copyOf({ disk, index, rotten }: HomeBackup, withIndex: boolean): Promise<SimHome> {
    const copy = new SimHome()
    copy.disk.restore(disk)
    if (withIndex) await copy.store.place(index)
    copy.newLife = 'copied'
    copy.rotten = rotten
    return copy
  }
}

/** The part of the control API that is about keeping what is stored, for a running node and a stopped home alike. */
import type { LossView, ScrubLine } from '../control/target.js'
import { backupOf } from './backup.js'
import type { Custodian } from './custodian.js'
import type { Home } from './home.js'
import type { Opened } from './open.js'

export interface Custody {
  backup(): AsyncIterable<Uint8Array>
  scrub(options: { signal?: AbortSignal }): AsyncIterable<ScrubLine>
  acknowledgeLosses(): Promise<LossView[]>
}

/** `saveHome` brings to disk what a backup takes from files and a running node knows better. */
export function custodyOf(
  home: Home,
  { replica, blobs }: Opened,
  custodian: Custodian,
  saveHome: () => Promise<void> = async () => undefined
): Custody {
  return {
    async *backup() {
      await saveHome()
      yield* backupOf({ home, records: replica, blobs })
    },
    scrub: (options) => custodian.scrub(options),
    acknowledgeLosses: () => custodian.acknowledge()
  }
}

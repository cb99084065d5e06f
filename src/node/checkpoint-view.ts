/** Which checkpoints are in force, which are proposed, and who is awaited. */
import type { BlobStore } from '../blobs/index.js'
import type { CheckpointsView, CheckpointView } from '../control/checkpoint-views.js'
import { nodeIdOf, type Members } from '../identity/index.js'
import { isoTime, type Replica } from '../replica/index.js'
import { bytesOf, type Manifest } from '../wire/index.js'

export function checkpointsOf(
  replica: Pick<Replica, 'checkpoints' | 'members' | 'log' | 'stats'>,
  blobs: Pick<BlobStore, 'stats' | 'gone'>
): CheckpointsView {
  const { checkpoints, members, log } = replica
  const stored = blobs.stats()
  const nameOf = (key: string): string => nameOfKey(members, key)
  const inForce = checkpoints?.inForce
  return {
    inForce: inForce === undefined ? null : viewOf(inForce.top, checkpoints!.manifests.top!),
    floor: inForce?.floor === undefined ? null : viewOf(inForce.floor, checkpoints!.manifests.floor!),
    since: checkpoints?.since ?? 0,
    logBytes: replica.stats().bytes,
    contents: { count: stored.blobs, bytes: stored.bytes, letGo: blobs.gone },
    proposed: (checkpoints?.proposals ?? [])
      .filter(({ id }) => id !== inForce?.top.proposal.id)
      .map(({ id, author, time }) => ({
        proposal: id,
        author: nameOf(author),
        time: isoTime(time),
        awaited: checkpoints!.awaited(id).map(nameOf)
      })),
    settled: Object.fromEntries([...log.logs()].flatMap(({ log: of, floor }) => (floor > 0 ? [[of, floor]] : [])))
  }
}

/** What people call the member with this hex public key. */
export function nameOfKey(members: Members, key: string): string {
  return members.get(bytesOf(key))?.name ?? nodeIdOf(bytesOf(key))
}

function viewOf(
  { proposal, manifest, packs }: NonNullable<CheckpointOf>,
  { entries, chunks, logs }: Manifest
): CheckpointView {
  return {
    proposal: proposal.id,
    manifest: manifest.hash,
    entries,
    logs: logs.length,
    pieces: chunks.length,
    bytes: [...chunks, ...packs].reduce((sum, { size }) => sum + size, manifest.size)
  }
}

type CheckpointOf = NonNullable<NonNullable<Replica['checkpoints']>['inForce']>['top']

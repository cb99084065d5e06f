/** The pieces of checkpoints, kept in the blob store: peers fetch them like any content. */
import type { BlobFetcher, BlobServerDeps, BlobStore } from '../blobs/index.js'
import { GrapevineError } from '../errors.js'
import type { Contents, Replica } from '../replica/index.js'
import type { Clock, NodeId } from '../runtime.js'
import { bodyRefOf, type BodyRef } from '../wire/index.js'

export function contentsIn(blobs: BlobStore): Contents {
  return {
    put: async (bytes) => {
      const ref = bodyRefOf(bytes)
      // asked for like this it stays for a while (see `nextRound`)
      return blobs.has(ref.hash) ? ref : blobs.put(once(bytes))
    },
    get: async (ref) => {
      const parts: Uint8Array[] = []
      for await (const part of blobs.read(ref)) parts.push(part)
      return Buffer.concat(parts)
    }
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/**
 * What peers are answered from: the blob store, and small bodies that are kept in the index. Who lacks one of those, because
 * a record names it that does not carry it, asks for it like for any other.
 */
export function servedFrom(blobs: BlobStore, replica: Replica): BlobServerDeps['store'] {
  const inline = (hash: string): Uint8Array | undefined =>
    blobs.has(hash) ? undefined : replica.reader.inlineBody({ hash, size: 0 })
  return {
    sizeOf: (hash) => blobs.sizeOf(hash) ?? inline(hash)?.length,
    chunks: async (ref, from, into) => {
      const bytes = inline(ref.hash)
      if (bytes !== undefined && bytes.length === ref.size && from === 0) into.set(bytes)
      else await blobs.chunks(ref, from, into)
    },
    treeNode: (ref, address) => blobs.treeNode(ref, address),
    layout: blobs.layout
  }
}

/** How long all of it may take without one content arriving, ms. */
const STALLED_MS = 120_000
const POLL_MS = 50

/** Resolves when all of these contents are here, fetched from whoever has them. Throws `peer-unreachable`. */
export async function fetchAll(
  refs: readonly BodyRef[],
  { fetcher, blobs, clock }: { fetcher: BlobFetcher; blobs: BlobStore; clock: Clock },
  from: NodeId,
  ending: () => boolean
): Promise<void> {
  const missing = new Set(refs.filter(({ hash }) => !blobs.has(hash)))
  for (const ref of missing) fetcher.want(ref, [from])
  for (let since = clock.monotonic(); missing.size > 0;) {
    await new Promise<void>((resolve) => clock.timer(POLL_MS, resolve))
    for (const ref of missing) {
      if (!blobs.has(ref.hash)) continue
      missing.delete(ref)
      since = clock.monotonic()
    }
    if (ending() || clock.monotonic() - since > STALLED_MS)
      throw new GrapevineError('peer-unreachable', 'a checkpoint could not be fetched', {
        next: 'nothing: it is tried again, also with other peers',
        facts: { missing: missing.size }
      })
  }
}

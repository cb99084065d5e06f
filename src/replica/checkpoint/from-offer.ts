/** What an offer puts in force: read from contents that are all here. */
import { decodeManifest, decodeOffer, type BodyRef } from '../../wire/index.js'
import type { InForce, KeptCheckpoint } from './base-file.js'
import type { Contents } from './contents.js'

/** Of an offer that this node made or took over itself: nobody's word is asked for. Throws `blob-missing`. */
export async function fromOffer(offer: BodyRef, contents: Contents): Promise<InForce> {
  const { manifest, packs, ownPacks, proofs } = decodeOffer(await contents.get(offer))
  const top = await kept(manifest, ownPacks, contents)
  const { before } = decodeManifest(top.encoded)
  return { top, floor: before && (await kept(before.manifest, packs, contents)), offer, proofs }
}

async function kept(manifest: BodyRef, packs: readonly BodyRef[], contents: Contents): Promise<KeptCheckpoint> {
  const encoded = await contents.get(manifest)
  return { proposal: decodeManifest(encoded).proposal, manifest, packs, encoded }
}

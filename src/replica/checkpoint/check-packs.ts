/**
 * The small bodies that come with a checkpoint of a peer. Nobody vouches for them: who offers it may put anything there, so
 * that what entries do not name is neither fetched nor kept, and what cannot be read is found before it is in force.
 */
import { bodiesOf, readChunk, readPack } from '../../catalog/index.js'
import { GrapevineError } from '../../errors.js'
import type { Clock } from '../../runtime.js'
import { MAX_INLINE_BODY_BYTES, sha256, type BodyRef, type Manifest } from '../../wire/index.js'
import { Breath } from '../breath.js'
import { refOf } from './base.js'
import type { Contents } from './contents.js'
import { HashSet } from './hash-set.js'

export interface CheckPacksDeps {
  readonly contents: Contents
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
  /** Resolves when all of these contents are here. */
  fetch(refs: readonly BodyRef[]): Promise<void>
  /** The error for a checkpoint that is not taken. */
  refused(what: string): GrapevineError
}

/** Of each body in a pack, with how long it is: a varint. */
const MAX_LENGTH_BYTES = 5

/**
 * Fetches the small bodies of one checkpoint, whose pieces are here. Throws `refused` when they are more than its entries
 * name, others, or no bodies at all.
 */
export async function fetchPacks(manifest: Manifest, packs: readonly BodyRef[], deps: CheckPacksDeps): Promise<void> {
  const { contents, fetch, refused } = deps
  const breath = new Breath(deps.clock)
  const { named, bytes, most } = await namedIn(manifest, deps, breath)
  // each pack is read whole, and is of one piece
  if (packs.some(({ size }) => size > most) || packs.reduce((sum, { size }) => sum + size, 0) > bytes)
    throw refused('comes with more small bodies than its entries name')
  await fetch(packs)
  for (const ref of packs)
    for (const body of bodiesIn(await contents.get(ref), refused)) {
      await breath.draw()
      if (!named.has(sha256(body).toString('hex'))) throw refused('comes with small bodies that no entry names')
    }
}

/** Small bodies that entries name, and how many bytes of packs they are at most: in all, and of one piece. */
async function namedIn(
  { chunks }: Manifest,
  { contents }: CheckPacksDeps,
  breath: Breath
): Promise<{ named: HashSet; bytes: number; most: number }> {
  const named = new HashSet()
  let [bytes, most] = [0, 0]
  for (const chunk of chunks) {
    let inPiece = 0
    for (const { state } of readChunk(await contents.get(refOf(chunk)))) {
      await breath.draw()
      for (const { hash, size } of bodiesOf(state)) {
        if (size > MAX_INLINE_BODY_BYTES) continue
        named.add(hash)
        inPiece += size + MAX_LENGTH_BYTES
      }
    }
    bytes += inPiece
    most = Math.max(most, inPiece)
  }
  return { named, bytes, most }
}

function* bodiesIn(pack: Uint8Array, refused: CheckPacksDeps['refused']): Generator<Uint8Array> {
  try {
    yield* readPack(pack)
  } catch (error) {
    if (error instanceof GrapevineError && error.code === 'message-malformed')
      throw refused('comes with small bodies that cannot be read')
    throw error
  }
}

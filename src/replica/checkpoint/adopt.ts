/**
 * Takes a checkpoint over from a peer, in place of records that are not to be had any more: verified against the word of
 * the members that vouched for it, and made durable. The index is then to be made anew from it.
 */
import { GrapevineError } from '../../errors.js'
import { verify, type Members } from '../../identity/index.js'
import { decodeKnowledge } from '../../log/index.js'
import type { Clock } from '../../runtime.js'
import {
  bytesOf,
  decodeRecord,
  hexOf,
  manifestInSteps,
  offerInSteps,
  signatureOf,
  type AttestOp,
  type BodyRef,
  type CheckpointAnswer,
  type Dep,
  type Manifest,
  type Offer,
  type SignedRecord
} from '../../wire/index.js'
import { Breath, breathing } from '../breath.js'
import { refOf } from './base.js'
import type { BaseFile, KeptCheckpoint } from './base-file.js'
import { fetchPacks } from './check-packs.js'
import type { Contents } from './contents.js'

export interface AdoptDeps {
  readonly cluster: string
  readonly members: Pick<Members, 'list' | 'get' | 'wasAdmitted'>
  /** Public key of this node: nobody vouches for itself. */
  readonly self: Uint8Array
  readonly contents: Contents
  readonly file: BaseFile
  readonly clock: Pick<Clock, 'monotonic' | 'pause'>
  /** Resolves when all of these contents are here. */
  fetch(refs: readonly BodyRef[]): Promise<void>
  /** All is here, and about to be put in force; of each log, how far the newest checkpoint goes. */
  beforehand?(covered: ReadonlyMap<string, number>): Promise<void>
}

/** Throws `record-refused` when not enough members vouch for it, and what fetching it throws. False: there is none. */
export async function adopt({ offer: ref }: CheckpointAnswer, deps: AdoptDeps): Promise<boolean> {
  if (ref === undefined) return false
  const { contents, file } = deps
  await deps.fetch([ref])
  const offer = await breathing(offerInSteps(await contents.get(ref)), deps.clock)
  const proof = await readProofs(offer, deps)
  // a manifest may be large: one that no other member vouches for is not even fetched
  if (![...proof.authors].some((key) => isAsked(key, deps))) throw refused('has the word of no member')
  const top = await keep({ proposal: proof.proposal, manifest: offer.manifest, packs: offer.ownPacks }, deps)
  checkVouched(top.manifest, proof.authors, deps)
  const { before } = top.manifest
  if (before === undefined) throw refused('took the place of nothing')
  const floor = await keep({ ...before, packs: offer.packs }, deps)
  const pieces = [floor, top].flatMap(({ manifest }) => manifest.chunks.map(refOf))
  await deps.fetch([...new Map(pieces.map((ref) => [ref.hash, ref])).values()])
  for (const ref of pieces) await contents.get(ref)
  for (const { kept, manifest } of [floor, top]) await fetchPacks(manifest, kept.packs, { ...deps, refused })
  await deps.beforehand?.(new Map(top.manifest.logs.map(({ log, seq }) => [log, seq])))
  await file.write({ top: top.kept, floor: floor.kept, offer: ref, proofs: offer.proofs })
  return true
}

async function keep(
  kept: Omit<KeptCheckpoint, 'encoded'>,
  { cluster, contents, clock, fetch }: AdoptDeps
): Promise<{ kept: KeptCheckpoint; manifest: Manifest }> {
  await fetch([kept.manifest])
  const encoded = await contents.get(kept.manifest)
  const manifest = await breathing(manifestInSteps(encoded), clock)
  if (manifest.cluster !== cluster || manifest.proposal.id !== kept.proposal.id)
    throw refused('is not of what it is said to be')
  return { kept: { ...kept, proposal: manifest.proposal, encoded }, manifest }
}

/** Who signed that the proposal comes to this manifest. */
async function readProofs(
  { manifest: { hash }, proofs: [proposal, ...words] }: Offer,
  { cluster, members, clock }: AdoptDeps
): Promise<{ proposal: Dep; authors: Set<string> }> {
  const breath = new Breath(clock)
  const first = proposal === undefined ? undefined : decodeRecord(proposal)
  if (first === undefined || !first.body.ops.some((op) => op.k === 'checkpoint')) throw refused('has no proposal')
  const authors = new Set<string>()
  for (const word of words) {
    await breath.draw()
    const record = decodeRecord(word)
    const { author, ops } = record.body
    const said = ops.find((op): op is AttestOp => op.k === 'attest' && op.proposal === first.id)
    if (
      record.body.cluster === cluster &&
      said?.manifest.hash === hash &&
      members.wasAdmitted(author) &&
      isSigned(record)
    )
      authors.add(hexOf(author))
  }
  return { proposal: { log: first.log, seq: first.body.seq, id: first.id }, authors }
}

/** Whether the word of this hex public key counts: of a member, and nobody vouches for itself. */
function isAsked(key: string, { members, self }: Pick<AdoptDeps, 'members' | 'self'>): boolean {
  return key !== hexOf(self) && members.get(bytesOf(key)) !== undefined
}

function isSigned(record: SignedRecord): boolean {
  return verify(...signatureOf(record))
}

/** More than half of those who were members when it was proposed, and are, must vouch for it. */
function checkVouched({ proposal, logs }: Manifest, authors: ReadonlySet<string>, { members, self }: AdoptDeps): void {
  const tip = logs.find(({ log }) => log === proposal.log)
  if (tip === undefined) throw refused('does not hold its own proposal')
  const known = decodeKnowledge(tip.knowledge)
  const asked = members
    .list()
    .filter(({ key, log, seq }) => (known.get(log) ?? 0) >= seq && Buffer.compare(key, self) !== 0)
    .map(({ key }) => hexOf(key))
  const vouching = asked.filter((key) => authors.has(key)).length
  if (vouching === 0 || vouching * 2 <= asked.length)
    throw refused(`has the word of ${vouching} of ${asked.length} members`)
}

function refused(what: string): GrapevineError {
  return new GrapevineError('record-refused', `a checkpoint of a peer ${what}`, {
    next: 'nothing: it was not taken, and other peers are asked'
  })
}

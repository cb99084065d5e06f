/**
 * Which checkpoints are in force, on disk beside the segments of the log: with what it names, and the log, the index can
 * be made anew. Each version is a file of its own; the newest that reads back counts.
 */
import { GrapevineError, diskError } from '../../errors.js'
import type { Disk } from '../../runtime.js'
import {
  bytesOf,
  checkpointRow,
  decodeCborRaw,
  encodeCbor,
  hexOf,
  packRef,
  readCheckpoint,
  sha256,
  type BodyRef,
  type CheckpointRef
} from '../../wire/index.js'

/** One checkpoint and the small bodies its entries name, as this node keeps them. */
export interface KeptCheckpoint extends CheckpointRef {
  readonly packs: readonly BodyRef[]
  /** The manifest itself: an index can be opened though contents are damaged. */
  readonly encoded: Uint8Array
}

/**
 * `top` is the newest that all members vouched for. What the one before it, `floor`, covers is gone from the log: only
 * then is everybody known to build on nothing older than that.
 */
export interface InForce {
  readonly top: KeptCheckpoint
  readonly floor: KeptCheckpoint | undefined
  /** The content that others are offered in place of older records. */
  readonly offer?: BodyRef
  /** The proposal of `top`, then each member's word for it: records, whole. */
  readonly proofs: readonly Uint8Array[]
}

const NAME = /^checkpoint-(\d{8})$/
const VERSION = 1
const HASH_BYTES = 32

export class BaseFile {
  readonly #disk: Disk
  #number = 0

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** What is in force; undefined when there never was a checkpoint. Throws `store-damaged`. */
  async read(): Promise<InForce | undefined> {
    const numbers = await this.#numbers()
    for (const number of numbers) {
      const found = await this.#readOne(number)
      if (found === undefined) continue
      this.#number = numbers[0]!
      return found
    }
    if (numbers.length === 0 || (await this.#isEmpty(numbers.at(-1)!))) return undefined
    throw new GrapevineError('store-damaged', 'what checkpoint took the place of older records cannot be read', {
      next: 'restore a backup, or move the home away and join the cluster again',
      facts: { file: fileName(numbers[0]!) }
    })
  }

  /** Durable when it resolves; what was in force before is then forgotten. */
  async write(inForce: InForce): Promise<void> {
    const before = await this.#numbers()
    this.#number = Math.max(this.#number, before[0] ?? 0) + 1
    try {
      if (before.length === 0) before.push(await this.#putEmpty())
      const file = await this.#disk.open(fileName(this.#number))
      try {
        const body = encode(inForce)
        await file.append(Buffer.concat([sha256(body), body]))
        await file.sync()
      } finally {
        await file.close()
      }
      for (const number of before) await this.#disk.remove(fileName(number))
    } catch (error) {
      throw diskError(error, 'store-failed', 'A checkpoint cannot be put in force')
    }
  }

  /** Says that nothing was in force before: else the first, cut off by a crash, would look like one that was damaged since. */
  async #putEmpty(): Promise<number> {
    const empty = this.#number
    await (await this.#disk.open(fileName(empty))).close()
    this.#number += 1
    return empty
  }

  async #isEmpty(number: number): Promise<boolean> {
    const file = await this.#disk.open(fileName(number))
    await file.close()
    return file.size === 0
  }

  /** Has the same in force where another log is made out of this one. */
  async copyTo(disk: Disk): Promise<void> {
    const found = await this.read()
    if (found !== undefined) await new BaseFile(disk).write(found)
  }

  /** The newest first. */
  async #numbers(): Promise<number[]> {
    const names = await this.#disk.list()
    return names.flatMap((name) => Number(NAME.exec(name)?.[1] ?? NaN) || []).toSorted((a, b) => b - a)
  }

  async #readOne(number: number): Promise<InForce | undefined> {
    const file = await this.#disk.open(fileName(number))
    try {
      const bytes = Buffer.from(file.read(0, file.size))
      const body = bytes.subarray(HASH_BYTES)
      // one that was being written when the process died is none
      return bytes.length > HASH_BYTES && sha256(body).equals(bytes.subarray(0, HASH_BYTES)) ? decode(body) : undefined
    } finally {
      await file.close()
    }
  }
}

function fileName(number: number): string {
  return `checkpoint-${String(number).padStart(8, '0')}`
}

function encode({ top, floor, offer, proofs }: InForce): Uint8Array {
  return encodeCbor({
    v: VERSION,
    top: keptRow(top),
    floor: floor === undefined ? null : keptRow(floor),
    offer: offer === undefined ? null : packRef(offer),
    proofs
  })
}

function keptRow(kept: KeptCheckpoint): unknown {
  return [checkpointRow(kept), kept.packs.map(({ hash, size }) => [bytesOf(hash), size]), kept.encoded]
}

function decode(bytes: Uint8Array): InForce {
  const map = decodeCborRaw(bytes) as {
    v: number
    top: unknown
    floor: unknown
    offer: [Uint8Array, number] | null
    proofs: Uint8Array[]
  }
  if (map.v !== VERSION)
    throw new GrapevineError('store-newer', 'the checkpoint in force was written by a newer version', {
      next: 'start the version of Grapevine that wrote it'
    })
  return {
    top: readKept(map.top),
    floor: map.floor === null ? undefined : readKept(map.floor),
    ...(map.offer === null ? {} : { offer: { hash: hexOf(map.offer[0]), size: map.offer[1] } }),
    proofs: map.proofs
  }
}

function readKept(row: unknown): KeptCheckpoint {
  const [ref, packs, encoded] = row as [unknown, Array<[Uint8Array, number]>, Uint8Array]
  const fail = (what: string): Error => new TypeError(`the checkpoint in force ${what}`)
  return { ...readCheckpoint(ref, fail), packs: packs.map(([hash, size]) => ({ hash: hexOf(hash), size })), encoded }
}

/**
 * The directory as it shows itself to the catalog: for each file by field what travels of it instead of what lies there.
 */
import { readFile } from 'node:fs/promises'
import { GrapevineError, isErrno } from '../../errors.js'
import { bodyRefOf, type BodyRef } from '../../wire/index.js'
import type { Adapter, ScanResult, TargetEntry, TargetProblem } from '../contract.js'
import { unreadable } from '../directory/faults.js'
import { mapLimit } from '../directory/pool.js'
import type { Classifier } from './classify.js'
import { broken, changed } from './faults.js'
import type { Parameters, TravelMemory, TravelRow } from './memory.js'
import { outward, type Outward, type Place } from './travel.js'
import type { Wake } from './wake.js'
import { MAX_XML_BYTES } from './xml.js'

/** What is remembered of a travelling document beside its bytes. */
export type Said = Pick<Outward, 'meaning' | 'parameters'> & { readonly lacks?: string }

export type FileEntry = TargetEntry & { kind: 'file' }

/** Files read at once; each may have `MAX_XML_BYTES`. */
const PARALLEL_READS = 8

export interface OutsideDeps {
  readonly inner: Pick<Adapter, 'scan' | 'read'>
  readonly classifier: Classifier
  readonly memory: TravelMemory
  readonly wake: Pick<Wake, 'holds' | 'later'>
}

export class Outside {
  readonly #inner: Pick<Adapter, 'scan' | 'read'>
  readonly #classifier: Classifier
  readonly #memory: TravelMemory
  readonly #wake: Pick<Wake, 'holds' | 'later'>

  constructor({ inner, classifier, memory, wake }: OutsideDeps) {
    this.#inner = inner
    this.#classifier = classifier
    this.#memory = memory
    this.#wake = wake
  }

  /** Where a file by field lies; null for every other path. */
  placeOf(path: string): Place | null {
    const { kind, sharing } = this.#classifier.classify(path)
    return sharing === 'by-field' ? { path, kind } : null
  }

  /** A scan of the directory with what travels in the place of what lies there. */
  async translate(scan: ScanResult, signal?: AbortSignal): Promise<ScanResult> {
    const entries = new Map(scan.entries)
    const problems: TargetProblem[] = [...scan.problems]
    const byField = [...scan.entries.values()].filter(
      (entry): entry is FileEntry => entry.kind === 'file' && this.placeOf(entry.path) !== null
    )
    await mapLimit(byField, PARALLEL_READS, async (entry) => {
      signal?.throwIfAborted()
      const { path } = entry
      try {
        entries.set(path, { ...entry, body: await this.travelOf(entry, true) })
      } catch (error) {
        if (!(error instanceof GrapevineError)) throw error
        entries.delete(path)
        problems.push({ path, error })
      }
    })
    return { entries, problems }
  }

  /**
   * What stands for the file in the catalog. `shown`: as it shows itself to whoever looks for changes, which is as it was
   * while GeoServer writes in the wake of a call; it is looked at once more when that is over. Throws `file-broken`, and what
   * reading it throws.
   */
  async travelOf(entry: FileEntry, shown = false): Promise<BodyRef> {
    const { path, body } = entry
    const row = this.#memory.get(path)
    if (row !== undefined && row.raw === body.hash) return travelIn(row)
    const made = await this.#documentOf(entry, row?.parameters)
    const same = row !== undefined && this.#isSame(path, row, made)
    if (!same && shown && row !== undefined && row.raw !== '' && this.#wake.holds(path)) {
      this.#wake.later(path)
      return travelIn(row)
    }
    const travel = same ? travelIn(row) : bodyRefOf(made.bytes)
    this.remember(path, body, travel, saidOf(made))
    return travel
  }

  /** Whether it was written anew with the same meaning, or GeoServer filled in what it always does. */
  #isSame(path: string, row: TravelRow, { meaning, fillIns }: Outward): boolean {
    if (row.meaning === meaning) return true
    return row.lacks !== undefined && fillIns.mayFill.includes(row.lacks) && this.#wake.holds(path)
  }

  /**
   * The bytes that travel of a file that was scanned as `entry`. Throws `file-changed` when they are others now; after
   * `lookAgain` was called, the next scan shows which.
   */
  async read(entry: FileEntry, lookAgain: (path: string) => void): Promise<Buffer> {
    const now = (await this.#inner.scan({ paths: [entry.path] })).entries.get(entry.path)
    if (now?.kind !== 'file') throw changed(entry.path)
    const { bytes } = await this.#documentOf(now, this.parametersAt(entry.path))
    if (bodyRefOf(bytes).hash === entry.body.hash) return bytes
    // what the memory stood for cannot be made of the file any more: from now on it shows itself as it is
    this.#memory.delete(entry.path)
    lookAgain(entry.path)
    throw changed(entry.path)
  }

  /** The content id of the file by field at a path, as it lay there when it was looked at last. */
  rawAt(path: string): string | undefined {
    return this.#memory.get(path)?.raw
  }

  /** What is known of what the file at a path stands for; the meaning is empty when it is not known. */
  saidAt(path: string): Said {
    const { meaning = '', lacks } = this.#memory.get(path) ?? {}
    return { meaning, parameters: this.parametersAt(path), ...(lacks !== undefined && { lacks }) }
  }

  /** Passwords from the environment in what the file at a path stands for. */
  parametersAt(path: string): Parameters {
    return this.#memory.get(path)?.parameters ?? {}
  }

  /** Whether the file, as it was scanned last, means what these bytes do; from then on it stands for them. */
  takesFor(path: string, body: BodyRef, bytes: Uint8Array): boolean {
    const place = this.placeOf(path)
    const row = this.#memory.get(path)
    if (place === null || row === undefined || row.meaning === '') return false
    const made = outward(place, bytes)
    if (!made.ok || made.value.meaning !== row.meaning) return false
    this.#memory.set(path, { ...row, travel: body.hash, travelSize: body.size })
    return true
  }

  /** The file by field at this path was set aside: what belongs to this node in it is for the one that takes its place. */
  noteAside(path: string, place: string): void {
    if (this.placeOf(path) !== null)
      this.#memory.set(path, { raw: '', travel: '', travelSize: 0, meaning: '', aside: place })
  }

  /** The bytes of the file that was set aside here; null when none was, or it is gone. */
  async asideOf(path: string): Promise<Buffer | null> {
    const place = this.#memory.get(path)?.aside
    if (place === undefined) return null
    try {
      return await readFile(place)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null
      throw unreadable(path, error)
    }
  }

  remember(path: string, raw: BodyRef, travel: BodyRef, { meaning, parameters, lacks }: Said): void {
    const some = Object.keys(parameters).length > 0
    const row = { raw: raw.hash, travel: travel.hash, travelSize: travel.size, meaning }
    this.#memory.set(path, { ...row, ...(some && { parameters }), ...(lacks !== undefined && { lacks }) })
  }

  async #documentOf(entry: FileEntry, known?: Parameters): Promise<Outward> {
    const { path, body } = entry
    if (body.size > MAX_XML_BYTES)
      throw broken(path, { word: 'too-large', reason: `is larger than ${MAX_XML_BYTES} bytes` }, false)
    const made = outward(this.placeOf(path)!, await collect(this.#inner.read(entry)), known)
    if (!made.ok) throw broken(path, made.problem, false)
    return made.value
  }
}

function travelIn({ travel, travelSize }: TravelRow): BodyRef {
  return { hash: travel, size: travelSize }
}

export function saidOf({ meaning, parameters, fillIns: { lacks } }: Outward): Said {
  return { meaning, parameters, ...(lacks !== undefined && { lacks }) }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of source) pieces.push(piece)
  return Buffer.concat(pieces)
}

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
import { broken, changed, notTakenBy } from './faults.js'
import type { Parameters, TravelMemory, TravelRow } from './memory.js'
import { mergedDocument } from './merge.js'
import { ownWayOf } from './own-way.js'
import { notTaken, sayingsOf, type Sayings } from './tell/taken.js'
import { outward, type Outward, type Place } from './travel.js'
import type { Wake } from './wake.js'
import { MAX_XML_BYTES, readXml } from './xml.js'

/** What is remembered of a travelling document beside its bytes. */
export type Said = Pick<Outward, 'meaning' | 'parameters'> & { readonly lacks?: string }

export type FileEntry = TargetEntry & { kind: 'file' }

/** Files read at once; each may have `MAX_XML_BYTES`. */
const PARALLEL_READS = 8
/** Longest document of which is kept what GeoServer made of it, characters: a feature type has some thousand. */
export const MAX_WAY_CHARS = 65_536
/** Files that are remembered for what GeoServer leaves out of them. */
export const MAX_LEFT_OUT = 1_000

export interface OutsideDeps {
  readonly inner: Pick<Adapter, 'scan' | 'read'>
  readonly classifier: Classifier
  readonly memory: TravelMemory
  readonly wake: Pick<Wake, 'holds' | 'later'>
  /** Writes these bytes to a file, if it is still as it was scanned. Absent: nothing is put back. */
  readonly putBack?: (now: FileEntry, bytes: Uint8Array) => Promise<void>
}

export class Outside {
  readonly #inner: Pick<Adapter, 'scan' | 'read'>
  readonly #classifier: Classifier
  readonly #memory: TravelMemory
  readonly #wake: Pick<Wake, 'holds' | 'later'>
  readonly #putBack: OutsideDeps['putBack']
  /** Files that GeoServer is being told of: what lies there may be its own way of writing them. */
  readonly #telling = new Map<string, Promise<void>>()
  /** Path -> elements that GeoServer left out when it was told, since this node started. */
  readonly leftOut = new Map<string, readonly string[]>()

  constructor({ inner, classifier, memory, wake, putBack }: OutsideDeps) {
    this.#inner = inner
    this.#classifier = classifier
    this.#memory = memory
    this.#wake = wake
    this.#putBack = putBack
  }

  /** Where a file by field lies; null for every other path. */
  placeOf(path: string): Place | null {
    return this.#classifier.placeOf(path)
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
  async travelOf(scanned: FileEntry, shown = false): Promise<BodyRef> {
    const entry = await this.#afterCall(scanned)
    const { path, body } = entry
    const row = this.#memory.get(path)
    if (row !== undefined && row.raw === body.hash) return travelIn(row)
    const made = await this.#documentOf(entry, row?.parameters)
    const same = row !== undefined && this.#isSame(path, row, made)
    if (!same && shown && row !== undefined && row.raw !== '' && this.#wake.holds(path)) {
      this.#wake.later(path)
      return travelIn(row)
    }
    const travel = same ? travelIn(row) : bodyRefOf(this.#whole(path, made.bytes))
    this.#remember(path, body, travel, saidOf(made), row?.way)
    return travel
  }

  /** Whether it was written anew with the same meaning, or GeoServer filled in what it always does. */
  #isSame(path: string, row: TravelRow, { meaning, fillIns }: Outward): boolean {
    if (row.meaning === meaning) return true
    return row.lacks !== undefined && fillIns.mayFill.includes(row.lacks) && this.#wake.holds(path)
  }

  /** A file that GeoServer is being told of is looked at once more when it has been. */
  async #afterCall(entry: FileEntry): Promise<FileEntry> {
    const call = this.#telling.get(entry.path)
    if (call === undefined) return entry
    await call
    const now = (await this.#inner.scan({ paths: [entry.path] })).entries.get(entry.path)
    return now?.kind === 'file' ? now : entry
  }

  /** What travels of an edit of what GeoServer wrote in its own way: the same edit of what it was told. */
  #whole(path: string, bytes: Buffer): Uint8Array {
    const way = this.#memory.get(path)?.way
    if (way === undefined) return bytes
    return mergedDocument(this.placeOf(path)!, Buffer.from(way.wrote), Buffer.from(way.told), bytes) ?? bytes
  }

  /**
   * Runs `call`, which tells GeoServer of the file with these bytes. What it writes of them in its own way goes on standing
   * for what it was told; what it did not take is put back. `was`: what it knew before. Throws what `call` throws, and
   * `geoserver-not-taken`.
   */
  async told(path: string, sent: Uint8Array, call: () => Promise<void>, was?: Sayings): Promise<void> {
    const place = this.placeOf(path)
    if (place === null) return call()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#telling.set(path, promise)
    try {
      await call()
      await this.#takeItsWay(place, sent, was)
    } finally {
      this.#telling.delete(path)
      resolve()
    }
  }

  /** Names of the fields that GeoServer put into this file when it was told. */
  ownFields(path: string): readonly string[] {
    const way = this.#memory.get(path)?.way
    if (way === undefined) return []
    const [told, wrote] = [fieldsOf(way.told), fieldsOf(way.wrote)]
    return wrote.filter((field) => !told.includes(field))
  }

  /** What GeoServer has of the file at this path before it is told of another; undefined where that cannot be compared. */
  async sayingsAt(path: string): Promise<Sayings | undefined> {
    const place = this.placeOf(path)
    const now = place && (await this.#inner.scan({ paths: [path] })).entries.get(path)
    if (now?.kind !== 'file' || now.body.size > MAX_XML_BYTES) return undefined
    return sayingsOf(place!, await collect(this.#inner.read(now)))
  }

  /** Where anything is not as expected nothing is done: then the next scan says what is there. */
  async #takeItsWay(place: Place, sent: Uint8Array, was?: Sayings): Promise<void> {
    const { path } = place
    const row = this.#memory.get(path)
    const now = (await this.#inner.scan({ paths: [path] })).entries.get(path)
    if (row === undefined || row.raw !== bodyRefOf(sent).hash || now?.kind !== 'file' || now.body.hash === row.raw)
      return
    const written = await collect(this.#inner.read(now))
    await this.#checkTaken(place, { was, sent, written }, now)
    const [told, wrote] = [readXml(sent), readXml(written)]
    const [from, to] = [outward(place, sent, row.parameters), outward(place, written, row.parameters)]
    if (!told.ok || !wrote.ok || !from.ok || !to.ok || to.value.meaning === row.meaning) return
    const way = ownWayOf(told.value.root, wrote.value.root)
    if (way === undefined) return
    const texts = { told: from.value.bytes.toString(), wrote: to.value.bytes.toString() }
    const isShort = Math.max(texts.told.length, texts.wrote.length) <= MAX_WAY_CHARS
    this.#remember(path, now.body, travelIn(row), saidOf(to.value), isShort ? texts : undefined)
    if (this.leftOut.size < MAX_LEFT_OUT) this.leftOut.set(path, way.dropped)
  }

  /** Throws `geoserver-not-taken` after the file is as it was told again. */
  async #checkTaken(
    place: Place,
    {
      was,
      sent,
      written
    }: { readonly was: Sayings | undefined; readonly sent: Uint8Array; readonly written: Uint8Array },
    now: FileEntry
  ): Promise<void> {
    const [told, wrote] = [sayingsOf(place, sent), sayingsOf(place, written)]
    const lost = was && told && wrote ? notTaken(was, told, wrote) : []
    if (lost.length === 0) return
    await this.#putBack?.(now, sent)
    throw notTakenBy(place.path, lost)
  }

  /**
   * The bytes that travel of a file that was scanned as `entry`. Throws `file-changed` when they are others now; after
   * `lookAgain` was called, the next scan shows which.
   */
  async read(entry: FileEntry, lookAgain: (path: string) => void): Promise<Buffer> {
    const now = (await this.#inner.scan({ paths: [entry.path] })).entries.get(entry.path)
    if (now?.kind !== 'file') throw changed(entry.path)
    const made = await this.#documentOf(now, this.parametersAt(entry.path))
    const bytes = Buffer.from(this.#whole(entry.path, made.bytes))
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

  /** The file at this path was looked at or written. */
  remember(path: string, raw: BodyRef, travel: BodyRef, said: Said): void {
    const before = this.#memory.get(path)
    const isSame = before?.raw === raw.hash
    if (!isSame) this.leftOut.delete(path)
    this.#remember(path, raw, travel, said, isSame ? before.way : undefined)
  }

  #remember(path: string, raw: BodyRef, travel: BodyRef, said: Said, way: TravelRow['way']): void {
    const { meaning, parameters, lacks } = said
    const some = Object.keys(parameters).length > 0
    this.#memory.set(path, {
      ...{ raw: raw.hash, travel: travel.hash, travelSize: travel.size, meaning },
      ...(some && { parameters }),
      ...(lacks !== undefined && { lacks }),
      ...(way !== undefined && { way })
    })
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

function fieldsOf(document: string): string[] {
  const read = readXml(Buffer.from(document))
  return read.ok ? read.value.root.children.map(({ name }) => name) : []
}

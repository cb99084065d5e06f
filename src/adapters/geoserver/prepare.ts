/**
 * Turns a set of the catalog into one for the directory: what travels becomes the file as this node has it, with its own
 * fields and passwords, in the order in which nothing refers to what is still to come.
 */
import { GrapevineError } from '../../errors.js'
import { bodyRefOf, type BodyRef } from '../../wire/index.js'
import type { Adapter, ApplyItem, ApplyResult, BodySource, TargetEntry } from '../contract.js'
import { mapLimit } from '../directory/pool.js'
import type { Classifier } from './classify.js'
import { broken, damagedBody, secretMissing } from './faults.js'
import { readFacts } from './objects.js'
import { groupDepths, rankOf } from './order.js'
import { collect, saidOf, type FileEntry, type Outside, type Said } from './outside.js'
import { environmentNameOf, loadSecrets, type Secrets } from './secrets.js'
import { inward, type Outward, type Place } from './travel.js'
import { MAX_XML_BYTES } from './xml.js'

/** Files merged at once; each may have `MAX_XML_BYTES`. */
const PARALLEL_MERGES = 4

/** One item on its way: either settled already, or what the directory is to do for it. */
export interface Prepared {
  readonly item: ApplyItem
  readonly rank: number
  readonly result?: ApplyResult
  readonly inner: readonly ApplyItem[]
  /** What a file by field stands for in the catalog once it is written, and what that means. */
  readonly stands?: Said & { readonly body: BodyRef }
}

/** The file whose fields stay: as it lies there, or the bytes of one that was set aside. */
type Local = FileEntry | Buffer | null

export interface PrepareDeps {
  readonly inner: Pick<Adapter, 'scan' | 'read'>
  readonly outside: Outside
  readonly classifier: Classifier
  /** Where the node keeps its passwords. */
  readonly secretsFile: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** A set being prepared. The contents are merged again when they are written, so that none is held in memory. */
export class Preparation {
  readonly #deps: PrepareDeps
  readonly #bodies: BodySource
  readonly #sources = new Map<string, () => AsyncIterable<Uint8Array>>()
  /** Group id -> ids it shows. */
  readonly #groups = new Map<string, readonly string[]>()
  readonly #groupIds = new Map<ApplyItem, string>()
  #now: ReadonlyMap<string, TargetEntry> = new Map()
  #secrets: Promise<Secrets> | undefined

  constructor(deps: PrepareDeps, bodies: BodySource) {
    this.#deps = deps
    this.#bodies = bodies
  }

  /** Where the directory gets the bytes it is told to write. */
  readonly source: BodySource = (body) => this.#sources.get(body.hash)?.() ?? this.#bodies(body)

  async all(items: readonly ApplyItem[], signal?: AbortSignal): Promise<Prepared[]> {
    const { outside, inner } = this.#deps
    const paths = new Set(items.flatMap((item) => (item.do === 'move' ? [item.from, item.path] : [item.path])))
    const byField = [...paths].filter((path) => outside.placeOf(path) !== null)
    if (byField.length > 0) this.#now = (await inner.scan({ paths: byField, ...(signal && { signal }) })).entries
    const prepared = await mapLimit(items, PARALLEL_MERGES, async (item): Promise<Prepared> => {
      try {
        return await this.#one(item)
      } catch (error) {
        if (!(error instanceof GrapevineError)) throw error
        const outcome = error.code === 'file-changed' ? 'differs' : 'failed'
        return { item, rank: 0, inner: [], result: { item, outcome, entry: null, error } }
      }
    })
    const depths = groupDepths(this.#groups)
    return prepared.map((each) => {
      const depth = depths.get(this.#groupIds.get(each.item) ?? '') ?? 0
      // less than the step to the next rank, however deep
      return { ...each, rank: each.rank + 1 - 1 / (1 + depth) }
    })
  }

  async #one(item: ApplyItem): Promise<Prepared> {
    const rank = rankOf(this.#deps.classifier.classify(item.path))
    const place = this.#deps.outside.placeOf(item.path)
    if (item.do === 'write' && place !== null) return { item, rank, ...(await this.#write(item, place)) }
    if (item.do === 'move') return { item, rank, ...(await this.#move(item)) }
    if (item.do === 'remove' && place !== null) await this.#noteGroup(item)
    const expect = await this.#expected(item.path, item.expect)
    return { item, rank, inner: [{ ...item, expect } as ApplyItem] }
  }

  async #write(item: ApplyItem & { do: 'write' }, place: Place): Promise<Pick<Prepared, 'inner' | 'stands'>> {
    const now = this.#fileAt(item.path)
    const stands = now === null ? null : await this.#standsFor(now)
    if (now !== null && stands?.hash === item.body.hash) {
      // the meaning is there already, with the fields of this node: what lies there is what is wanted
      this.#sources.set(now.body.hash, () => this.#deps.inner.read(now))
      return {
        inner: [{ ...item, body: now.body, expect: now }],
        stands: { body: item.body, ...this.#deps.outside.saidAt(item.path) }
      }
    }
    const expect = await this.#expected(item.path, item.expect)
    const local = now === null ? await this.#deps.outside.asideOf(item.path) : expect === now ? now : null
    const made = await this.#merged(item, place, local)
    const { bytes } = made
    await this.#noteGroup(item, bytes)
    const body = bodyRefOf(bytes)
    this.#sources.set(body.hash, () => this.#again(item, place, local))
    return { inner: [{ ...item, body, expect }], stands: { body: item.body, ...saidOf(made) } }
  }

  async #merged(item: ApplyItem & { do: 'write' }, place: Place, local: Local): Promise<Outward> {
    const { path, body } = item
    if (body.size > MAX_XML_BYTES)
      throw broken(path, { word: 'too-large', reason: `is larger than ${MAX_XML_BYTES} bytes` }, true)
    const incoming = await collect(this.#bodies(body))
    if (bodyRefOf(incoming).hash !== body.hash) throw damagedBody(path, body.hash)
    const own = local === null || Buffer.isBuffer(local) ? local : await collect(this.#deps.inner.read(local))
    this.#secrets ??= loadSecrets(this.#deps.secretsFile, this.#deps.environment)
    const made = inward(place, incoming, own, await this.#secrets, this.#deps.outside.parametersAt(path))
    if (!made.ok) throw broken(path, made.problem, true)
    if ('lacks' in made.value) {
      const { lacks } = made.value
      throw secretMissing(path, lacks, environmentNameOf(lacks), this.#deps.secretsFile)
    }
    return made.value
  }

  async *#again(item: ApplyItem & { do: 'write' }, place: Place, local: Local): AsyncGenerator<Uint8Array> {
    yield (await this.#merged(item, place, local)).bytes
  }

  /** Between a path by field and another the file is written anew and removed: what lies there is not what travels. */
  async #move(item: ApplyItem & { do: 'move' }): Promise<Pick<Prepared, 'inner' | 'stands'>> {
    const { outside } = this.#deps
    const [from, to] = [outside.placeOf(item.from), outside.placeOf(item.path)]
    const expect = (await this.#expected(item.from, item.expect))!
    if (expect.kind === 'dir' || item.expect.kind === 'dir' || from?.kind === to?.kind) {
      const inner = [{ ...item, expect }]
      if (from === null || item.expect.kind === 'dir') return { inner }
      return { inner, stands: { body: item.expect.body, ...outside.saidAt(item.from) } }
    }
    const { body, exec } = item.expect
    const { mark: _mark, ...unmarked } = item
    const write = { ...unmarked, do: 'write' as const, path: item.path, body, exec, expect: null }
    const written = to === null ? { inner: [write] } : await this.#write(write, to)
    return { ...written, inner: [...written.inner, { do: 'remove', path: item.from, expect }] }
  }

  /** What the directory is to find where the catalog expects something: the file whose travelling form that is. */
  async #expected(path: string, expect: TargetEntry | null): Promise<TargetEntry | null> {
    if (expect?.kind !== 'file' || this.#deps.outside.placeOf(path) === null) return expect
    const now = this.#fileAt(path)
    if (now === null) return expect
    const stands = await this.#standsFor(now)
    return stands?.hash === expect.body.hash && now.exec === expect.exec ? now : expect
  }

  /** Null for a file that cannot be told: then it is not what anybody expects. */
  async #standsFor(now: FileEntry): Promise<BodyRef | null> {
    try {
      return await this.#deps.outside.travelOf(now)
    } catch (error) {
      if (error instanceof GrapevineError && error.code === 'file-broken') return null
      throw error
    }
  }

  #fileAt(path: string): FileEntry | null {
    const entry = this.#now.get(path)
    return entry?.kind === 'file' ? entry : null
  }

  /** Groups are put in order among themselves: what one shows comes first. */
  async #noteGroup(item: ApplyItem, bytes?: Buffer): Promise<void> {
    const fileClass = this.#deps.classifier.classify(item.path)
    if (fileClass.kind !== 'layergroup') return
    const now = this.#fileAt(item.path)
    const content = bytes ?? (now === null ? null : await collect(this.#deps.inner.read(now)))
    const object = content === null ? undefined : readFacts(item.path, fileClass, content).object
    if (object === undefined) return
    this.#groups.set(
      object.id,
      object.references.map(({ id }) => id)
    )
    this.#groupIds.set(item, object.id)
  }
}

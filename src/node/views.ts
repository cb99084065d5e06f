/** What people and programs see of a replica: the reading half of the control API, for a running daemon and a stopped home alike. */
import type { Contents } from '../adapters/index.js'
import type { BlobStore } from '../blobs/index.js'
import { entryHash, inspectDoc, ROOT_ID, type Entry } from '../catalog/index.js'
import type {
  CatalogReader as ReadTarget,
  ConflictView,
  DocView,
  EntryLine,
  EntryView,
  EntryWithBody,
  HistoryLine,
  InspectTopic,
  InvitationView,
  LossView,
  QuarantineView,
  RecordLine,
  SalvageLine,
  ScrubLine,
  SpaceStatus,
  TupleView,
  VerifyView
} from '../control/target.js'
import { GrapevineError } from '../errors.js'
import { nodeIdOf } from '../identity/index.js'
import type { LogHead } from '../log/index.js'
import { Breath, CATALOG_SPACE, MEMBERS_SPACE, type Replica } from '../replica/index.js'
import { systemClock } from '../runtime-node.js'
import type { LevelStore } from '../store/index.js'
import { decodeRecord, hexOf, type BodyRef } from '../wire/index.js'
import { checkpointsOf } from './checkpoint-view.js'
import type { Custody } from './custody.js'
import type { Home } from './home.js'
import { appointmentRequest } from './root.js'
import { invitationsOf } from './invitations.js'
import { quarantineOf } from './quarantine.js'
import { listedOf, withBodies } from './reading.js'
import { salvagedBody, salvageOf } from './removal.js'
import { historyOf } from './history.js'
import { EntryLines } from './lines.js'
import { once } from './once.js'
import { plain, recordLine, twinLine, twinWith } from './record-lines.js'
import { tupleViews } from './tuple-views.js'

export interface ViewDeps {
  readonly replica: Replica
  readonly blobs: BlobStore
  readonly index: Pick<LevelStore, 'stats'>
  /** Absent where only entries and bytes are read. */
  readonly home: Home
  readonly custody?: Custody
  /** What is known about the objects that files hold; undefined: nothing. */
  readonly contents?: Pick<Contents, 'objectAt'> | undefined
}

export class Views implements ReadTarget {
  protected readonly replica: Replica
  protected readonly blobs: BlobStore
  readonly #index: Pick<LevelStore, 'stats'>
  readonly #home: Home
  readonly #custody: Custody | undefined
  readonly contents: ViewDeps['contents']
  protected readonly lines: EntryLines

  constructor(deps: ViewDeps) {
    this.replica = deps.replica
    this.blobs = deps.blobs
    this.#home = deps.home
    this.#custody = deps.custody
    this.contents = deps.contents
    this.lines = new EntryLines(deps)
    this.#index = deps.index
  }

  async *list(path: string): AsyncIterable<EntryLine> {
    const { reader } = this.replica
    if (path === '') {
      for await (const each of reader.walk(ROOT_ID, '')) yield this.lines.of(each)
      return
    }
    const found = this.find(path)
    const at = reader.pathOf(found.id) ?? path
    yield this.lines.of({ path: at, entry: found })
    for await (const each of reader.walk(found.id, at)) yield this.lines.of(each)
  }

  /** All that is listed, or of these ids what is: each with its bytes where it is a small file. */
  read(ids?: Iterable<string>): AsyncIterable<EntryWithBody> {
    const { reader } = this.replica
    return withBodies(this.lines, ids === undefined ? reader.walk(ROOT_ID, '') : listedOf(reader, ids))
  }

  /** An entry as listings have it; undefined when it is in none. */
  lineOf(id: string): EntryLine | undefined {
    const listed = this.replica.reader.listed(id)
    return listed && this.lines.of(listed)
  }

  /** Throws `not-found`. */
  protected find(path: string): Entry {
    const found = this.replica.reader.resolve(path)
    if (found !== undefined && found.listed) return found
    throw new GrapevineError('not-found', `there is nothing at ${JSON.stringify(path)}`, {
      next: 'see "grapevine ls"',
      facts: { path }
    })
  }

  async open(
    path: string,
    options: { hash?: string } = {}
  ): Promise<{ entry: EntryLine; body: AsyncIterable<Uint8Array> }> {
    const found = this.find(path)
    const ref =
      options.hash === undefined
        ? found.meaning.body
        : found.bodies.find(({ body }) => body.hash.startsWith(options.hash!))?.body
    if (ref === undefined) {
      throw options.hash === undefined
        ? new GrapevineError('not-a-file', `${JSON.stringify(path)} is a directory`, {
            next: 'name a file',
            facts: { path }
          })
        : new GrapevineError('not-found', `${JSON.stringify(path)} has no value with the hash ${options.hash}`, {
            next: 'see "grapevine inspect entry"',
            facts: { path }
          })
    }
    const at = this.replica.reader.pathOfEntry(found) ?? path
    return { entry: this.lines.of({ path: at, entry: found }), body: this.bytes(ref) }
  }

  /** The bytes of a body, small or large. Throws `blob-missing`. */
  bytes(ref: BodyRef): AsyncIterable<Uint8Array> {
    const inline = this.replica.reader.inlineBody(ref)
    if (inline !== undefined) return once(inline)
    if (this.blobs.sizeOf(ref.hash) === ref.size) return this.blobs.read(ref)
    throw new GrapevineError('blob-missing', 'the bytes of this entry have not arrived yet', {
      next: 'wait until a node that has them is connected; see "grapevine status"',
      facts: { hash: ref.hash }
    })
  }

  hasBytes(ref: BodyRef): boolean {
    return this.replica.reader.hasInlineBody(ref) || this.blobs.sizeOf(ref.hash) === ref.size
  }

  async history(path: string): Promise<HistoryLine[]> {
    const { reader, log } = this.replica
    const entry = reader.resolve(path) ?? reader.formerly(path)
    if (entry === undefined)
      throw new GrapevineError('not-found', `nothing was ever at ${JSON.stringify(path)}`, {
        next: 'see "grapevine ls"',
        facts: { path }
      })
    const lines: HistoryLine[] = []
    const breath = new Breath(systemClock)
    for (const { log: id, seq } of await reader.history(entry.id)) {
      await breath.draw()
      if (!log.isSettled(id, seq) && log.row(id, seq)?.state === 'applied')
        lines.push(...historyOf(log.read(id, seq), entry.id))
    }
    return lines
  }

  async entry(path: string): Promise<EntryView> {
    const { reader } = this.replica
    const entry = reader.resolve(path) ?? reader.formerly(path)
    if (entry === undefined)
      throw new GrapevineError('not-found', `there is nothing at ${JSON.stringify(path)}`, {
        next: 'see "grapevine ls"',
        facts: { path }
      })
    return {
      ...this.lines.of({ path: reader.pathOf(entry.id) ?? path, entry }),
      parent: entry.parent,
      order: entry.order,
      deleted: !entry.listed,
      tuples: this.#tuples(entry),
      conflicts: this.#conflictsOf(entry),
      canonicalHash: hexOf(entryHash(entry.id, entry.state))
    }
  }

  #tuples(entry: Entry): TupleView[] {
    return tupleViews(entry.state.tuples, this.replica, (log) => this.lines.authorName(log))
  }

  #conflictsOf(entry: Entry): ConflictView[] {
    const { meaning, state } = entry
    const conflicts: ConflictView[] = meaning.conflicts.map(({ field, tuples }) => ({
      kind: 'field',
      field,
      note: `${tuples.length} values that did not see each other; the next write that sees them ends it`
    }))
    if (meaning.editDelete)
      conflicts.push({ kind: 'edit-delete', note: 'deleted by somebody who had not seen a change; the change wins' })
    if (state.level > 0)
      conflicts.push({ kind: 'cycle', note: 'moved below itself by two nodes at once; this move was set aside' })
    if (entry.listed && this.replica.reader.atName(entry.parent, entry.name).length > 1)
      conflicts.push({ kind: 'name', note: `another entry claims the name ${JSON.stringify(entry.name)} too` })
    return conflicts
  }

  async doc(path: string): Promise<DocView> {
    const { reader, log } = this.replica
    const entry = reader.resolve(path) ?? reader.formerly(path)
    if (entry === undefined)
      throw new GrapevineError('not-found', `there is nothing at ${JSON.stringify(path)}`, {
        next: 'see "grapevine ls"',
        facts: { path }
      })
    const doc = inspectDoc(entry.state)
    return {
      path: reader.pathOf(entry.id) ?? path,
      id: entry.id,
      stateVector: Object.fromEntries([...doc.stateVector].map(([client, clock]) => [String(client), clock])),
      clients: entry.state.clients.map((row) => ({
        client: String(row.client),
        author: this.lines.authorName(row.log),
        epoch: log.get(row.log)?.epoch ?? '',
        clock: row.clock
      })),
      tuples: this.#tuples(entry),
      tombstones: doc.tombstones.map(({ client, clock, length }) => ({ client: String(client), clock, length })),
      structs: doc.structs,
      bytes: doc.bytes
    }
  }

  async salvage(): Promise<SalvageLine[]> {
    return [...salvageOf(this.replica)]
  }

  async salvageBody(record: string, hash: string): Promise<AsyncIterable<Uint8Array>> {
    return this.bytes(salvagedBody(this.replica, record, hash))
  }

  async appointmentRequest(): Promise<{ request: string }> {
    return { request: appointmentRequest(this.replica, this.#home) }
  }

  async invitations(): Promise<InvitationView[]> {
    return invitationsOf(this.replica.members, Date.now())
  }

  async inspect(topic: InspectTopic): Promise<unknown> {
    switch (topic) {
      case 'heads':
        return [CATALOG_SPACE, MEMBERS_SPACE].flatMap((space) =>
          this.replica.heads(space).map((head) => ({ space, ...head, author: this.lines.authorName(head.log) }))
        )
      case 'vector':
        return this.logs()
      case 'log':
        return this.logs()
      case 'gossip':
        return { running: false }
      case 'checkpoint': {
        return checkpointsOf(this.replica, this.blobs)
      }
      case 'store':
        return {
          log: this.replica.stats(),
          index: await this.#index.stats(),
          blobs: this.blobs.stats(),
          entries: this.replica.catalog.entries,
          waiting: this.replica.waiting,
          epoch: this.replica.epoch
        }
    }
  }

  /** In an order of their own: a running node and the same one stopped list alike. */
  #byLog(): LogHead[] {
    return [...this.replica.log.logs()].toSorted((a, b) => (a.log < b.log ? -1 : 1))
  }

  protected logs(): unknown[] {
    return this.#byLog().map((head) => ({
      log: head.log,
      space: head.space,
      author: nodeIdOf(head.author),
      epoch: head.epoch,
      seq: head.seq,
      applied: head.applied,
      head: head.id,
      frozen: head.frozen
    }))
  }

  async *inspectLog(options: { limit: number; log?: string }): AsyncIterable<RecordLine> {
    const { log } = this.replica
    let left = options.limit
    const heads = this.#byLog().filter((head) => options.log === undefined || head.log.startsWith(options.log))
    for (const head of heads) {
      for (const twin of log.twins(head.log)) if (left-- > 0) yield twinLine(log, twin)
      for (let seq = head.seq; seq > head.floor && left > 0; seq--, left--)
        yield recordLine(log, log.read(head.log, seq))
    }
  }

  async record(id: string): Promise<RecordLine & { body: unknown }> {
    const { log } = this.replica
    const found = log.find(id)
    const twin = found === undefined ? twinWith(log, id) : undefined
    if (twin !== undefined) return { ...twinLine(log, twin), body: plain(twin.body) }
    if (found === undefined)
      throw new GrapevineError('not-found', 'no record here has this id', {
        next: 'give the whole id, 64 hex characters; see "grapevine inspect log"',
        facts: { id }
      })
    const record = log.read(found.log, found.seq)
    return { ...recordLine(log, record), body: plain(decodeRecord(record.bytes).body) }
  }

  spaces(): SpaceStatus[] {
    const { catalog, log } = this.replica
    const vector = (space: string): Record<string, number> =>
      Object.fromEntries([...log.logs()].filter((head) => head.space === space).map((head) => [head.log, head.seq]))
    return [
      {
        name: CATALOG_SPACE,
        entries: catalog.entries,
        conflicts: catalog.conflicts,
        waiting: log.waitingCount(CATALOG_SPACE),
        root: catalog.root(),
        vector: vector(CATALOG_SPACE)
      },
      {
        name: MEMBERS_SPACE,
        entries: this.replica.members.list().length,
        conflicts: 0,
        waiting: log.waitingCount(MEMBERS_SPACE),
        root: '',
        vector: vector(MEMBERS_SPACE)
      }
    ]
  }

  async quarantine(): Promise<QuarantineView> {
    return quarantineOf(this.replica)
  }

  #keeper(): Custody {
    if (this.#custody !== undefined) return this.#custody
    throw new GrapevineError('internal', 'a view without custody was asked for it', { next: 'report this' })
  }

  backup(): AsyncIterable<Uint8Array> {
    return this.#keeper().backup()
  }

  scrub(options: { signal?: AbortSignal }): AsyncIterable<ScrubLine> {
    return this.#keeper().scrub(options)
  }

  acknowledgeLosses(): Promise<LossView[]> {
    return this.#keeper().acknowledgeLosses()
  }

  async verify(_options: { waitMs: number; signal?: AbortSignal }): Promise<VerifyView> {
    const root = this.replica.catalog.root()
    return {
      equal: true,
      root,
      nodes: [{ node: this.replica.node, reachable: true, root, equal: true }],
      differences: []
    }
  }
}

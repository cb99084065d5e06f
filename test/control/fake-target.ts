/** A small in-memory control target: real enough for the API and the command line to be tested without a node. */
import { EventEmitter, on } from 'node:events'
import { GrapevineError } from '../../src/errors.js'
import type {
  AdoptionView,
  DriftView,
  ObjectView,
  RestoredView,
  AppointedView,
  ControlTarget,
  DocView,
  EntryLine,
  EntryView,
  EventView,
  HistoryLine,
  InvitationView,
  InviteRequest,
  InviteView,
  KeyRotationView,
  InspectTopic,
  LossView,
  PeerStatus,
  QuarantineView,
  RecordLine,
  RemovalView,
  RotationView,
  SalvageLine,
  ScrubLine,
  StatusView,
  TupleView,
  VerifyView,
  WaitingView,
  WriteReceipt
} from '../../src/control/target.js'
import { bodyRefOf } from '../../src/wire/index.js'

export const NODE_A = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
export const NODE_B = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
export const RECORD = 'ab'.repeat(32)
const ROOT = 'cd'.repeat(32)
const LOG = 'ef'.repeat(16)
export const INVITE = '1a'.repeat(16)
const TIME = '2026-11-21T19:13:05.123Z'

interface Stored {
  bytes: Buffer
  exec: boolean
}

export class FakeTarget implements ControlTarget {
  readonly invites = new Map<string, InvitationView>([
    [INVITE, { invite: INVITE, state: 'open', role: 'author', uses: 1, used: 0, expires: TIME, issuer: NODE_A }]
  ])
  readonly files = new Map<string, Stored>()
  readonly calls: string[] = []
  readonly #events = new EventEmitter()
  subscribers = 0
  stopped = 0
  /** Entries handed out by the running listing. */
  listed = 0
  /** Bytes taken from the running put. */
  received = 0
  /** When set, `list` makes up this many entries instead of the stored ones. */
  madeUp: number | undefined
  /** Thrown by the next call of any kind. */
  fails: Error | undefined
  /** Thrown by a listing or a body after its first item. */
  failsLater: Error | undefined
  equal = true
  reachable = true
  conflict = false
  lost: LossView[] = [{ kind: 'record', log: LOG, author: NODE_A, seq: 2, paths: ['styles/a.sld'] }]
  salvaged: SalvageLine[] = [
    {
      time: TIME,
      author: NODE_B,
      record: RECORD,
      seq: 3,
      change: 'content 4 B',
      hash: bodyRefOf(Buffer.from('text')).hash,
      size: 4,
      path: 'styles/a.sld',
      id: '98'.repeat(16)
    }
  ]
  /** What files hold, by path. */
  readonly objects = new Map<string, ObjectView>()
  drifting: DriftView[] = [
    {
      path: 'styles/a.sld',
      kind: 'file',
      change: 'moved',
      from: 'styles/b.sld',
      since: TIME,
      policy: 'adopt',
      refused: 'beta: its rules about drift do not say "adopt" for this path'
    }
  ]
  quarantined: QuarantineView = {
    records: [
      {
        record: RECORD,
        space: 'catalog',
        author: NODE_B,
        log: LOG,
        seq: 3,
        reason: 'TypeError: x is not a function',
        since: TIME,
        waiting: 2,
        paths: ['styles/a.sld']
      }
    ],
    entries: [
      {
        path: 'styles/b.sld',
        id: '01'.repeat(16),
        state: 'held',
        reason: 'TypeError: x is not a function',
        since: TIME
      }
    ]
  }
  waitingRoom: WaitingView = {
    waiting: [
      {
        path: 'workspaces/topp/layergroups/all.xml',
        id: '01'.repeat(16),
        state: 'broken',
        for: ['published LayerInfoImpl-7173b04e'],
        since: TIME,
        until: TIME
      }
    ],
    broken: {
      count: 1,
      references: [{ path: 'workspaces/topp/roads/roads/layer.xml', missing: 'default style StyleInfoImpl-5' }]
    }
  }
  onShutdown: () => void = () => undefined
  #seq = 0

  async status(): Promise<StatusView> {
    this.#called('status')
    return {
      node: NODE_A,
      name: 'alpha',
      cluster: '9f'.repeat(16),
      clusterName: 'maps',
      role: 'admin',
      state: 'running',
      version: '0.1.0',
      since: TIME,
      listen: [`/ip4/192.168.100.200/tcp/44700/p2p/${NODE_A}`],
      peers: await this.peers(),
      spaces: [
        {
          name: 'catalog',
          entries: this.files.size,
          conflicts: this.conflict ? 1 : 0,
          waiting: 0,
          root: ROOT,
          vector: { [LOG]: this.#seq }
        }
      ],
      target: {
        adapter: 'directory',
        dir: '/srv/data',
        state: 'watching',
        drift: [],
        broken: 0,
        lastScan: { at: TIME, ms: 12, entries: 2 }
      },
      blobs: { stored: 1, bytes: 6_000_000, letGo: { count: 2, bytes: 40_000 }, wanted: 0, fetching: [] },
      unreplicated: 0,
      problems: [
        {
          code: 'file-unreadable',
          path: 'secret\u001b[31m.xml',
          message: 'cannot be read',
          next: 'make it readable',
          since: TIME
        }
      ]
    }
  }

  async peers(): Promise<PeerStatus[]> {
    this.#called('peers')
    return [
      {
        node: NODE_B,
        name: 'beta',
        role: 'author',
        connected: true,
        rttMs: 1.4,
        found: 'mdns',
        addresses: ['/ip4/127.0.0.1/tcp/4471'],
        inSync: true,
        behind: 0,
        ahead: 0
      }
    ]
  }

  async *list(path: string): AsyncGenerator<EntryLine> {
    this.#called(`list ${path}`)
    this.listed = 0
    for (const line of this.madeUp === undefined ? this.#lines(path) : inventedLines(this.madeUp)) {
      if (this.failsLater && this.listed > 0) throw this.failsLater
      this.listed++
      yield line
    }
  }

  async open(
    path: string,
    options?: { hash?: string }
  ): Promise<{ entry: EntryLine; body: AsyncIterable<Uint8Array> }> {
    this.#called(`open ${path} ${options?.hash ?? ''}`.trim())
    const { bytes } = this.#stored(path)
    const later = this.failsLater
    async function* body(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, bytes.length >> 1)
      if (later) throw later
      yield bytes.subarray(bytes.length >> 1)
    }
    return { entry: this.#line(path), body: body() }
  }

  async history(path: string): Promise<HistoryLine[]> {
    this.#called(`history ${path}`)
    this.#stored(path)
    return [{ time: TIME, author: NODE_A, record: RECORD, seq: 1, change: 'created', size: 4, hash: ROOT }]
  }

  async compact(): Promise<{ proposal: string; awaited: string[] }> {
    this.#called('compact')
    return { proposal: RECORD, awaited: ['b'] }
  }

  async inspect(topic: InspectTopic): Promise<unknown> {
    this.#called(`inspect ${topic}`)
    if (topic === 'heads') return [{ space: 'catalog', log: LOG, author: NODE_A, seq: 3, record: RECORD }]
    if (topic === 'vector') return { catalog: { [LOG]: 3 } }
    if (topic === 'gossip')
      return {
        mesh: [NODE_B],
        addresses: [`/ip4/192.168.100.200/tcp/44700/p2p/${NODE_A}`],
        topics: ['catalog'],
        scores: { [NODE_B]: 0 },
        counters: { sent: 4, received: 5n }
      }
    if (topic === 'checkpoint')
      return {
        inForce: null,
        floor: null,
        since: 3,
        logBytes: 4_096,
        contents: { count: 2, bytes: 70_000, letGo: { count: 1, bytes: 20_000 } },
        proposed: [],
        settled: {}
      }
    return { segments: 1, bytes: 4_096, key: Buffer.from([1, 2]) }
  }

  async *inspectLog(options: { limit: number; log?: string }): AsyncGenerator<RecordLine> {
    this.#called(`inspectLog ${options.limit} ${options.log ?? ''}`.trim())
    yield record()
  }

  async record(id: string): Promise<RecordLine & { body: unknown }> {
    this.#called(`record ${id}`)
    if (id !== RECORD)
      throw new GrapevineError('not-found', `there is no record ${id}`, { next: 'see `grapevine inspect log`' })
    return { ...record(), body: { v: 1, seq: 3, prev: Buffer.alloc(2, 7) } }
  }

  async entry(path: string): Promise<EntryView> {
    this.#called(`entry ${path}`)
    return {
      ...this.#line(path),
      parent: 'root',
      order: 'a0',
      deleted: false,
      tuples: tuples(),
      conflicts: [{ kind: 'field', field: 'body', note: 'two bodies' }],
      canonicalHash: ROOT
    }
  }

  async doc(path: string): Promise<DocView> {
    this.#called(`doc ${path}`)
    return {
      path,
      id: this.#line(path).id,
      stateVector: { '12345': 2 },
      clients: [{ client: '12345', author: NODE_A, epoch: 'e1', clock: 2 }],
      tuples: tuples(),
      tombstones: [{ client: '12345', clock: 0, length: 1 }],
      structs: 3,
      bytes: 77
    }
  }

  async verify(options: { waitMs: number }): Promise<VerifyView> {
    this.#called(`verify ${options.waitMs}`)
    const other = this.equal ? ROOT : '11'.repeat(32)
    return {
      equal: this.equal,
      root: ROOT,
      nodes: [
        { node: NODE_A, name: 'alpha', reachable: true, root: ROOT, equal: true },
        {
          node: NODE_B,
          name: 'beta',
          reachable: this.reachable,
          ...(this.reachable ? { root: other } : {}),
          equal: this.equal
        }
      ],
      differences: this.equal ? [] : [{ path: 'styles/a.sld', id: '01'.repeat(16), nodes: [NODE_B] }]
    }
  }

  async put(path: string, body: AsyncIterable<Uint8Array>, options?: { exec?: boolean }): Promise<WriteReceipt> {
    this.#called(`put ${path} ${options?.exec ?? ''}`.trim())
    this.received = 0
    const chunks: Uint8Array[] = []
    for await (const chunk of body) {
      this.received += chunk.length
      chunks.push(chunk)
    }
    return this.#store(path, Buffer.concat(chunks), options?.exec ?? false)
  }

  async putMany(files: Array<{ path: string; body: Uint8Array }>): Promise<WriteReceipt[]> {
    this.#called(`putMany ${files.length}`)
    return files.map(({ path, body }) => this.#store(path, Buffer.from(body), false))
  }

  async remove(path: string): Promise<WriteReceipt> {
    this.#called(`remove ${path}`)
    this.#stored(path)
    this.files.delete(path)
    return this.#receipt(path)
  }

  async move(from: string, to: string, options?: { before?: string }): Promise<WriteReceipt> {
    this.#called(`move ${from} ${to} ${options?.before ?? ''}`.trim())
    this.files.set(to, this.#stored(from))
    this.files.delete(from)
    return this.#receipt(to)
  }

  async invite({ role, expiresMs, uses, scope }: InviteRequest): Promise<InviteView> {
    this.#called(`invite ${role} ${expiresMs} ${uses}${scope === undefined ? '' : ` ${scope.join(',')}`}`)
    return { token: 'gv1-token', expires: TIME, role, uses, ...(scope === undefined ? {} : { scope }) }
  }

  async invitations(): Promise<InvitationView[]> {
    this.#called('invitations')
    return [...this.invites.values()]
  }

  async revokeInvitation(invite: string): Promise<InvitationView> {
    this.#called(`revokeInvitation ${invite}`)
    const view = this.invites.get(invite)
    if (view === undefined)
      throw new GrapevineError('not-found', `there is no invitation ${invite}`, { next: 'see "grapevine invite ls"' })
    view.state = 'revoked'
    return view
  }

  async secrets(): Promise<RotationView[]> {
    this.#called('secrets')
    return [
      {
        id: '5e'.repeat(16),
        generation: 1,
        phase: 'published',
        heldBy: 1,
        members: 2,
        missing: [{ node: NODE_B, name: 'beta' }]
      }
    ]
  }

  async rotateKey(): Promise<KeyRotationView> {
    this.#called('rotateKey')
    return { node: NODE_A, next: NODE_B }
  }

  async rotateSecret(): Promise<RotationView[]> {
    this.#called('rotateSecret')
    return this.secrets()
  }

  async dropSecrets(): Promise<RotationView[]> {
    this.#called('dropSecrets')
    return [{ id: '5e'.repeat(16), generation: 1, phase: 'used', heldBy: 2, members: 2, missing: [] }]
  }

  async appointmentRequest(): Promise<{ request: string }> {
    this.#called('appointmentRequest')
    return { request: 'gvq1-request' }
  }

  async appoint(certificate: string): Promise<AppointedView> {
    this.#called(`appoint ${certificate}`)
    return { node: NODE_B, name: 'beta', role: 'admin' }
  }

  async removeMember({ node, since }: { node: string; since?: number }): Promise<RemovalView> {
    this.#called(`removeMember ${node} ${since ?? ''}`.trim())
    if (node !== NODE_B)
      throw new GrapevineError('not-found', `no member has the node id ${node}`, { next: 'see "grapevine peers"' })
    const voided = since === undefined ? 0 : 1
    return { node, name: 'beta', role: 'author', cuts: [{ log: LOG, seq: 2 }], voided }
  }

  async salvage(): Promise<SalvageLine[]> {
    this.#called('salvage')
    return this.salvaged
  }

  async salvageBody(record: string, hash: string): Promise<AsyncIterable<Uint8Array>> {
    this.#called(`salvageBody ${record} ${hash}`)
    return (async function* () {
      yield Buffer.from('text')
    })()
  }

  async quarantine(): Promise<QuarantineView> {
    this.#called('quarantine')
    return this.quarantined
  }

  async waiting(): Promise<WaitingView> {
    this.#called('waiting')
    return this.waitingRoom
  }

  async retryQuarantined(what?: string): Promise<QuarantineView> {
    this.#called(`retryQuarantined ${what ?? ''}`.trim())
    return { records: [], entries: [] }
  }

  async dropQuarantined(what: string): Promise<QuarantineView> {
    this.#called(`dropQuarantined ${what}`)
    return { records: [], entries: [] }
  }

  async drift(): Promise<DriftView[]> {
    this.#called('drift')
    return this.drifting
  }

  async restoreDrift(paths: readonly string[] = []): Promise<RestoredView[]> {
    this.#called(`restoreDrift ${paths.join()}`.trim())
    return this.drifting.map(({ path }) => ({ path, outcome: 'restored', kept: `/home/aside/${path}` }))
  }

  async adoptDrift(paths: readonly string[] = []): Promise<AdoptionView[]> {
    this.#called(`adoptDrift ${paths.join()}`.trim())
    return this.drifting.flatMap(({ path }): AdoptionView[] => [
      { path, outcome: 'adopted', by: 'beta' },
      { path: `${path}.old`, outcome: 'refused', reason: 'no node that may write there is connected' }
    ])
  }

  async *events(signal: AbortSignal): AsyncGenerator<EventView> {
    this.#called('events')
    this.subscribers++
    this.#events.emit('subscribed')
    try {
      for await (const [event] of on(this.#events, 'event', { signal })) yield event as EventView
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.subscribers--
      this.#events.emit('unsubscribed')
    }
  }

  async *backup(): AsyncGenerator<Uint8Array> {
    this.#called('backup')
    yield Buffer.from('back')
    if (this.failsLater) throw this.failsLater
    yield Buffer.from('up')
  }

  async *scrub(): AsyncGenerator<ScrubLine> {
    this.#called('scrub')
    yield { progress: { records: 3, rows: 20, blobs: 0, bytes: 4_096 } }
    if (this.failsLater) throw this.failsLater
    const checked = { records: 3, rows: 20, blobs: 1, bytes: 6_004_096 }
    yield { report: { checked, damaged: this.lost.length, healed: 0, lost: this.lost } }
  }

  async acknowledgeLosses(): Promise<LossView[]> {
    this.#called('acknowledgeLosses')
    return this.lost
  }

  async shutdown(): Promise<void> {
    this.#called('shutdown')
    this.stopped++
    this.onShutdown()
  }

  emit(event: EventView['event'], facts: Record<string, unknown> = {}): void {
    this.#events.emit('event', { seq: ++this.#seq, time: TIME, event, ...facts })
  }

  /** Resolves once somebody listens to events (or nobody does any more). */
  async subscribed(wanted: boolean): Promise<void> {
    while (this.subscribers > 0 !== wanted) {
      await new Promise((done) => this.#events.once(wanted ? 'subscribed' : 'unsubscribed', done))
    }
  }

  add(path: string, text: string, exec = false): void {
    this.files.set(path, { bytes: Buffer.from(text), exec })
  }

  #called(what: string): void {
    this.calls.push(what)
    const error = this.fails
    this.fails = undefined
    if (error) throw error
  }

  #store(path: string, bytes: Buffer, exec: boolean): WriteReceipt {
    const before = this.files.get(path)
    if (before?.bytes.equals(bytes) && before.exec === exec)
      return { path, id: idOf(path), record: null, seq: null, changed: false }
    this.files.set(path, { bytes, exec })
    this.emit('entry-changed', {
      space: 'catalog',
      path,
      id: idOf(path),
      author: NODE_A,
      record: RECORD,
      size: bytes.length
    })
    return this.#receipt(path)
  }

  #receipt(path: string): WriteReceipt {
    return { path, id: idOf(path), record: RECORD, seq: ++this.#seq, changed: true }
  }

  #stored(path: string): Stored {
    const stored = this.files.get(path)
    if (!stored)
      throw new GrapevineError('not-found', `there is nothing at ${path}`, {
        next: 'see `grapevine ls`',
        facts: { path }
      })
    return stored
  }

  #line(path: string): EntryLine {
    const { bytes, exec } = this.#stored(path)
    const { hash, size } = bodyRefOf(bytes)
    const object = this.objects.get(path)
    const line = { path, id: idOf(path), kind: 'file' as const, size, hash, exec, time: TIME, author: NODE_A }
    return { ...line, conflict: this.conflict, ...(object && { object }) }
  }

  *#lines(path: string): Generator<EntryLine> {
    const inside = (name: string): boolean => path === '' || name === path || name.startsWith(`${path}/`)
    const names = [...this.files.keys()].filter(inside).toSorted()
    if (path !== '' && names.length === 0) this.#stored(path)
    for (const name of names) yield this.#line(name)
  }
}

function idOf(path: string): string {
  return bodyRefOf(Buffer.from(path)).hash.slice(0, 32)
}

function record(): RecordLine {
  return {
    id: RECORD,
    space: 'catalog',
    author: NODE_A,
    log: LOG,
    epoch: 'e1',
    seq: 3,
    depth: 3,
    time: TIME,
    deps: [{ log: '0a'.repeat(16), seq: 2 }],
    ops: ['create'],
    size: 312,
    state: 'applied'
  }
}

function tuples(): TupleView[] {
  return [
    {
      field: 'body',
      value: { hash: ROOT, size: 4 },
      time: TIME,
      author: NODE_A,
      dot: { log: LOG, epoch: 'e1', seq: 1 },
      wins: true
    }
  ]
}

function* inventedLines(count: number): Generator<EntryLine> {
  for (let i = 0; i < count; i++) {
    const path = `workspaces/imos/${String(i).padStart(6, '0')}/featuretype.xml`
    yield {
      path,
      id: i.toString(16).padStart(32, '0'),
      kind: 'file',
      size: i,
      hash: ROOT,
      exec: false,
      time: TIME,
      author: NODE_A,
      conflict: false
    }
  }
}

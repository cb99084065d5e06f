/**
 * One node's copy of everything: log, folds and sync joined over the disk, store and transport it is given. The daemon
 * and the simulated world run this same class.
 */
import type { Catalog, CatalogDelta, CatalogReader, Draft } from '../catalog/index.js'
import { GrapevineError, reasonOf } from '../errors.js'
import { MEMBERS_SPACE, Members, MEMBER_ROWS, nodeIdOf } from '../identity/index.js'
import { RecordLog, SegmentLog, type DamagedRange, type Scanned } from '../log/index.js'
import { seldom, type Logger, type NodeId, type PeerInfo } from '../runtime.js'
import { Overlay, prefixRange } from '../store/index.js'
import { SyncEngine, type SyncEffect } from '../sync/index.js'
import { decodeNotice, encodeNotice, type Beside, type Op, type SignedRecord } from '../wire/index.js'
import { withAdvice } from './advice.js'
import { answerRequest } from './answers.js'
import { Asking } from './asking.js'
import { Agreement } from './agreement.js'
import type { Applied } from './applied.js'
import { CATALOG_SPACE, MAX_PENDING_ROWS, type Applier } from './applier.js'
import { Behind } from './behind.js'
import { Base } from './checkpoint/base.js'
import { BaseFile } from './checkpoint/base-file.js'
import type { Checkpoints } from './checkpoint/checkpoints.js'
import { makeCheckpoints } from './checkpoint/make.js'
import type { Ledger } from './checkpoint/ledger.js'
import { HybridClock } from './clock.js'
import { OwnEpoch } from './epochs.js'
import { makeFold } from './fold.js'
import { ForkFinder } from './forks.js'
import { Gossiper } from './gossiper.js'
import { Heads } from './heads.js'
import { Hearsay } from './hearsay.js'
import { Holds } from './holds.js'
import { Intake, isRefusal, type Judged } from './intake.js'
import type { OpenReport, ReplicaDeps, ReplicaEvents, ReplicaOptions } from './options.js'
import { OwnHistory } from './own-history.js'
import { Offers, origins, type Offer } from './offers.js'
import type { Quarantine } from './quarantine.js'
import type { Removals } from './removals.js'
import { repair } from './repair.js'
import { Replication } from './replication.js'
import { checkWriter } from './rights.js'
import type { Scopes } from './scopes.js'
import { scrub, type Scrubbed } from './scrub.js'
import { atHand, tipsOf } from './tips.js'
import { Turns } from './turns.js'
import { Writer, type Written } from './writer.js'

/** How long a change waits for others before the index is written, ms. */
const FLUSH_DELAY_MS = 20

export class Replica {
  readonly node: NodeId
  readonly members: Members
  readonly catalog: Catalog
  /** Hex public key of a log's author; '' when the log is not known. */
  readonly authorOf: (log: string) => string
  readonly reader: CatalogReader
  readonly log: RecordLog
  readonly engine: SyncEngine
  readonly #deps: ReplicaDeps
  readonly #events: ReplicaEvents
  readonly #segments: SegmentLog
  readonly #rows: Overlay
  readonly #heads = new Heads()
  readonly #turns = new Turns()
  readonly #applier: Applier
  readonly #scopes: Scopes
  readonly removals: Removals
  readonly quarantine: Quarantine
  readonly offers: Offers
  readonly #intake: Intake
  readonly #seldom: Logger
  readonly #writer: Writer
  readonly #gossiper: Gossiper
  readonly replication: Replication
  readonly #forkFinder: ForkFinder
  readonly #freshEpoch: boolean
  readonly #onProgress: ((records: number) => void) | undefined
  readonly #partedBefore: readonly string[]
  readonly #epoch: OwnEpoch
  readonly #own: OwnHistory
  readonly #holds = new Holds()
  readonly behind: Behind
  readonly #asking: Asking
  readonly #heard: Hearsay
  readonly #base: Base
  readonly #baseFile: BaseFile
  readonly #ledger: Ledger
  /** Absent where nothing is there to keep their pieces in. */
  readonly checkpoints: Checkpoints | undefined
  readonly #agreement = new Agreement((node) => this.#events.inSync?.(node))
  /** What is told of the system this node runs beside. */
  beside: Beside | undefined
  #tick: (() => void) | undefined
  #running = false
  #flushing: (() => void) | undefined

  /** Opens the log and the index and brings them in step; nothing is sent or written before `start`. */
  static async open(
    deps: ReplicaDeps,
    options: ReplicaOptions,
    events: ReplicaEvents = {}
  ): Promise<{ replica: Replica; report: OpenReport }> {
    const segments = await SegmentLog.open(
      deps.disk,
      { logger: deps.logger },
      options.maxSegmentBytes === undefined ? {} : { maxSegmentBytes: options.maxSegmentBytes }
    )
    const replica = new Replica(deps, options, events, segments)
    const report = await segments.closedUnless(replica.#open())
    return { replica, report: { ...report, cutBytes: segments.recovered.cutBytes } }
  }

  private constructor(deps: ReplicaDeps, options: ReplicaOptions, events: ReplicaEvents, segments: SegmentLog) {
    this.#deps = deps
    this.#events = events
    this.#segments = segments
    const { store, logger, keys } = deps
    const rows = new Overlay({ store })
    this.#rows = rows
    this.#freshEpoch = options.freshEpoch ?? false
    this.#onProgress = options.onProgress
    this.#partedBefore = [...(options.parted ?? [])]
    this.node = nodeIdOf(keys.publicKey)
    this.members = new Members(options.cluster)
    this.log = new RecordLog({ segments, rows, store, logger, damaged: (id) => events.recordDamaged?.(id) })
    this.#forkFinder = new ForkFinder({
      log: this.log,
      logger,
      ask: (node, log, seq) => this.#asking.one(node, log, seq),
      found: (from, record) => {
        this.#own.parted(record.log)
        this.#offer(from, [record])
      }
    })
    this.#epoch = new OwnEpoch({
      log: this.log,
      random: deps.random,
      logger,
      author: keys.publicKey,
      spaces: [CATALOG_SPACE, MEMBERS_SPACE]
    })
    const { log, members } = this
    this.behind = new Behind({
      log,
      clock: deps.clock,
      hold: (error) => this.hold('newcomer', error),
      release: () => this.release('newcomer')
    })
    const heads = this.#heads
    this.#base = new Base(deps.contents, deps.clock)
    const fold = makeFold({ rows, store, log, members, heads, logger, clock: deps.clock, events, base: this.#base })
    this.authorOf = fold.authorOf
    this.catalog = fold.catalog
    this.reader = fold.reader
    this.removals = fold.removals
    this.quarantine = fold.quarantine
    this.#scopes = fold.scopes
    this.#applier = fold.applier
    this.#seldom = seldom(logger, deps.clock)
    this.offers = new Offers({
      clock: deps.clock,
      turns: this.#turns,
      take: (offers) => this.#takeOffers(offers),
      awaited: ({ log, body }) =>
        this.log.blocked.awaits(log, body.seq, (waiting) => this.authorOf(waiting) !== this.authorOf(log)),
      throttled: (author, state) => events.throttled?.(author, state)
    })
    this.#intake = new Intake({
      clock: deps.clock,
      cluster: options.cluster,
      log: this.log,
      members: this.members,
      ...(deps.verify === undefined ? {} : { verify: deps.verify, verifyNow: deps.verifyNow })
    })
    this.#asking = new Asking({
      transport: deps.transport,
      intake: this.#intake,
      checkpointNeeded: (node) => events.checkpointNeeded?.(node)
    })
    this.#gossiper = new Gossiper({ clock: deps.clock, logger, publish: (frame) => deps.transport.publish(frame) })
    this.engine = new SyncEngine(
      {
        root: () => (this.log.waitingCount() === 0 ? this.catalog.root() : undefined),
        backlogBytes: () => this.offers.bytes,
        random: () => deps.random.float(),
        restMs: (log) => this.offers.restMs(this.authorOf(log))
      },
      options.sync
    )
    this.#own = new OwnHistory({
      log: this.log,
      author: keys.publicKey,
      heads: (log) => this.engine.heads(log),
      hold: (why, error) => this.hold(why, error),
      release: (why) => this.release(why),
      writesTo: (log) => this.#epoch.writesTo(log),
      beginEpoch: () => this.#beginEpoch(),
      twinFound: () => events.twinFound?.(),
      partedChanged: (log, parted) => events.logParted?.(log, parted)
    })
    this.#heard = new Hearsay({
      log: this.log,
      intake: this.#intake,
      engine: this.engine,
      offers: this.offers,
      offer: (from, records) => this.#offer(from, records),
      gossiped: (from, vector) => this.#perform(this.engine.gossiped(from, vector, deps.clock.monotonic()))
    })
    this.replication = new Replication({ engine: this.engine, clock: deps.clock })
    this.#writer = new Writer({
      cluster: options.cluster,
      keys,
      log: this.log,
      catalog: this.catalog,
      members: this.members,
      heads: this.#heads,
      turns: this.#turns,
      flushSoon: () => this.#flushSoon(),
      clock: new HybridClock(deps.clock),
      pace: deps.clock,
      epoch: () => this.#epoch.current,
      checkMayWrite: () => this.#checkMayWrite(),
      scopeCheck: () => this.#scopes.drafting(keys.publicKey),
      applied: (record, delta) => this.#wroteLocally(record, delta),
      fold: (record) => this.#foldOwn(record)
    })
    this.#ledger = fold.ledger
    this.#baseFile = new BaseFile(deps.disk)
    this.checkpoints = makeCheckpoints(deps, {
      ...{ cluster: options.cluster, segments, rows, turns: this.#turns, base: this.#base },
      ...{ log, catalog: this.catalog, reader: this.reader, removals: this.removals, ledger: fold.ledger },
      file: this.#baseFile,
      write: (ops) => this.#writer.writeOps(ops, () => this.#checkMayVouch(ops)),
      changed: (delta) => this.#changed(delta)
    })
  }

  async #open(): Promise<{ indexed: number; damaged: DamagedRange[] }> {
    await this.catalog.load()
    await this.members.load(this.#deps.store.iterate(prefixRange(MEMBER_ROWS)))
    for (const part of [this.removals, this.quarantine, this.#ledger]) await part.load()
    await this.#openBase()
    const report = await this.log.open({
      loaded: async (empty) => this.checkpoints?.open(empty),
      onProgress: ({ records }) => {
        this.#onProgress?.(records)
        if (records % 10_000 === 0) this.#deps.logger.info('Records are being indexed again.', { records })
      }
    })
    this.#heads.load(this.log)
    await this.checkpoints?.goOn()
    await this.#applier.drainAll()
    await this.#rows.flush()
    const doubtful = report.damaged.length > 0 || this.#segments.endInDoubt
    this.#epoch.choose(this.#freshEpoch || doubtful)
    for (const log of this.#partedBefore) this.#own.parted(log)
    if (doubtful) await this.#settleDamage()
    this.engine.held(this.log.vector(), this.#deps.clock.monotonic())
    return report
  }

  async #openBase(): Promise<void> {
    const inForce = await this.#baseFile.read()
    if (inForce !== undefined) await this.#base.set(inForce)
    await this.checkpoints?.load()
  }

  /**
   * Our own log may have lost its end: that another epoch goes on is durable before the damage counts as known. Who may
   * not write has nothing to continue.
   */
  async #settleDamage(): Promise<void> {
    try {
      await this.openEpoch()
    } catch (error) {
      if (!(error instanceof GrapevineError)) throw error
      // unsettled it is found again, and doubted again, with the next open
      if (error.code !== 'role-forbids') return
    }
    this.log.damageSettled()
    await this.#rows.flush()
  }

  get epoch(): string {
    return this.#epoch.current
  }

  /** Whether a connected peer holds the same records and the same catalog. */
  inSyncWithSomebody(): boolean {
    return this.#deps.transport.peers().some(({ node }) => this.engine.isInSync(node))
  }

  /** Logs whose branch here is not the one some peer holds. */
  get partedLogs(): ReadonlySet<string> {
    return this.#own.partedLogs
  }

  /** Records of this node's own logs that no other node is known to hold durably. */
  get unreplicated(): number {
    return this.replication.lacking(this.log.logs(), this.#deps.keys.publicKey)
  }

  stats(): { segments: number; bytes: number } {
    return this.#segments.stats()
  }

  /** Everything durable at the time of the call, in the order in which it was written; damage is named by its place. */
  stored(): AsyncGenerator<Scanned> {
    return this.#segments.scan()
  }

  heads(space = CATALOG_SPACE): Array<{ log: string; seq: number; id: string }> {
    return this.#heads.of(space)
  }

  /** Why nothing can be written here now, or undefined. */
  get failure(): GrapevineError | undefined {
    return this.failures[0]
  }

  /** Everything that keeps this node from writing. */
  get failures(): GrapevineError[] {
    return this.#holds.all(this.#segments.failure)
  }

  /** Ends writing until `release` is called with the same word; reading and taking in go on. */
  hold(why: string, error: GrapevineError): void {
    this.#holds.hold(why, error)
  }

  release(why: string): void {
    this.#holds.release(why)
  }

  /** Ends writing until the process is restarted; reading and taking in go on. */
  halt(error: GrapevineError): void {
    this.#holds.halt(error)
  }

  get waiting(): number {
    return this.log.waitingCount()
  }

  // --- life -------------------------------------------------------------------------------------------------------

  /** Begins to talk to peers. The transport's handler must already route to `notified`, `requested` and `gossip`. */
  start(): void {
    if (this.#running) return
    this.#running = true
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#tick?.()
    this.#tick = undefined
    this.#gossiper.stop()
    this.replication.stop()
    this.offers.stop()
    this.behind.stop()
    this.#flushing?.()
    await this.#turns.idle()
    if (!this.#holds.failed) await this.#rows.flush()
    await this.#segments.close()
  }

  /**
   * Lets the index be written behind: the log is the truth, and reads see what is pending. Only when much is pending does
   * the caller wait.
   */
  async #flushSoon(): Promise<void> {
    if (this.#rows.size > MAX_PENDING_ROWS) return this.#flush()
    this.#flushing ??= this.#deps.clock.timer(FLUSH_DELAY_MS, () => {
      this.#flushing = undefined
      this.#flush().catch(() => undefined)
    })
  }

  /** What is in the log by then, and nobody was told of, is told by `recover`. */
  #flush(): Promise<void> {
    return this.#rows.flush().catch((error: unknown) => Promise.reject(this.#fail(error)))
  }

  // --- writing ----------------------------------------------------------------------------------------------------

  /** Changes the catalog: resolves when the change is fsynced and indexed here. */
  change<T>(change: (draft: Draft) => T, bytes = 512, time?: number): Promise<Written<T>> {
    const write = (): Promise<Written<T>> => this.#writer.change(change, bytes, time)
    return this.behind.wait()?.then(write) ?? write()
  }

  /** Writes to the members space; `make` runs in turn, so that a check and its use are one step. */
  writeMembers(make: () => readonly Op[]): Promise<SignedRecord> {
    return this.#writer.writeMembers(make)
  }

  /** Begins the epoch this node writes under, so that it is known to be the newest; does nothing once it has begun. */
  async openEpoch(): Promise<void> {
    checkWriter(this.members, this.#deps.keys.publicKey)
    const record = await this.#writer.open()
    if (record !== undefined) this.#announce([record])
  }

  /** Another process may have written under our present epoch: from now on this one uses another. */
  renewEpoch(): void {
    this.#beginEpoch()
  }

  /** Writes on under an epoch nobody has used, and says so in the log as soon as this node may. */
  #beginEpoch(): void {
    this.#epoch.renewIfUsed()
    this.openEpoch().catch((error: unknown) =>
      this.#deps.logger.debug('The new epoch begins with the first change.', { reason: reasonOf(error) })
    )
  }

  #checkMayWrite(): void {
    if (this.failure !== undefined) throw this.failure
    checkWriter(this.members, this.#deps.keys.publicKey)
    this.#epoch.renewIfWaiting()
    // who was removed and is back writes on where nothing of its own is without effect
    for (const { log } of this.removals.voids) if (this.#epoch.writesTo(log)) this.#epoch.renewIfUsed()
  }

  /** Every member may say what a checkpoint comes to; to propose one takes the right to write. */
  #checkMayVouch(ops: readonly Op[]): void {
    if (ops.some((op) => op.k !== 'attest')) return this.#checkMayWrite()
    if (this.failure !== undefined) throw this.failure
    this.#epoch.renewIfWaiting()
  }

  #wroteLocally(record: SignedRecord, delta: CatalogDelta): void {
    this.#own.wrote(record)
    this.#announce([record])
    this.#changed(delta, true)
  }

  #changed({ entries, conflicts }: Pick<CatalogDelta, 'entries' | 'conflicts'>, local = false): void {
    if (entries.size > 0) this.#events.entriesChanged?.(entries, local)
    for (const change of conflicts) this.#events.conflictChanged?.(change)
  }

  /** What this node wrote is durable, also when a fault keeps it from being folded: then whoever wrote it is told. */
  async #foldOwn(record: SignedRecord): Promise<SignedRecord> {
    this.#own.wrote(record)
    const applied = await this.#applier.drain([record.log], new Map([[`${record.log}/${record.body.seq}`, record]]))
    await this.#flush()
    this.#follow(applied)
    this.#announce([record])
    this.quarantine.check(record)
    return record
  }

  #announce(records: readonly SignedRecord[]): void {
    this.#perform(this.engine.held(tipsOf(this.log, records), this.#deps.clock.monotonic()))
    if (!this.#running) return
    for (const record of records) this.#gossiper.add(record)
  }

  // --- what peers say ---------------------------------------------------------------------------------------------

  peerUp(peer: PeerInfo): void {
    this.#perform(this.engine.peerUp(peer.node, this.#deps.clock.monotonic()))
    this.#events.peerUp?.(peer)
  }

  peerDown(node: NodeId): void {
    this.#perform(this.engine.peerDown(node, this.#deps.clock.monotonic()))
    for (const listener of [this.#asking, this.#agreement]) listener.gone(node)
    this.#events.peerDown?.(node)
  }

  notified(from: NodeId, frame: Uint8Array): void {
    const message = decodeNotice(frame)
    if (message.t === 'vector') this.#epoch.renewIfAhead(message.vector)
    if (message.t === 'digest' && message.clock !== undefined)
      this.#events.clockHeard?.(from, message.clock - this.#deps.clock.now())
    if (message.t === 'digest') this.#events.besideHeard?.(from, message.beside)
    this.#perform(this.engine.heard(from, message, this.#deps.clock.monotonic()))
    if (message.t === 'vector') this.#forkFinder.heard(from, message.vector)
    this.#own.judge()
    this.replication.changed()
    const inSync = this.engine.isInSync(from)
    for (const listener of [this.#asking, this.#agreement]) listener.heard(from, inSync)
  }

  requested(frame: Uint8Array): Promise<Uint8Array> {
    return answerRequest(frame, {
      log: this.log,
      catalog: this.catalog,
      reader: this.reader,
      base: this.#base,
      vector: () => this.engine.vector()
    })
  }

  gossip(from: NodeId, frame: Uint8Array): 'accept' | 'ignore' | 'reject' {
    return this.#heard.take(from, frame)
  }

  // --- taking records in --------------------------------------------------------------------------------------------

  /** Records from a peer (a pull, gossip, a join answer), to be judged in turn. */
  #offer(from: NodeId, records: readonly SignedRecord[]): void {
    this.offers.add(from, records, this.#intake.prove(records))
  }

  /** Takes records in and resolves when those that hold are durable and applied. For `join`. */
  async takeIn(from: NodeId, bytes: readonly Uint8Array[]): Promise<void> {
    for (const run of this.#intake.byTurns(await this.#intake.decodeAll(bytes))) {
      this.#offer(from, run)
      await this.offers.through()
    }
  }

  async #takeOffers(offers: readonly Offer[]): Promise<void> {
    try {
      if (!this.#holds.failed) await this.#takeIn(offers)
    } catch (error) {
      if (!this.#holds.failed) this.#fail(error)
    } finally {
      if (this.#holds.failed) this.#giveBack(offers)
      this.#perform(this.engine.evaluate(this.#deps.clock.monotonic()))
    }
  }

  /** Nothing of these, or of some of them, was stored: they are asked for again later. */
  #giveBack(offers: readonly Offer[], of?: ReadonlySet<SignedRecord>): void {
    const now = this.#deps.clock.monotonic()
    for (const { log, from } of origins(offers, of)) this.#perform(this.engine.refused(log, from, now))
  }

  async #takeIn(offers: readonly Offer[]): Promise<void> {
    const proven = new Set<string>()
    for (const offer of offers) for (const proof of await offer.proven) proven.add(proof)
    const judged = this.#intake.judge(
      offers.flatMap((offer) => offer.records),
      proven
    )
    for (const fork of judged.forks) await this.#foundFork(fork)
    const { accepted } = judged
    if (accepted.length > 0) await this.log.append(accepted)
    this.offers.stored(accepted)
    this.#refuse(judged.refused, offers)
    if (accepted.length === 0) return
    const applied = await this.#applier.drain(new Set(accepted.map((record) => record.log)), atHand(accepted))
    await this.#flushSoon()
    this.#perform(this.engine.held(tipsOf(this.log, accepted), this.#deps.clock.monotonic()))
    this.#own.tookIn(accepted)
    this.#follow(applied)
  }

  #refuse(refused: Judged['refused'], offers: readonly Offer[]): void {
    for (const { record, why } of refused) {
      if (why === 'parked') this.offers.parked(record)
      else if (why !== 'gap')
        this.#seldom.warn('A record from a peer was not taken.', { log: record.log, seq: record.body.seq, why })
      const held = this.log.get(record.log)?.seq ?? 0
      // what follows ours there does not name ours: the branches part somewhere before
      if (why === 'broken-chain' && record.body.seq === held + 1 && held > 0)
        for (const { from } of origins(offers, new Set([record]))) this.#forkFinder.suspect(from, record.log, held)
    }
    this.#giveBack(offers, new Set(refused.map(({ record }) => record)))
  }

  async #foundFork(record: SignedRecord): Promise<void> {
    const known = this.log.twins(record.log).some((twin) => twin.id === record.id)
    if (!known) {
      await this.log.freeze(record)
      this.#deps.logger.error('Two different records claim one place in a log; both are kept as proof.', {
        log: record.log,
        seq: record.body.seq
      })
      this.#events.forkFound?.(record.log, nodeIdOf(record.body.author))
      // both records go to everybody: the author, above all, must stop using that log
      if (this.#running) this.#gossiper.tellAtOnce([this.log.read(record.log, record.body.seq), record])
    }
    if (this.#own.isOwn(record.body.author)) {
      if (this.#epoch.writesTo(record.log)) this.#epoch.renew()
      this.#own.forked(record.log)
    }
  }

  #follow(applied: Applied): void {
    this.behind.applied()
    for (const { record, reason } of applied.rejected) this.#events.recordRejected?.(record, reason)
    if (applied.admitted.length > 0) {
      this.#events.membersChanged?.(applied.admitted)
      this.#perform(this.engine.retryNow(this.#deps.clock.monotonic()))
    }
    if (applied.removed.length > 0) this.#events.membersRemoved?.(applied.removed)
    this.#changed(applied)
  }

  /** The store failed: nothing is acknowledged any more, reading goes on. */
  #fail(error: unknown): GrapevineError {
    const failure = this.#holds.fail(error)
    const facts = { code: failure.code, reason: reasonOf(error), stack: (error as Error | undefined)?.stack }
    this.#deps.logger.error('Records cannot be stored; this node is read-only.', facts)
    return failure
  }

  /** Tries to store again after a failure: throws while the cause lasts. */
  async recover(): Promise<void> {
    if (!this.#holds.failed && this.#segments.failure === undefined) return
    await this.#turns.take(async () => {
      if (this.#segments.failure !== undefined) await this.#segments.reopen()
      await this.#rows.flush()
      await this.#applier.drainAll()
      await this.#rows.flush()
      this.#holds.recovered()
    })
    this.#deps.logger.info('Records can be stored again.')
    const now = this.#deps.clock.monotonic()
    this.#perform(this.engine.held(this.log.vector(), now))
    this.#perform(this.engine.retryNow(now))
  }

  /** Folds held records again, all of them or that of one log. Throws what keeps the node from writing its index. */
  async retryHeld(log?: string): Promise<void> {
    if (this.#holds.failed) throw this.failure!
    await this.#turns.take(async () => {
      this.#follow(await this.#applier.drain(this.quarantine.retry(log)))
      await this.#rows.flush()
    })
    this.tell()
  }

  // --- what is stored ---------------------------------------------------------------------------------------------

  /** Reads everything kept here and yields what was read and what is damaged; `pace` waits as long as so many bytes may take. */
  scrub(pace: (bytes: number) => Promise<void>): AsyncGenerator<Scrubbed> {
    const { log, catalog } = this
    return scrub({ log, catalog, store: this.#deps.store, turns: this.#turns, flush: () => this.#rows.flush(), pace })
  }

  /** Fetches a damaged record again from whoever has it and stores it anew. `lost`: no connected node has it. */
  repair(log: string, seq: number): Promise<'sound' | 'healed' | 'lost'> {
    return repair(log, seq, {
      log: this.log,
      intake: this.#intake,
      logger: this.#deps.logger,
      peers: () => this.#deps.transport.peers().map(({ node }) => node),
      ask: (node) => this.#asking.one(node, log, seq),
      take: (work) => this.#turns.take(work),
      // what waited for it goes on
      goOn: async () => {
        this.#follow(await this.#applier.drain([log, ...this.log.blocked.take(log)]))
        await this.#rows.flush()
      }
    })
  }

  // --- effects ------------------------------------------------------------------------------------------------------

  #perform(effects: readonly SyncEffect[]): void {
    for (const effect of effects) {
      if (effect.do === 'notify')
        this.#deps.transport.notify(effect.to, encodeNotice(withAdvice(effect.message, this.#deps.clock, this.beside)))
      else if (effect.do === 'hang-up') this.#deps.transport.hangUp(effect.to, effect.reason)
      else void this.#pull(effect)
    }
    this.#schedule()
  }

  /** Tells every peer what we hold, what our clock says and what runs beside us. */
  tell(): void {
    this.#perform(this.engine.tell())
  }

  async #pull({ id, to, log, from, count }: Extract<SyncEffect, { do: 'pull' }>): Promise<void> {
    const now = (): number => this.#deps.clock.monotonic()
    try {
      const { records, head } = await this.#asking.records(to, { t: 'pull', log, from, count })
      const run = records.filter((record, index) => record.body.seq === from + index)
      if (!this.#running) return
      if (run.length > 0) this.#offer(to, run)
      this.#perform(this.engine.pulled(id, run.at(-1)?.body.seq ?? 0, head, now()))
    } catch (error) {
      const facts = { to, log, from, reason: reasonOf(error) }
      this.#seldom[isRefusal(error) ? 'warn' : 'debug']('A pull failed; another peer is asked.', facts)
      if (this.#running) this.#perform(this.engine.pullFailed(id, now()))
    }
  }

  #schedule(): void {
    if (!this.#running) return
    this.#tick?.()
    const now = this.#deps.clock.monotonic()
    this.#tick = this.#deps.clock.timer(this.engine.nextTickMs(now), () => {
      this.#tick = undefined
      this.#perform(this.engine.evaluate(this.#deps.clock.monotonic()))
    })
  }
}

export { CATALOG_SPACE, MEMBERS_SPACE }

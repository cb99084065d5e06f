/**
 * A daemon's control target, reached over the socket in its home: the same interface, the same errors. The command line
 * and scripts use nothing else.
 */
import { Agent } from 'node:http'
import { resolve } from 'node:path'
import { GrapevineError } from '../errors.js'
import { bytesOf, call, linesOf, textOf, type Call, type Connection } from './exchange.js'
import { MAX_VERIFY_WAIT_MS, REQUEST_TIMEOUT_MS } from './limits.js'
import { ENTRY_HEADER } from './reply.js'
import type {
  AdoptionView,
  AppointedView,
  ControlTarget,
  DocView,
  DriftView,
  EntryLine,
  EntryView,
  EventView,
  HistoryLine,
  InspectTopic,
  InvitationView,
  InviteRequest,
  InviteView,
  KeyRotationView,
  LossView,
  PeerStatus,
  PutOptions,
  QuarantineView,
  RecordLine,
  RemovalView,
  RestoredView,
  RotationView,
  SalvageLine,
  ScrubLine,
  StatusView,
  VerifyView,
  WaitingView,
  WriteReceipt
} from './target.js'

export interface ControlClientOptions {
  readonly home: string
  /** How long a plain request may take, ms; the default is REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number
}

export interface DaemonView {
  pid: number
  version: string
  home: string
}

export class ControlClient implements ControlTarget {
  readonly #connection: Connection
  readonly #timeoutMs: number

  constructor(options: ControlClientOptions) {
    this.#connection = { home: resolve(options.home), agent: new Agent({ keepAlive: true }) }
    this.#timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS
  }

  /** Closes kept connections; the client may be used again afterwards. */
  close(): void {
    this.#connection.agent.destroy()
  }

  daemon(): Promise<DaemonView> {
    return this.#json({ method: 'GET', route: '/v1/daemon' })
  }

  status(): Promise<StatusView> {
    return this.#json({ method: 'GET', route: '/v1/status' })
  }

  peers(): Promise<PeerStatus[]> {
    return this.#json({ method: 'GET', route: '/v1/peers' })
  }

  list(path: string): AsyncGenerator<EntryLine> {
    return this.#lines({ method: 'GET', route: '/v1/entries', query: { path }, timeoutMs: this.#timeoutMs })
  }

  async open(
    path: string,
    options: { hash?: string } = {}
  ): Promise<{ entry: EntryLine; body: AsyncIterable<Uint8Array> }> {
    const query = { path, hash: options.hash }
    const response = await call(this.#connection, {
      method: 'GET',
      route: '/v1/body',
      query,
      timeoutMs: this.#timeoutMs
    })
    const header = response.headers[ENTRY_HEADER]
    const entry = JSON.parse(Buffer.from(String(header), 'base64url').toString()) as EntryLine
    return { entry, body: bytesOf(response, this.#connection.home) }
  }

  history(path: string): Promise<HistoryLine[]> {
    return this.#json({ method: 'GET', route: '/v1/history', query: { path } })
  }

  inspect(topic: InspectTopic): Promise<unknown> {
    return topic === 'log'
      ? collect(this.inspectLog({ limit: 100 }))
      : this.#json({ method: 'GET', route: `/v1/inspect/${topic}` })
  }

  inspectLog(options: { limit: number; log?: string }): AsyncGenerator<RecordLine> {
    const query = { limit: String(options.limit), log: options.log }
    return this.#lines({ method: 'GET', route: '/v1/inspect/log', query, timeoutMs: this.#timeoutMs })
  }

  record(id: string): Promise<RecordLine & { body: unknown }> {
    return this.#json({ method: 'GET', route: `/v1/inspect/record/${encodeURIComponent(id)}` })
  }

  entry(path: string): Promise<EntryView> {
    return this.#json({ method: 'GET', route: '/v1/inspect/entry', query: { path } })
  }

  doc(path: string): Promise<DocView> {
    return this.#json({ method: 'GET', route: '/v1/inspect/doc', query: { path } })
  }

  verify(options: { waitMs: number; signal?: AbortSignal }): Promise<VerifyView> {
    const waitMs = Math.min(options.waitMs, MAX_VERIFY_WAIT_MS)
    return this.#json({
      method: 'GET',
      route: '/v1/verify',
      query: { waitMs: String(waitMs) },
      timeoutMs: waitMs + this.#timeoutMs,
      ...(options.signal ? { signal: options.signal } : {})
    })
  }

  /** Large bodies take as long as they take: there is no deadline. */
  put(path: string, body: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<WriteReceipt> {
    const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))
    const query = {
      path,
      exec: text(options.exec),
      replicated: text(options.replicated),
      timeoutMs: text(options.timeoutMs)
    }
    return this.#json({ method: 'PUT', route: '/v1/body', query, body, timeoutMs: undefined })
  }

  putMany(files: Array<{ path: string; body: Uint8Array }>): Promise<WriteReceipt[]> {
    const encoded = files.map(({ path, body }) => ({
      path,
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64')
    }))
    return this.#json({
      method: 'POST',
      route: '/v1/bodies',
      body: JSON.stringify({ files: encoded }),
      timeoutMs: undefined
    })
  }

  remove(path: string): Promise<WriteReceipt> {
    return this.#json({ method: 'DELETE', route: '/v1/entry', query: { path } })
  }

  move(from: string, to: string, options: { before?: string } = {}): Promise<WriteReceipt> {
    return this.#json({ method: 'POST', route: '/v1/moves', body: JSON.stringify({ from, to, ...options }) })
  }

  invite(request: InviteRequest): Promise<InviteView> {
    return this.#json({ method: 'POST', route: '/v1/invites', body: JSON.stringify(request) })
  }

  invitations(): Promise<InvitationView[]> {
    return this.#json({ method: 'GET', route: '/v1/invites' })
  }

  revokeInvitation(invite: string): Promise<InvitationView> {
    return this.#json({ method: 'DELETE', route: `/v1/invites/${invite}` })
  }

  appointmentRequest(): Promise<{ request: string }> {
    return this.#json({ method: 'GET', route: '/v1/appointment-request' })
  }

  secrets(): Promise<RotationView[]> {
    return this.#json({ method: 'GET', route: '/v1/secrets' })
  }

  rotateKey(): Promise<KeyRotationView> {
    return this.#json({ method: 'POST', route: '/v1/key' })
  }

  rotateSecret(): Promise<RotationView[]> {
    return this.#json({ method: 'POST', route: '/v1/secrets' })
  }

  dropSecrets(): Promise<RotationView[]> {
    return this.#json({ method: 'DELETE', route: '/v1/secrets' })
  }

  appoint(certificate: string): Promise<AppointedView> {
    return this.#json({ method: 'POST', route: '/v1/appointments', body: JSON.stringify({ certificate }) })
  }

  removeMember(options: { node: string; since?: number }): Promise<RemovalView> {
    return this.#json({ method: 'POST', route: '/v1/removals', body: JSON.stringify(options) })
  }

  salvage(): Promise<SalvageLine[]> {
    return this.#json({ method: 'GET', route: '/v1/salvage' })
  }

  async salvageBody(record: string, hash: string): Promise<AsyncIterable<Uint8Array>> {
    const route = `/v1/salvage/${record}/${hash}`
    const response = await call(this.#connection, { method: 'GET', route, timeoutMs: this.#timeoutMs })
    return bytesOf(response, this.#connection.home)
  }

  quarantine(): Promise<QuarantineView> {
    return this.#json({ method: 'GET', route: '/v1/quarantine' })
  }

  waiting(): Promise<WaitingView> {
    return this.#json({ method: 'GET', route: '/v1/waiting' })
  }

  /** A long log may wait for a record: there is no deadline. */
  retryQuarantined(what?: string): Promise<QuarantineView> {
    const body = JSON.stringify({ what })
    return this.#json({ method: 'POST', route: '/v1/quarantine/retries', body, timeoutMs: undefined })
  }

  dropQuarantined(what: string): Promise<QuarantineView> {
    return this.#json({ method: 'POST', route: '/v1/quarantine/drops', body: JSON.stringify({ what }) })
  }

  drift(): Promise<DriftView[]> {
    return this.#json({ method: 'GET', route: '/v1/drift' })
  }

  restoreDrift(paths?: readonly string[]): Promise<RestoredView[]> {
    return this.#json({ method: 'POST', route: '/v1/drift/restorations', body: JSON.stringify({ paths }) })
  }

  /** Large contents take as long as they take: there is no deadline. */
  adoptDrift(paths?: readonly string[]): Promise<AdoptionView[]> {
    const body = JSON.stringify({ paths })
    return this.#json({ method: 'POST', route: '/v1/drift/adoptions', body, timeoutMs: undefined })
  }

  /** The bytes of a backup; breaks off with `daemon-unreachable` when the daemon does. */
  async *backup(): AsyncGenerator<Uint8Array> {
    const response = await call(this.#connection, { method: 'GET', route: '/v1/backup', timeoutMs: this.#timeoutMs })
    yield* bytesOf(response, this.#connection.home)
  }

  /** A large store takes its time between two lines: there is no deadline. */
  compact(): Promise<{ proposal: string; awaited: string[] }> {
    return this.#json({ method: 'POST', route: '/v1/checkpoints' })
  }

  scrub(options: { signal?: AbortSignal } = {}): AsyncGenerator<ScrubLine> {
    return this.#lines({ method: 'POST', route: '/v1/scrubs', ...options })
  }

  acknowledgeLosses(): Promise<LossView[]> {
    return this.#json({ method: 'POST', route: '/v1/losses/acknowledged' })
  }

  /** Events until the signal aborts (then it simply ends) or the daemon stops. */
  async *events(signal: AbortSignal): AsyncGenerator<EventView> {
    try {
      yield* this.#lines<EventView>({ method: 'GET', route: '/v1/events', signal })
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async shutdown(): Promise<void> {
    await this.#json({ method: 'POST', route: '/v1/shutdown' })
  }

  async #json<T>(options: Omit<Call, 'timeoutMs'> & { timeoutMs?: number | undefined }): Promise<T> {
    const timeoutMs = 'timeoutMs' in options ? options.timeoutMs : this.#timeoutMs
    const { timeoutMs: _, ...rest } = options
    const response = await call(this.#connection, timeoutMs === undefined ? rest : { ...rest, timeoutMs })
    const text = await textOf(response, this.#connection.home)
    try {
      return JSON.parse(text) as T
    } catch (cause) {
      throw new GrapevineError('internal', 'the daemon answered with something that is not JSON', {
        next: "look at the daemon's log",
        cause
      })
    }
  }

  async *#lines<T>(options: Call): AsyncGenerator<T> {
    const response = await call(this.#connection, options)
    yield* linesOf<T>(response, this.#connection.home)
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

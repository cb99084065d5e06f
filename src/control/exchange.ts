/** One HTTP exchange over the control socket: what is sent, what comes back, and every way it can break, typed. */
import { once } from 'node:events'
import { request as httpRequest, type Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import { GrapevineError, isErrno, reasonOf } from '../errors.js'
import { errorFromView } from './failure.js'
import { MAX_HEADER_BYTES } from './limits.js'
import { daemonUnreachable, findSocket } from './socket.js'

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly route: string
  readonly query?: Readonly<Record<string, string | undefined>>
  /** JSON text, or bytes that are sent as they come. */
  readonly body?: string | AsyncIterable<Uint8Array>
  /** How long the answer's header may take, ms; undefined waits for ever. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Connection {
  readonly home: string
  readonly agent: Agent
}

/** The answer's header is here and says success; its body is still to be read. Throws only GrapevineErrors. */
export async function call(connection: Connection, options: Call): Promise<IncomingMessage> {
  const socketPath = await findSocket(connection.home)
  const request = httpRequest({
    socketPath,
    // the daemon may be closing a kept connection at this moment, and a body that was begun cannot be sent again
    agent: isStreamed(options.body) ? false : connection.agent,
    method: options.method,
    path: options.route + queryText(options.query),
    host: 'grapevine',
    maxHeaderSize: MAX_HEADER_BYTES * 2,
    ...(options.signal ? { signal: options.signal } : {}),
    ...(typeof options.body === 'string' ? { headers: { 'content-type': 'application/json' } } : {})
  })
  const response = await answerOf(request, connection.home, options)
  if (response.statusCode! < 300) return response
  throw await refusalOf(response, connection.home)
}

/** The bytes of an answer. Breaks off with `daemon-unreachable` when the daemon did. */
export async function* bytesOf(response: IncomingMessage, home: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk
  } catch (cause) {
    throw brokenOff(home, cause)
  }
}

export async function textOf(response: IncomingMessage, home: string): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of bytesOf(response, home)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** One value a line; a line that is `{"error": ...}` is thrown. */
export async function* linesOf<T>(response: IncomingMessage, home: string): AsyncGenerator<T> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of bytesOf(response, home)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) yield valueOf<T>(line)
  }
  if (rest !== '') throw brokenOff(home)
}

function valueOf<T>(line: string): T {
  const value: unknown = JSON.parse(line)
  const error = errorFromView(value)
  if (error) throw error
  return value as T
}

/**
 * Sends the body and waits for the header. The daemon may answer before it has read everything (a refusal); what is
 * still unsent is then dropped and the answer counts.
 */
async function answerOf(request: ClientRequest, home: string, options: Call): Promise<IncomingMessage> {
  const answered = new AbortController()
  const response = new Promise<IncomingMessage>((done, fail) => {
    request.once('response', done)
    request.once('error', (error) => fail(asUnreachable(error, home, options.signal)))
  }).finally(() => answered.abort())
  if (options.timeoutMs !== undefined) {
    request.setTimeout(options.timeoutMs, () => request.destroy(new Error(`no answer in ${options.timeoutMs} ms`)))
  }
  // listened to from now on, so that a failure while the body is being sent is never an unhandled one
  response.catch(() => undefined)
  request.on('error', () => undefined)
  try {
    await sendBody(request, options.body, answered.signal)
  } catch (error) {
    // the source failed, not the daemon: the half-sent body must not pass for a whole one
    request.destroy()
    throw error
  }
  const message = await response
  request.setTimeout(0)
  // a connection on which half a request lies is of no further use
  if (!request.writableEnded) message.once('close', () => request.destroy())
  return message
}

function isStreamed(body: Call['body']): body is AsyncIterable<Uint8Array> {
  return body !== undefined && typeof body !== 'string'
}

async function sendBody(request: ClientRequest, body: Call['body'], answered: AbortSignal): Promise<void> {
  if (!isStreamed(body)) {
    request.end(body)
    return
  }
  // a refusal can come before the source has said anything, but only if the daemon has heard of the request
  request.flushHeaders()
  const early = once(answered, 'abort').then(() => undefined)
  const iterator = body[Symbol.asyncIterator]()
  for (;;) {
    // a source that has nothing to say yet (a terminal) must not hide an answer that is already here
    const next = await Promise.race([iterator.next(), early])
    if (next === undefined || answered.aborted) return
    if (next.done === true) break
    if (!request.write(next.value)) await once(request, 'drain', { signal: answered }).catch(() => undefined)
  }
  request.end()
}

async function refusalOf(response: IncomingMessage, home: string): Promise<GrapevineError> {
  const text = await textOf(response, home)
  try {
    const error = errorFromView(JSON.parse(text))
    if (error) return error
  } catch {
    // not JSON: the header was answered by something that is not our daemon
  }
  return new GrapevineError('internal', `the daemon answered with status ${response.statusCode}`, {
    next: "look at the daemon's log"
  })
}

function asUnreachable(error: unknown, home: string, signal: AbortSignal | undefined): GrapevineError {
  if (error instanceof GrapevineError) return error
  if (signal?.aborted)
    return new GrapevineError('stopped', 'the request was given up', { next: 'ask again', cause: error })
  if (isErrno(error, 'ECONNREFUSED', 'ENOENT', 'ENOTSOCK')) return daemonUnreachable(home, error)
  return new GrapevineError('daemon-unreachable', `the daemon on ${home} did not answer: ${reasonOf(error)}`, {
    next: "look at the daemon's log, or stop it and start it again",
    facts: { home },
    cause: error
  })
}

function brokenOff(home: string, cause?: unknown): GrapevineError {
  return new GrapevineError('daemon-unreachable', `the daemon on ${home} broke off its answer`, {
    next: 'see `grapevine status` and the log of the daemon, then try again',
    facts: { home },
    ...(cause === undefined ? {} : { cause })
  })
}

function queryText(query: Call['query']): string {
  const pairs = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`]
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

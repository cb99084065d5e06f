/**
 * How answers are written. They go straight to Node's response, so that a stream is written only as fast as it is read
 * and an answer that fails half-way is broken off instead of ending as if it were whole.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { errorView, httpStatusOf } from './failure.js'
import { jsonText } from './json.js'
import { LISTING_CHUNK_BYTES, REFUSAL_LINGER_MS } from './limits.js'

/** Carries the entry of a body: base64url of its JSON, since headers are ASCII. */
export const ENTRY_HEADER = 'x-grapevine-entry'

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(jsonText(value) + '\n')
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
}

/** Once the answer has begun, the only honest error is to break it off. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy()
  else if (response.req.complete) sendJson(response, httpStatusOf(error), errorView(error))
  else refuse(response, httpStatusOf(error), errorView(error))
}

/**
 * The sender is busy with its body still. Were the connection closed with the answer, as it is when a request is left half
 * read, its next write would fail before it has read why; so what it sends is dropped until it stops, for a while.
 */
function refuse(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(jsonText(value) + '\n')
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  response.write(body)
  const timer = setTimeout(() => response.end(), REFUSAL_LINGER_MS)
  response.req.once('close', () => {
    clearTimeout(timer)
    response.end()
  })
  response.req.once('end', () => response.end())
  response.req.resume()
}

/**
 * A listing: one JSON value a line, gathered into pieces. The first item is awaited before the header, so that a path
 * that does not exist is a plain error; a later failure is the last line, `{"error": ...}`.
 */
export async function sendListing(response: ServerResponse, items: AsyncIterable<unknown>): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  let next = await iterator.next()
  response.writeHead(200, { 'content-type': 'application/jsonl' })
  let pending = ''
  try {
    for (; next.done !== true; next = await iterator.next()) {
      pending += jsonText(next.value) + '\n'
      if (pending.length < LISTING_CHUNK_BYTES) continue
      if (!(await write(response, pending))) break
      pending = ''
    }
  } catch (error) {
    response.end(pending + jsonText(errorView(error)) + '\n')
    return
  }
  if (next.done === true) response.end(pending)
  else await iterator.return?.()
}

/** Events: one JSON value a line, each written at once. Ends when the source ends or the reader goes. */
export async function sendEvents(response: ServerResponse, items: AsyncIterable<unknown>): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    // asking for the first event subscribes: whoever has seen the header misses nothing from then on
    let next = iterator.next()
    response.writeHead(200, { 'content-type': 'application/jsonl' })
    response.flushHeaders()
    for (;;) {
      const item = await next
      if (item.done === true) break
      if (!(await write(response, jsonText(item.value) + '\n'))) break
      next = iterator.next()
    }
    response.end()
  } finally {
    await iterator.return?.()
  }
}

/** A body's bytes after the header that holds its entry. */
export async function sendBody(
  response: ServerResponse,
  entry: unknown,
  body: AsyncIterable<Uint8Array>
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    [ENTRY_HEADER]: Buffer.from(jsonText(entry)).toString('base64url')
  })
  response.flushHeaders()
  for await (const chunk of body) if (!(await write(response, chunk))) return
  response.end()
}

/** Bytes as they come. The first are awaited before the header, so that what cannot begin is a plain error. */
export async function sendBytes(response: ServerResponse, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const iterator = bytes[Symbol.asyncIterator]()
  let next = await iterator.next()
  response.writeHead(200, { 'content-type': 'application/octet-stream' })
  try {
    for (; next.done !== true; next = await iterator.next()) if (!(await write(response, next.value))) return
    response.end()
  } finally {
    await iterator.return?.()
  }
}

/** Resolves when there is room for more; false when the reader has gone. */
async function write(response: ServerResponse, chunk: string | Uint8Array): Promise<boolean> {
  if (response.destroyed || response.closed) return false
  if (response.write(chunk)) return true
  const gone = new AbortController()
  const closed = once(response, 'close', { signal: gone.signal })
  const drained = once(response, 'drain', { signal: gone.signal })
  await Promise.race([closed, drained]).catch(() => undefined)
  gone.abort()
  // the loser of the race rejects with the abort; nobody else listens to it
  await Promise.allSettled([closed, drained])
  return !response.destroyed
}

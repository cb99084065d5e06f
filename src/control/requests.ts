/** What a request may hold: shapes, ranges and sizes, checked before anything reaches the target. */
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { GrapevineError } from '../errors.js'
import {
  MAX_CERTIFICATE_LENGTH,
  MAX_DRIFT_PATHS,
  MAX_INVITE_MS,
  MAX_INVITE_USES,
  MAX_LOG_LINES,
  MAX_PATH_BYTES,
  MAX_PUT_MANY_FILES,
  MAX_REPLICAS,
  MAX_SCOPES,
  MAX_SEQ,
  MAX_VERIFY_WAIT_MS
} from './limits.js'

/** Text that names something in the catalog. Whether the name is allowed there is the target's to say. */
const path = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= MAX_PATH_BYTES, `is longer than ${MAX_PATH_BYTES} bytes`)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'is not valid text')

const hex = (length: number): z.ZodString =>
  z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`), `is not ${length} hex characters`)

/** Query values are text; these read whole numbers from it. */
const wholeNumber = (max: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^\d{1,16}$/, 'is not a whole number')
    .transform(Number)
    .refine((value) => value <= max, `is above ${max}`)

export const ROLES = ['admin', 'author', 'public', 'relay'] as const

export const noQuery = z.strictObject({})
export const pathQuery = z.strictObject({ path })
export const listQuery = z.strictObject({ path: path.default('') })
export const bodyQuery = z.strictObject({ path, hash: hex(64).optional() })
export const putQuery = z.strictObject({
  path,
  exec: z.enum(['true', 'false']).optional(),
  replicated: wholeNumber(MAX_REPLICAS).optional(),
  timeoutMs: wholeNumber(MAX_VERIFY_WAIT_MS).optional()
})
export const logQuery = z.strictObject({ limit: wholeNumber(MAX_LOG_LINES).default(100), log: hex(32).optional() })
export const verifyQuery = z.strictObject({ waitMs: wholeNumber(MAX_VERIFY_WAIT_MS).default(0) })
export const inviteParam = z.strictObject({ invite: hex(32) })
export const recordParam = z.strictObject({ id: hex(64) })
export const salvageParams = z.strictObject({ record: hex(64), hash: hex(64) })
export const appointmentBody = z.strictObject({ certificate: z.string().min(1).max(MAX_CERTIFICATE_LENGTH) })
export const removalBody = z.strictObject({
  node: z.string().min(1).max(128),
  since: z.int().min(1).max(MAX_SEQ).optional()
})

export const retryBody = z.strictObject({ what: path.optional() })
export const driftBody = z.strictObject({ paths: z.array(path).min(1).max(MAX_DRIFT_PATHS).optional() })
export const dropBody = z.strictObject({ what: path })

export const moveBody = z.strictObject({ from: path, to: path, before: path.optional() })
export const inviteBody = z.strictObject({
  role: z.enum(ROLES),
  expiresMs: z.int().min(1).max(MAX_INVITE_MS),
  uses: z.int().min(1).max(MAX_INVITE_USES),
  scope: z.array(path).min(1).max(MAX_SCOPES).optional()
})
export const putManyBody = z.strictObject({
  files: z.array(z.strictObject({ path, body: z.base64() })).max(MAX_PUT_MANY_FILES)
})

/** The value in its checked shape, or `usage` naming the first thing that is wrong. */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const where = issue.path.length === 0 ? what : `${what}: ${issue.path.join('.')}`
  throw new GrapevineError('usage', `${where}: ${issue.message}`, {
    next: 'see src/control/API.md for what a request may hold',
    facts: { issues: result.error.issues.length }
  })
}

/** The request's JSON; at most `maxBytes` of it are ever held. */
export async function readJson(incoming: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Uint8Array[] = []
  for await (const chunk of cappedBody(incoming, maxBytes, 'request')) chunks.push(chunk)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
  } catch (cause) {
    throw new GrapevineError('usage', 'the request body is not JSON', {
      next: 'see src/control/API.md for what a request may hold',
      cause
    })
  }
}

/**
 * The request's bytes as they come. Throws `too-large` one byte past `maxBytes` (at once when the length is declared),
 * and an error when the sender breaks off, so that half a body never passes for a whole one.
 */
export async function* cappedBody(
  incoming: IncomingMessage,
  maxBytes: number,
  what: string
): AsyncGenerator<Uint8Array> {
  // one without a word on its length has no body at all, and would empty what it means to replace
  if (incoming.headers['content-length'] === undefined && incoming.headers['transfer-encoding'] === undefined)
    throw new GrapevineError('usage', `the request does not say how long its ${what} is`, {
      next: 'send content-length, 0 for none, or transfer-encoding: chunked'
    })
  const declared = Number(incoming.headers['content-length'] ?? 0)
  if (declared > maxBytes) throw tooLarge(what, maxBytes)
  let size = 0
  // left early, the request stays open: what the sender still sends is drained while it reads the refusal
  for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(what, maxBytes)
    yield chunk
  }
  if (!incoming.complete) throw new GrapevineError('usage', `the ${what} broke off`, { next: 'send it again' })
}

function tooLarge(what: string, maxBytes: number): GrapevineError {
  return new GrapevineError('too-large', `the ${what} is larger than ${maxBytes} bytes`, {
    next: 'send less at once',
    facts: { maxBytes }
  })
}

/** The routes of API.md: check the request, ask the target, write the answer. How anything is done is the target's. */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { HttpBindings } from '@hono/node-server'
import { Hono, type Context } from 'hono'
import type { ServerResponse } from 'node:http'
import type { z } from 'zod'
import { GrapevineError, reasonOf } from '../errors.js'
import type { Logger } from '../runtime.js'
import { MAX_DRIFT_BYTES, MAX_PUT_MANY_BYTES, MAX_REQUEST_BYTES } from './limits.js'
import { sendBody, sendBytes, sendError, sendEvents, sendJson, sendListing } from './reply.js'
import * as shape from './requests.js'
import type { ControlTarget } from './target.js'

export interface RoutesDeps {
  readonly target: ControlTarget
  readonly logger: Logger
}

export interface RoutesOptions {
  readonly home: string
  readonly version: string
  /** Largest body of one put, bytes. */
  readonly maxBodyBytes: number
  /** Aborted when the server stops: ends event streams. */
  readonly stopping: AbortSignal
}

type Request = Context<{ Bindings: HttpBindings }>
type Routes = Hono<{ Bindings: HttpBindings }>

export function createRoutes(deps: RoutesDeps, options: RoutesOptions): Routes {
  const app: Routes = new Hono()
  addNodeRoutes(app, deps, options)
  addReadingRoutes(app, deps)
  addInspectRoutes(app, deps)
  addWritingRoutes(app, deps, options)
  addCustodyRoutes(app, deps, options)
  addDriftRoutes(app, deps)
  app.notFound((c) => {
    const error = new GrapevineError('usage', `there is no route ${c.req.method} ${c.req.path}`, {
      next: 'see src/control/API.md for the routes'
    })
    return sent(c, (response) => sendError(response, error))
  })
  app.onError((error, c) => {
    logFailure(deps.logger, c, error)
    return sent(c as Request, (response) => sendError(response, error))
  })
  return app
}

function addNodeRoutes(app: Routes, { target }: RoutesDeps, options: RoutesOptions): void {
  const daemon = { pid: process.pid, version: options.version, home: options.home }
  app.get(
    '/v1/daemon',
    json(shape.noQuery, () => daemon)
  )
  app.get(
    '/v1/status',
    json(shape.noQuery, () => target.status())
  )
  app.get(
    '/v1/peers',
    json(shape.noQuery, () => target.peers())
  )
  app.get('/v1/verify', async (c) => {
    const { waitMs } = query(c, shape.verifyQuery)
    const view = await target.verify({ waitMs, signal: closedSignal(c, options.stopping) })
    return sent(c, (response) => sendJson(response, 200, view))
  })
  app.get('/v1/events', async (c) => {
    query(c, shape.noQuery)
    await sendEvents(c.env.outgoing, target.events(closedSignal(c, options.stopping)))
    return RESPONSE_ALREADY_SENT
  })
  app.post('/v1/invites', async (c) => {
    const { scope, ...request } = shape.checked(
      shape.inviteBody,
      await shape.readJson(c.env.incoming, MAX_REQUEST_BYTES),
      'invitation'
    )
    const invite = await target.invite(scope === undefined ? request : { ...request, scope })
    return sent(c, (response) => sendJson(response, 201, invite))
  })
  app.delete('/v1/invites/:invite', async (c) => {
    const { invite } = shape.checked(shape.inviteParam, { invite: c.req.param('invite') }, 'invitation')
    query(c, shape.noQuery)
    const view = await target.revokeInvitation(invite)
    return sent(c, (response) => sendJson(response, 200, view))
  })
  app.get(
    '/v1/secrets',
    json(shape.noQuery, () => target.secrets())
  )
  app.post('/v1/key', async (c) => {
    query(c, shape.noQuery)
    const view = await target.rotateKey()
    return sent(c, (response) => sendJson(response, 202, view))
  })
  app.post('/v1/secrets', async (c) => {
    query(c, shape.noQuery)
    const views = await target.rotateSecret()
    return sent(c, (response) => sendJson(response, 201, views))
  })
  app.delete('/v1/secrets', async (c) => {
    query(c, shape.noQuery)
    const views = await target.dropSecrets()
    return sent(c, (response) => sendJson(response, 200, views))
  })
  app.post('/v1/appointments', async (c) => {
    const body = await shape.readJson(c.env.incoming, MAX_REQUEST_BYTES)
    const { certificate } = shape.checked(shape.appointmentBody, body, 'appointment')
    const view = await target.appoint(certificate)
    return sent(c, (response) => sendJson(response, 201, view))
  })
  app.post('/v1/removals', async (c) => {
    const { node, since } = shape.checked(
      shape.removalBody,
      await shape.readJson(c.env.incoming, MAX_REQUEST_BYTES),
      'removal'
    )
    const view = await target.removeMember({ node, ...(since === undefined ? {} : { since }) })
    return sent(c, (response) => sendJson(response, 201, view))
  })
  app.post('/v1/shutdown', async (c) => {
    query(c, shape.noQuery)
    await target.shutdown()
    return sent(c, (response) => sendJson(response, 202, { stopping: true, pid: daemon.pid }))
  })
}

function addReadingRoutes(app: Routes, { target }: RoutesDeps): void {
  app.get(
    '/v1/invites',
    json(shape.noQuery, () => target.invitations())
  )
  app.get(
    '/v1/appointment-request',
    json(shape.noQuery, () => target.appointmentRequest())
  )
  app.get(
    '/v1/salvage',
    json(shape.noQuery, () => target.salvage())
  )
  app.get('/v1/salvage/:record/:hash', async (c) => {
    const params = { record: c.req.param('record'), hash: c.req.param('hash') }
    const { record, hash } = shape.checked(shape.salvageParams, params, 'salvage')
    query(c, shape.noQuery)
    await sendBytes(c.env.outgoing, await target.salvageBody(record, hash))
    return RESPONSE_ALREADY_SENT
  })
  app.get('/v1/entries', async (c) => {
    await sendListing(c.env.outgoing, target.list(query(c, shape.listQuery).path))
    return RESPONSE_ALREADY_SENT
  })
  app.get('/v1/body', async (c) => {
    const { path, hash } = query(c, shape.bodyQuery)
    const { entry, body } = await target.open(path, hash === undefined ? {} : { hash })
    await sendBody(c.env.outgoing, entry, body)
    return RESPONSE_ALREADY_SENT
  })
  app.get(
    '/v1/history',
    json(shape.pathQuery, ({ path }) => target.history(path))
  )
}

function addInspectRoutes(app: Routes, { target }: RoutesDeps): void {
  for (const topic of ['heads', 'vector', 'gossip', 'store', 'checkpoint'] as const) {
    app.get(
      `/v1/inspect/${topic}`,
      json(shape.noQuery, () => target.inspect(topic))
    )
  }
  app.get('/v1/inspect/log', async (c) => {
    const { limit, log } = query(c, shape.logQuery)
    await sendListing(c.env.outgoing, target.inspectLog({ limit, ...(log === undefined ? {} : { log }) }))
    return RESPONSE_ALREADY_SENT
  })
  app.get('/v1/inspect/record/:id', async (c) => {
    const { id } = shape.checked(shape.recordParam, { id: c.req.param('id') }, 'record')
    const record = await target.record(id)
    return sent(c, (response) => sendJson(response, 200, record))
  })
  app.get(
    '/v1/inspect/entry',
    json(shape.pathQuery, ({ path }) => target.entry(path))
  )
  app.get(
    '/v1/inspect/doc',
    json(shape.pathQuery, ({ path }) => target.doc(path))
  )
}

function addWritingRoutes(app: Routes, { target }: RoutesDeps, { maxBodyBytes }: RoutesOptions): void {
  app.put('/v1/body', async (c) => {
    const { path, exec, replicated, timeoutMs } = query(c, shape.putQuery)
    const body = shape.cappedBody(c.env.incoming, maxBodyBytes, 'body')
    const receipt = await target.put(path, body, {
      ...(exec === undefined ? {} : { exec: exec === 'true' }),
      ...(replicated === undefined ? {} : { replicated }),
      ...(timeoutMs === undefined ? {} : { timeoutMs })
    })
    return sent(c, (response) => sendJson(response, 200, receipt))
  })
  app.post('/v1/bodies', async (c) => {
    const request = shape.checked(shape.putManyBody, await shape.readJson(c.env.incoming, MAX_PUT_MANY_BYTES), 'bodies')
    const files = request.files.map((file) => ({ path: file.path, body: Buffer.from(file.body, 'base64') }))
    const receipts = await target.putMany(files)
    return sent(c, (response) => sendJson(response, 200, receipts))
  })
  app.delete(
    '/v1/entry',
    json(shape.pathQuery, ({ path }) => target.remove(path))
  )
  app.post('/v1/moves', async (c) => {
    const request = shape.checked(shape.moveBody, await shape.readJson(c.env.incoming, MAX_REQUEST_BYTES), 'move')
    const receipt = await target.move(
      request.from,
      request.to,
      request.before === undefined ? {} : { before: request.before }
    )
    return sent(c, (response) => sendJson(response, 200, receipt))
  })
}

function addCustodyRoutes(app: Routes, { target }: RoutesDeps, { stopping }: RoutesOptions): void {
  app.get('/v1/backup', async (c) => {
    query(c, shape.noQuery)
    await sendBytes(c.env.outgoing, target.backup())
    return RESPONSE_ALREADY_SENT
  })
  app.post('/v1/scrubs', async (c) => {
    query(c, shape.noQuery)
    await sendEvents(c.env.outgoing, target.scrub({ signal: closedSignal(c, stopping) }))
    return RESPONSE_ALREADY_SENT
  })
  app.post(
    '/v1/checkpoints',
    json(shape.noQuery, () => target.compact())
  )
  app.get(
    '/v1/quarantine',
    json(shape.noQuery, () => target.quarantine())
  )
  app.get(
    '/v1/waiting',
    json(shape.noQuery, () => target.waiting())
  )
  app.post('/v1/quarantine/retries', async (c) => {
    const { what } = shape.checked(shape.retryBody, await shape.readJson(c.env.incoming, MAX_REQUEST_BYTES), 'retry')
    const view = await target.retryQuarantined(what)
    return sent(c, (response) => sendJson(response, 200, view))
  })
  app.post('/v1/quarantine/drops', async (c) => {
    const { what } = shape.checked(shape.dropBody, await shape.readJson(c.env.incoming, MAX_REQUEST_BYTES), 'drop')
    const view = await target.dropQuarantined(what)
    return sent(c, (response) => sendJson(response, 200, view))
  })
  app.post(
    '/v1/losses/acknowledged',
    json(shape.noQuery, () => target.acknowledgeLosses())
  )
}

function addDriftRoutes(app: Routes, { target }: RoutesDeps): void {
  app.get(
    '/v1/drift',
    json(shape.noQuery, () => target.drift())
  )
  const named = async (c: Request): Promise<readonly string[] | undefined> =>
    shape.checked(shape.driftBody, await shape.readJson(c.env.incoming, MAX_DRIFT_BYTES), 'drift').paths
  app.post('/v1/drift/restorations', async (c) => {
    const views = await target.restoreDrift(await named(c))
    return sent(c, (response) => sendJson(response, 200, views))
  })
  app.post('/v1/drift/adoptions', async (c) => {
    const views = await target.adoptDrift(await named(c))
    return sent(c, (response) => sendJson(response, 200, views))
  })
}

/** A route that only reads its query and answers one JSON value. */
function json<S extends z.ZodType>(
  schema: S,
  answer: (request: z.output<S>) => unknown
): (c: Request) => Promise<Response> {
  return async (c) => {
    const value = await answer(query(c, schema))
    return sent(c, (response) => sendJson(response, 200, value))
  }
}

function query<S extends z.ZodType>(c: Request, schema: S): z.output<S> {
  return shape.checked(schema, c.req.query(), 'query')
}

/** Hono wants an answer; this one says that it has been written already. */
function sent(c: Request, write: (response: ServerResponse) => void): Response {
  write(c.env.outgoing)
  return RESPONSE_ALREADY_SENT
}

/** Aborts when the caller goes away or the server stops. */
function closedSignal(c: Request, stopping: AbortSignal): AbortSignal {
  const closed = new AbortController()
  if (c.env.outgoing.closed) closed.abort()
  c.env.outgoing.once('close', () => closed.abort())
  return AbortSignal.any([closed.signal, stopping])
}

function logFailure(logger: Logger, c: Context, error: unknown): void {
  const facts = { method: c.req.method, route: c.req.path, reason: reasonOf(error) }
  if (error instanceof GrapevineError && error.code !== 'internal')
    logger.debug('control request refused', { ...facts, code: error.code })
  else logger.error('control request failed', { ...facts, stack: error instanceof Error ? error.stack : undefined })
}

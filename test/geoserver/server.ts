/** The stand-in behind HTTP: basic authorization, the configuration lock and the journal around all routes. */
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GeoServer, type GeoServerOptions } from './geoserver.js'
import { addTileLayers } from './gwc.js'
import type { Report } from './journal.js'
import { addControl, addProbes } from './rest/control.js'
import { addObjects } from './rest/objects.js'
import { addResources } from './rest/resources.js'
import { addSettings } from './rest/settings.js'
import { addStyleBodies } from './rest/style-bodies.js'
import { RestError } from './rest-error.js'
import { addMaps } from './wms.js'

/** Where GeoServer lives in its web server, and the stand-in's own door for tests. */
export const CONTEXT = '/geoserver'
export const REPORT_PATH = '/stand-in/report'

export interface StandInOptions extends GeoServerOptions {
  /** 0 for one that is free. */
  readonly port?: number
}

/** A GeoServer that runs: `url` is its address with the context, without a slash at the end. */
export interface StandIn {
  readonly server: GeoServer
  readonly url: string
  report(): Report
  /** One call as its administrator; `path` from the context on. */
  ask(method: string, path: string, body?: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly text: string
}

export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const server = new GeoServer(options)
  await server.start()
  const http = createAdaptorServer({ fetch: appOf(server).fetch }) as Server
  http.listen(options.port ?? 0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const url = `http://127.0.0.1:${port}${CONTEXT}`
  return {
    server,
    url,
    report: () => server.journal,
    ask: async (method, path, body, headers = {}) => {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: authorizationOf(options), 'content-type': 'application/xml', ...headers },
        ...(body === undefined ? {} : { body })
      })
      return { status: response.status, text: await response.text() }
    },
    stop: async () => {
      const closed = once(http, 'close')
      http.close()
      http.closeAllConnections()
      await closed
      await server.stop()
    }
  }
}

function appOf(server: GeoServer): Hono {
  const app = new Hono()
  app.get(REPORT_PATH, (c) => c.json(server.journal))
  const inside = new Hono()
  inside.use(async (c, next) => {
    const at = server.clock.now()
    await next()
    const { pathname } = new URL(c.req.url)
    const path = pathname.slice(CONTEXT.length)
    server.journal.request({ at, method: c.req.method, path, status: c.res.status, ms: server.clock.now() - at })
  })
  for (const path of ['/rest/*', '/gwc/rest/*'])
    inside.use(path, (c, next) => authorized(server, c.req.header('authorization'), next))
  addProbes(inside, server)
  addResources(inside, server)
  addTileLayers(inside, server)
  addMaps(inside, server)
  inside.use('/rest/*', (_c, next) => server.lock.run(next))
  addControl(inside, server)
  addStyleBodies(inside, server)
  addSettings(inside, server)
  addObjects(inside, server)
  inside.onError((error, c) => {
    if (error instanceof RestError) return c.text(error.message, error.status)
    server.journal.line('SEVERE', error.stack ?? String(error))
    return c.text(String(error), 500)
  })
  app.route(CONTEXT, inside)
  return app
}

async function authorized(
  { options, hasAdmin }: GeoServer,
  header: string | undefined,
  next: () => Promise<void>
): Promise<Response | undefined> {
  if (header !== authorizationOf(options))
    return new Response('', { status: 401, headers: { 'www-authenticate': 'Basic realm="GeoServer Realm"' } })
  if (!hasAdmin) return new Response('Access Denied', { status: 403 })
  await next()
  return undefined
}

function authorizationOf({ user = 'admin', password = 'geoserver' }: GeoServerOptions): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/** The local HTTP API on a unix socket in the home. The socket is 0600 in a 0700 directory; that is the whole login. */
import { getRequestListener } from '@hono/node-server'
import { once } from 'node:events'
import { lstat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { resolve } from 'node:path'
import { whyOpen } from '../closed.js'
import { GrapevineError, isErrno, reasonOf } from '../errors.js'
import type { Logger, Startable } from '../runtime.js'
import { errorView } from './failure.js'
import { jsonText } from './json.js'
import { MAX_CONNECTIONS, MAX_HEADER_BYTES, MAX_PUT_BYTES, STOP_GRACE_MS } from './limits.js'
import { createRoutes } from './routes.js'
import { claimSocketPath, homeLocked, releaseSocketPath } from './socket.js'
import type { ControlTarget } from './target.js'

export interface ControlServerDeps {
  readonly target: ControlTarget
  readonly logger: Logger
}

export interface ControlServerOptions {
  /** The node's home directory: 0700 and ours, or `home-unsafe`. */
  readonly home: string
  readonly version: string
  /** Largest body of one put, bytes; the default is MAX_PUT_BYTES. */
  readonly maxBodyBytes?: number
}

export class ControlServer implements Startable {
  readonly #deps: ControlServerDeps
  readonly #options: ControlServerOptions
  #running: { server: Server; path: string; stopping: AbortController } | undefined

  constructor(deps: ControlServerDeps, options: ControlServerOptions) {
    this.#deps = deps
    this.#options = { ...options, home: resolve(options.home) }
  }

  /** Where it listens; undefined while it does not. */
  get socketPath(): string | undefined {
    return this.#running?.path
  }

  /** Throws `home-unsafe`, `home-missing`, and `home-locked` when a live daemon answers there. */
  async start(): Promise<void> {
    if (this.#running) return
    const stopping = new AbortController()
    const path = await claimSocketPath(this.#options.home)
    const server = this.#createServer(stopping.signal)
    try {
      await listenPrivately(server, path)
    } catch (error) {
      await closeAtOnce(server)
      if (isErrno(error, 'EADDRINUSE')) throw homeLocked(this.#options.home)
      throw error
    }
    this.#running = { server, path, stopping }
    this.#deps.logger.debug('control socket open', { path })
  }

  /** Ends event streams, lets running requests finish for a while, then closes what is left. */
  async stop(): Promise<void> {
    const running = this.#running
    if (!running) return
    this.#running = undefined
    running.stopping.abort()
    const closed = once(running.server, 'close')
    running.server.close()
    running.server.closeIdleConnections()
    const grace = setTimeout(() => running.server.closeAllConnections(), STOP_GRACE_MS)
    await closed
    clearTimeout(grace)
    await releaseSocketPath(this.#options.home, running.path)
    this.#deps.logger.debug('control socket closed', { path: running.path })
  }

  #createServer(stopping: AbortSignal): Server {
    const { home, version, maxBodyBytes = MAX_PUT_BYTES } = this.#options
    const app = createRoutes(this.#deps, { home, version, maxBodyBytes, stopping })
    const listener = getRequestListener(app.fetch, {
      hostname: 'grapevine',
      overrideGlobalObjects: false,
      errorHandler: (error) => this.#refuse(error)
    })
    // a put may take hours, so only the header has a deadline; and a kept connection that the server ends by itself meets
    // now and then a request that is just on its way, of which nobody knows then whether it was carried out
    const limits = { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: 0, keepAliveTimeout: 0 }
    const server = createServer(limits, (incoming, outgoing) => {
      // a kept connection would hold a stopping server open after its last answer; only this one is closed, for another
      // may have ended its answer and not sent it yet, which counts as idle too
      const { socket } = incoming
      outgoing.once('close', () => {
        if (stopping.aborted) socket.end()
      })
      void listener(incoming, outgoing)
    })
    server.maxConnections = MAX_CONNECTIONS
    server.on('error', (error) => this.#deps.logger.error('control socket failed', { reason: reasonOf(error) }))
    return server
  }

  /** What could not even become a request, such as a URL that is none. */
  #refuse(error: unknown): Response {
    const refusal = new GrapevineError('usage', `the request is not understood: ${reasonOf(error)}`, {
      next: 'see src/control/API.md for the routes'
    })
    return new Response(jsonText(errorView(refusal)), { status: 400, headers: { 'content-type': 'application/json' } })
  }
}

/**
 * Binding is synchronous inside listen(), so the umask covers exactly that call. The check afterwards is for file
 * systems that do not keep modes.
 */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
  await once(server, 'listening')
  if (whyOpen(await lstat(path)) !== undefined) {
    throw new GrapevineError('home-unsafe', `the socket ${path} is open to other users`, {
      next: 'put the home on a file system that keeps modes'
    })
  }
}

async function closeAtOnce(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  await closed
}

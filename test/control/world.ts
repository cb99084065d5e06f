/** A private temporary home with a control server in it, removed when the test ends. */
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, request, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { ControlClient, ControlServer } from '../../src/control/index.js'
import { silentLogger, type Facts, type Logger } from '../../src/runtime.js'
import { FakeTarget } from './fake-target.js'

export interface World {
  readonly home: string
  readonly target: FakeTarget
  readonly server: ControlServer
  readonly client: ControlClient
}

export async function tempHome(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'gv-test-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  return home
}

/** A client of a server that is none of ours, where a daemon's would be. */
export async function clientOf(t: TestContext, listener: RequestListener): Promise<ControlClient> {
  const home = await tempHome(t)
  const server = createServer(listener)
  t.after(() => server.close().closeAllConnections())
  server.listen(join(home, 'control.sock'))
  await once(server, 'listening')
  await chmod(join(home, 'control.sock'), 0o600)
  const client = new ControlClient({ home })
  t.after(() => client.close())
  return client
}

export async function startWorld(
  t: TestContext,
  options: { home?: string; maxBodyBytes?: number; logger?: Logger } = {}
): Promise<World> {
  const home = options.home ?? (await tempHome(t))
  const target = new FakeTarget()
  const { maxBodyBytes } = options
  const server = new ControlServer(
    { target, logger: options.logger ?? silentLogger },
    { home, version: '0.1.0', ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }) }
  )
  await server.start()
  const client = new ControlClient({ home })
  t.after(async () => {
    client.close()
    await server.stop()
  })
  return { home, target, server, client }
}

export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** A request without our client, for what our client would never send. */
export async function raw(
  world: World,
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {}
): Promise<RawAnswer> {
  return new Promise((done, fail) => {
    const outgoing = request(
      { socketPath: world.server.socketPath!, method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', fail)
        response.on('end', () =>
          done({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() })
        )
      }
    )
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}

export function recordingLogger(): { logger: Logger; lines: Array<{ level: string; message: string; facts?: Facts }> } {
  const lines: Array<{ level: string; message: string; facts?: Facts }> = []
  const at = (level: string) => (message: string, facts?: Facts) =>
    void lines.push({ level, message, ...(facts ? { facts } : {}) })
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

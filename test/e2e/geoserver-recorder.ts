/** Stands between a node and its GeoServer and writes down what is called, so that a real one is measured like any other. */
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Recorded {
  readonly method: string
  /** From the context on, without its query. */
  readonly path: string
  readonly status: number
  /** When it began and ended, ms since this process started. */
  readonly from: number
  readonly to: number
}

export class Recorder {
  readonly calls: Recorded[] = []
  readonly #target: URL
  readonly #server: Server

  /** `target`: the address of GeoServer with its context. */
  constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((incoming, answer) => this.#pass(incoming, answer))
  }

  /** Resolves with the address to ask in place of GeoServer's. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#target.pathname}`
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  #pass(incoming: IncomingMessage, answer: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = incoming
    const from = performance.now()
    const { hostname, port, host, pathname } = this.#target
    const onward = request({ hostname, port, method, path: url, headers: { ...headers, host } }, (reply) => {
      answer.writeHead(reply.statusCode!, reply.headers)
      reply.pipe(answer)
      reply.once('end', () => {
        const path = url.slice(pathname.length).replace(/\?.*/, '')
        this.calls.push({ method, path, status: reply.statusCode!, from, to: performance.now() })
      })
    })
    // whoever asks sees what it would see without us: a connection that breaks
    onward.once('error', () => answer.destroy())
    incoming.pipe(onward)
  }
}

/** What changes GeoServer, but for the dropping of tiles. */
export const isChange = ({ method, path }: Recorded): boolean => method !== 'GET' && !path.endsWith('/masstruncate')

export const isReload = ({ method, path }: Recorded): boolean => method === 'POST' && path === '/rest/reload'

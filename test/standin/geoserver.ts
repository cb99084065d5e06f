/** The stand-in: a GeoServer over a data directory, on loopback. README.md says what it does as the real one. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { emptyMemory, load, type Loaded, type Memory } from './memory.js'
import { putObject } from './put.js'
import { reload } from './reload.js'

export interface StandInOptions {
  /** How long a reload takes, ms. */
  readonly outageMs?: number
}

export interface Answer {
  readonly status: number
  readonly text: string
}

const ROUTES: ReadonlyArray<readonly [RegExp, (...names: string[]) => string]> = [
  [/^\/rest\/workspaces\/([^/]+)$/, (workspace) => `workspaces/${workspace}/workspace.xml`],
  [
    /^\/rest\/workspaces\/([^/]+)\/datastores\/([^/]+)$/,
    (workspace, store) => `workspaces/${workspace}/${store}/datastore.xml`
  ],
  [
    /^\/rest\/workspaces\/([^/]+)\/datastores\/([^/]+)\/featuretypes\/([^/]+)$/,
    (workspace, store, layer) => `workspaces/${workspace}/${store}/${layer}/featuretype.xml`
  ],
  [/^\/rest\/styles\/([^/]+)$/, (style) => `styles/${style}.xml`],
  [/^\/rest\/layergroups\/([^/]+)$/, (group) => `layergroups/${group}.xml`]
]

export class StandIn {
  readonly #memory: Memory
  readonly #server: Server
  readonly #outageMs: number
  /** Calls wait for one lock, as GeoServer's configuration calls do; map requests do not. */
  #lock: Promise<unknown> = Promise.resolve()
  #reloading = false
  /** What was asked of it, in order. */
  readonly calls: string[] = []

  private constructor(dir: string, options: StandInOptions) {
    this.#memory = emptyMemory(dir)
    this.#outageMs = options.outageMs ?? 50
    load(this.#memory)
    this.#server = createServer((request, response) => void this.#handle(request, response))
  }

  /** Loads the directory and listens. */
  static async start(dir: string, options: StandInOptions = {}): Promise<StandIn> {
    const standIn = new StandIn(dir, options)
    standIn.#server.listen(0, '127.0.0.1')
    await once(standIn.#server, 'listening')
    return standIn
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async ask(method: string, path: string, body?: string): Promise<Answer> {
    const response = await fetch(this.url + path, { method, ...(body === undefined ? {} : { body }) })
    return { status: response.status, text: await response.text() }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost')
    const path = decodeURIComponent(pathname)
    this.calls.push(`${request.method} ${path}`)
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const answer =
      path === '/wms'
        ? this.#map(searchParams.get('layers') ?? '')
        : await this.#inTurn(() => this.#rest(request.method!, path, Buffer.concat(pieces).toString()))
    response.writeHead(answer.status, { 'content-type': 'application/xml' }).end(answer.text)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lock.then(work)
    this.#lock = turn.catch(() => undefined)
    return turn
  }

  async #rest(method: string, path: string, body: string): Promise<Answer> {
    if (path === '/rest/about/version') return { status: 200, text: '<about><Version>2.26.2</Version></about>' }
    if (path === '/rest/reload') {
      this.#reloading = true
      await reload(this.#memory, this.#outageMs).finally(() => (this.#reloading = false))
      return { status: 200, text: '' }
    }
    // only caches are dropped: no file is read
    if (path === '/rest/reset') return { status: 200, text: '' }
    const loaded = this.#objectAt(path)
    if (loaded === undefined) return { status: 404, text: '' }
    if (method === 'GET') return { status: this.#isWhole(loaded) ? 200 : 500, text: loaded.text }
    if (method === 'PUT') return { status: putObject(this.#memory, loaded, body), text: '' }
    return { status: 405, text: '' }
  }

  #map(layer: string): Answer {
    if (this.#reloading) return { status: 500, text: 'java.lang.NullPointerException' }
    return this.#layerAt(layer) === undefined
      ? { status: 404, text: 'LayerNotDefined' }
      : { status: 200, text: 'a map' }
  }

  #objectAt(path: string): Loaded | undefined {
    const layer = /^\/rest\/layers\/([^/]+)$/.exec(path)?.[1]
    if (layer !== undefined) return this.#layerAt(layer)
    for (const [route, fileOf] of ROUTES) {
      const names = route.exec(path)?.slice(1)
      if (names !== undefined) return this.#memory.objects.get(fileOf(...names))
    }
    return undefined
  }

  #layerAt(name: string): Loaded | undefined {
    const [workspace, layer] = name.split(':')
    return [...this.#memory.objects.values()].find(
      ({ path, object }) =>
        object.kind === 'layer' && object.name === layer && path.startsWith(`workspaces/${workspace}/`)
    )
  }

  /** An object that names a style by an id that none has is there, and asking for it fails. */
  #isWhole({ object }: Loaded): boolean {
    const ids = new Set([...this.#memory.objects.values()].map((each) => each.object.id))
    return object.references.every(({ id }) => ids.has(id))
  }
}

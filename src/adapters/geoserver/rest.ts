/** What GeoServer is told and asked: one method a call, none of which is repeated by itself. */
import { Caller, type Call, type CallerOptions } from './rest-call.js'
import { named, pathOf, type RestAddress } from './rest-address.js'
import { notGeoServer } from './rest-errors.js'

/** A probe, ms: it waits for no lock in GeoServer. */
const PROBE_TIMEOUT_MS = 5_000
/** Any other call, ms: GeoServer itself waits up to 30 s for its configuration. */
const CALL_TIMEOUT_MS = 40_000
/** A reload, ms: 16,000 layers take a minute, and people report three. */
const RELOAD_TIMEOUT_MS = 240_000

export interface GeoServerRestOptions extends CallerOptions {
  readonly probeTimeoutMs?: number
  readonly callTimeoutMs?: number
  readonly reloadTimeoutMs?: number
}

const XML = 'application/xml'

/** Every method throws what `Caller.text` does. */
export class GeoServerRest {
  readonly #caller: Caller
  readonly #probeMs: number
  readonly #callMs: number
  readonly #reloadMs: number

  /** Throws `config-invalid` for an address that is none. */
  constructor(options: GeoServerRestOptions) {
    this.#caller = new Caller(options)
    this.#probeMs = options.probeTimeoutMs ?? PROBE_TIMEOUT_MS
    this.#callMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS
    this.#reloadMs = options.reloadTimeoutMs ?? RELOAD_TIMEOUT_MS
  }

  /** Which version answers, such as `2.26.2`: before first use and after each reload. */
  async version(signal?: AbortSignal): Promise<string> {
    const answer = await this.#caller.text(
      { method: 'GET', path: '/rest/about/version.xml', timeoutMs: this.#probeMs },
      signal
    )
    const version = /<resource name="GeoServer">[^]*?<Version>([^<]{1,64})<\/Version>/.exec(answer ?? '')?.[1]
    if (version === undefined) throw notGeoServer(this.#caller.url, 'answers, but not as a GeoServer')
    return version
  }

  /** What GeoServer believes the object is, with references by name and without ids; null when it knows none. */
  read(address: RestAddress, signal?: AbortSignal): Promise<string | null> {
    return this.#call({ method: 'GET', path: pathOf(address), mayBeMissing: true }, signal)
  }

  /**
   * Changes an object by the bytes of its file. GeoServer keeps top-level fields that are not sent, so a file from which a
   * field was taken needs a reload.
   */
  async put(address: RestAddress, document: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#call({ method: 'PUT', path: pathOf(address), body: document, type: XML }, signal)
  }

  /** Drops caches, and reads no file of the catalog. */
  async reset(signal?: AbortSignal): Promise<void> {
    await this.#call({ method: 'POST', path: '/rest/reset' }, signal)
  }

  /** Reads everything anew. Maps fail meanwhile, and what is broken is left out without a word. */
  async reload(signal?: AbortSignal): Promise<void> {
    await this.#caller.text({ method: 'POST', path: '/rest/reload', timeoutMs: this.#reloadMs }, signal)
  }

  /** The tile layer of `workspace:layer`; null when there is none. */
  readTileLayer(layer: string, signal?: AbortSignal): Promise<string | null> {
    return this.#call({ method: 'GET', path: `/gwc/rest/layers/${named(layer)}`, mayBeMissing: true }, signal)
  }

  async putTileLayer(layer: string, document: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#call({ method: 'PUT', path: `/gwc/rest/layers/${named(layer)}`, body: document, type: XML }, signal)
  }

  /** Reads the tile layers anew. */
  async reloadTileLayers(signal?: AbortSignal): Promise<void> {
    const type = 'application/x-www-form-urlencoded'
    await this.#call({ method: 'POST', path: '/gwc/rest/reload', body: 'reload_configuration=1', type }, signal)
  }

  /** Drops the tiles of `workspace:layer` that this GeoServer has made. */
  async truncate(layer: string, signal?: AbortSignal): Promise<void> {
    const body = `<truncateLayer><layerName>${escaped(layer)}</layerName></truncateLayer>`
    await this.#call({ method: 'POST', path: '/gwc/rest/masstruncate', body, type: 'text/xml' }, signal)
  }

  #call(call: Omit<Call, 'timeoutMs'>, signal?: AbortSignal): Promise<string | null> {
    return this.#caller.text({ ...call, timeoutMs: this.#callMs }, signal)
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

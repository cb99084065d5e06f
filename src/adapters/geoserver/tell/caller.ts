/** One call to GeoServer over HTTP: with the password, within a time, and with an answer of a bounded size. */
import { GrapevineError } from '../../../errors.js'
import { readPasswordFile } from './password-file.js'
import { answerTooLarge, notGeoServer, refused, tooSlow, unauthorized, unreachable } from './caller-errors.js'

/** Any call but a reload, ms: GeoServer itself waits up to 30 s for its configuration. */
const CALL_TIMEOUT_MS = 40_000
/** Largest answer that is read, bytes: a layer has some thousand, a list of 16,000 layers some four million. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export interface CallerOptions {
  /** Address with the context, such as `http://127.0.0.1:8080/geoserver`. */
  readonly url: string
  readonly user: string
  readonly passwordFile: string
}

export interface HttpCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** From the context on. */
  readonly path: string
  readonly body?: Uint8Array | string
  readonly type?: string
  readonly timeoutMs?: number
  /** It makes an object: GeoServer answers 403 when the name is taken, as if it were forbidden. */
  readonly makes?: boolean
}

export class Caller {
  readonly url: string
  readonly #user: string
  readonly #passwordFile: string

  /** Throws `config-invalid` for an address that is none. */
  constructor({ url, user, passwordFile }: CallerOptions) {
    this.url = checkedUrl(url)
    this.#user = user
    this.#passwordFile = passwordFile
  }

  /**
   * The answer as text. Throws `geoserver-unreachable`, `geoserver-unauthorized`, `geoserver-refused` (its `status` is the
   * HTTP status), `too-large`, what the password file throws, and the signal's reason.
   */
  async text(call: HttpCall, signal?: AbortSignal): Promise<string> {
    const name = `${call.method} ${call.path}`
    const authorization = await this.#authorization()
    const { timeoutMs = CALL_TIMEOUT_MS } = call
    const late = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(this.url + call.path, {
        method: call.method,
        headers: { authorization, ...(call.type === undefined ? {} : { 'content-type': call.type }) },
        // a redirection would carry the password to wherever it points
        redirect: 'manual',
        signal: signal === undefined ? late : AbortSignal.any([late, signal]),
        ...(call.body === undefined ? {} : { body: call.body })
      })
      const answer = await this.#read(response, name)
      this.#judge(response, call, answer)
      return answer
    } catch (error) {
      if (error instanceof GrapevineError) throw error
      signal?.throwIfAborted()
      throw late.aborted ? tooSlow(this.url, name, timeoutMs) : unreachable(this.url, name, error)
    }
  }

  #judge({ status, headers }: Response, { method, path, makes = false }: HttpCall, answer: string): void {
    if (status >= 200 && status < 300) return
    const name = `${method} ${path}`
    if (status === 401 || (status === 403 && !makes)) throw unauthorized(this.url, name, status)
    if (status >= 300 && status < 400)
      throw notGeoServer(this.url, `sends us on to ${headers.get('location') ?? 'nowhere'} and is not asked there`)
    throw refused(this.url, name, status, answer)
  }

  async #read(response: Response, name: string): Promise<string> {
    const pieces: Uint8Array[] = []
    let size = 0
    for await (const piece of response.body ?? []) {
      size += piece.length
      if (size > MAX_ANSWER_BYTES) throw answerTooLarge(this.url, name, MAX_ANSWER_BYTES)
      pieces.push(piece)
    }
    return Buffer.concat(pieces).toString('utf8')
  }

  async #authorization(): Promise<string> {
    const password = await readPasswordFile(this.#passwordFile)
    return `Basic ${Buffer.from(`${this.#user}:${password}`).toString('base64')}`
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url !== undefined && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (plain && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '')
  throw new GrapevineError('config-invalid', 'the address of GeoServer is not one', {
    next: 'give it without a user and with its context, such as http://127.0.0.1:8080/geoserver',
    facts: {}
  })
}

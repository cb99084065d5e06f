/** What GeoServer did not take, and what becomes of it (rules 4 and 6 of `teller.ts`). */
import { GrapevineError } from '../../../errors.js'
import type { Call } from './calls.js'
import type { TellerDeps } from './teller-deps.js'
import type { Failed } from './telling-view.js'

/** HTTP status from which on the fault is GeoServer's and not the call's. */
const FAULT_OF_ITS_OWN = 500

export class Refused {
  readonly #deps: Pick<TellerDeps, 'clock' | 'logger'>
  /** Shown with its reason, and tried again. */
  readonly failed = new Map<string, Failed>()
  /** Paths of which GeoServer could not be told for a fault of its own, once. */
  readonly #faulty = new Set<string>()
  /** Paths that a call could not tell and a reload must. */
  readonly forReload = new Set<string>()

  constructor(deps: Pick<TellerDeps, 'clock' | 'logger'>) {
    this.#deps = deps
  }

  has(path: string): boolean {
    return this.failed.has(path) || this.#faulty.has(path) || this.forReload.has(path)
  }

  tookOver(path: string): void {
    this.failed.delete(path)
    this.#faulty.delete(path)
  }

  /** What was refused is told otherwise now. */
  reloaded(paths: readonly string[]): void {
    this.forReload.clear()
    for (const path of paths) this.tookOver(path)
  }

  /** Throws an error that is no refusal. */
  note({ method, at, file, about }: Call, error: unknown): void {
    if (!(error instanceof GrapevineError)) throw error
    if (error.code === 'geoserver-not-taken') return this.#again(file!, about, error)
    if (error.code !== 'geoserver-refused') throw error
    const status = error.facts.status
    // it is gone already, which is what was wanted
    if (method === 'DELETE' && status === 404) return
    if (file === undefined) return this.#deps.logger.warn('GeoServer refused a call.', { at, reason: error.message })
    if (method === 'GET' || at.startsWith('/gwc/') || this.failed.has(file)) return this.#fail(file, about, error)
    if (Number(status) >= FAULT_OF_ITS_OWN && !this.#faulty.has(file)) return void this.#faulty.add(file)
    this.#faulty.delete(file)
    this.forReload.add(file)
    this.#deps.logger.info('GeoServer refused a call; a reload is to do what it should have done.', {
      about,
      reason: error.message
    })
  }

  /** Rule 11 of `teller.ts`: the second time it counts as failed. */
  #again(path: string, about: string, error: GrapevineError): void {
    if (this.#faulty.has(path) || this.failed.has(path)) this.#fail(path, about, error)
    else this.#faulty.add(path)
  }

  #fail(path: string, about: string, error: GrapevineError): void {
    const before = this.failed.get(path)
    const since = before?.since ?? this.#deps.clock.now()
    this.failed.set(path, { path, about, reason: error.message, since })
    if (before === undefined)
      this.#deps.logger.error('GeoServer does not take a change; it is tried again.', {
        path,
        about,
        reason: error.message
      })
  }
}

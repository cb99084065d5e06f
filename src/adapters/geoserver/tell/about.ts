/**
 * What a running GeoServer says of itself: its version, and which modules it has. Both change only when it is started
 * anew, which nobody tells us, so it is asked now and then.
 */
import { GrapevineError, reasonOf } from '../../../errors.js'
import type { Clock, Logger } from '../../../runtime.js'
import { readXml, textOf, type XmlElement } from '../xml.js'
import type { Caller } from './caller.js'

/** How often it is asked, ms: it reads some 300 files for the answer. */
export const ASK_EVERY_MS = 5 * 60_000
/** How soon it is asked again when it did not answer, ms: it may be starting. */
export const ASK_AGAIN_MS = 10_000
/** Longest version that is taken for one, characters. */
const MAX_VERSION_CHARS = 40
/** Libraries of GeoServer and GeoTools alone: a fifth of the answer. */
const MODULES_AT = `/rest/about/manifest.xml?manifest=${encodeURIComponent('g[st]-.*')}`
/** Every GeoServer has it; an answer without it lists something else. */
const CORE = 'gs-main'

export interface AboutDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly caller: Pick<Caller, 'text'>
}

export class About {
  readonly #deps: AboutDeps
  readonly #stop = new AbortController()
  #version: string | undefined
  #modules: ReadonlySet<string> | undefined
  #cancel: (() => void) | undefined
  #asking: Promise<void> = Promise.resolve()

  constructor(deps: AboutDeps) {
    this.#deps = deps
  }

  /** As `2.26.2`; undefined until it answered. */
  get version(): string | undefined {
    return this.#version
  }

  /** Names of its modules without their versions; undefined when it does not tell. */
  get modules(): ReadonlySet<string> | undefined {
    return this.#modules
  }

  start(): void {
    this.#again(1)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#cancel?.()
    await this.#asking
  }

  #again(ms: number): void {
    if (this.#stop.signal.aborted) return
    this.#cancel = this.#deps.clock.timer(ms, () => {
      this.#asking = this.#ask().then((answered) => this.#again(answered ? ASK_EVERY_MS : ASK_AGAIN_MS))
    })
  }

  /** Whether it answered. What it said before stays until it says something else. Never throws. */
  async #ask(): Promise<boolean> {
    const { caller, logger } = this.#deps
    const { signal } = this.#stop
    try {
      const version = versionIn(await caller.text({ method: 'GET', path: '/rest/about/version.xml' }, signal))
      if (version !== undefined && version !== this.#version)
        logger.info('GeoServer says which version it is.', { version })
      this.#version = version
      this.#modules = modulesIn(await caller.text({ method: 'GET', path: MODULES_AT }, signal))
      return true
    } catch (error) {
      logger.debug('GeoServer does not say which version it is.', { reason: reasonOf(error) })
      // what it refuses to say it will not say in a moment either
      return error instanceof GrapevineError && error.code === 'geoserver-refused'
    }
  }
}

function versionIn(answer: string): string | undefined {
  const version = resourcesIn(answer)
    .filter(({ attributes }) => attributes['name'] === 'GeoServer')
    .map((resource) => textOf(resource, 'Version'))[0]
  return version === undefined || version.length > MAX_VERSION_CHARS ? undefined : version
}

function modulesIn(answer: string): ReadonlySet<string> | undefined {
  const names = resourcesIn(answer).map(({ attributes }) => (attributes['name'] ?? '').replace(/-\d.*$/s, ''))
  return names.includes(CORE) ? new Set(names) : undefined
}

function resourcesIn(answer: string): XmlElement[] {
  const read = readXml(Buffer.from(answer))
  return read.ok ? read.value.root.children.filter(({ name }) => name === 'resource') : []
}

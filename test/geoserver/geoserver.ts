/**
 * The stand-in for a GeoServer over a data directory: its memory, its life and what it does by itself. README.md lists
 * each behaviour with the measurement it imitates.
 */
import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Catalog, type CatalogObject } from './catalog.js'
import { realClock, type StandInClock } from './clock.js'
import { Files, type WriteStep } from './files.js'
import { GlobalSettings } from './global-settings.js'
import { Ids } from './ids.js'
import { Journal } from './journal.js'
import { Keystore } from './keystore.js'
import { isStore } from './kinds.js'
import { Loader, passwordsOf } from './loader.js'
import { ConfigurationLock } from './lock.js'
import { NoticedFiles } from './noticed-files.js'
import { inDialect, switchOffWhatCannotBeOpened, type Dialect } from './plugins.js'
import { TileLayers } from './tile-layers.js'
import { textOf, writeXml, type Xml } from './xml.js'

export interface GeoServerOptions {
  readonly dir: string
  readonly user?: string
  readonly password?: string
  readonly clock?: StandInClock
  /** How long a reload of so many layers takes, ms. */
  readonly reloadMs?: (layers: number) => number
  /** Pause between two looks at files, ms. */
  readonly noticeEveryMs?: number
  /** How long after a layer its tile layer is written, ms. */
  readonly tilesAfterMs?: number
  /** How long a call waits for the configuration, ms. */
  readonly lockTimeoutMs?: number
  /** Plugins that are installed; without `cog` its settings are dropped from global.xml. */
  readonly plugins?: readonly string[]
  /** What it says it is. */
  readonly version?: string
  /** Plugins that are not there: `css`, `mongodb`, `netcdf`. */
  readonly lacks?: readonly string[]
  readonly dialect?: Dialect
  /** Whether it answers well and does nothing of what this call says. It writes what it has all the same. */
  readonly isDeaf?: () => boolean
  readonly afterStep?: (step: WriteStep) => void
}

/** 0.6-1.8 s at 30 layers, 1.2-4.6 s at 398, 3.7-8.2 s at 1,267: a line through the three. */
export const measuredReloadMs = (layers: number): number => 1_100 + 3.9 * layers

const NOTICE_EVERY_MS = 10_000
const LOCK_TIMEOUT_MS = 30_000
/** Rewrites of global.xml by one reload; the counter goes up by 6 to 11. */
const RELOAD_WRITES = 6
const RELOAD_COUNTS = [6, 11, 8, 7, 9, 10]
const SERVICES = ['wms.xml', 'wfs.xml', 'wcs.xml', 'wmts.xml']
const ROLES = 'security/role/default/roles.xml'

export class GeoServer {
  readonly journal = new Journal()
  readonly clock: StandInClock
  readonly files: Files
  readonly ids: Ids
  readonly global: GlobalSettings
  readonly tiles: TileLayers
  /** Bodies and graphics of styles. */
  readonly noticed: NoticedFiles
  readonly lock: ConfigurationLock
  readonly options: GeoServerOptions
  catalog = new Catalog()
  keystore!: Keystore
  reloading = false
  /** Nobody may use REST: the directory was empty when it started. */
  hasAdmin = true
  readonly #serviceIds = new Map<string, string>()
  #life = new AbortController()
  #noticing: Promise<void> = Promise.resolve()
  #logged = 0

  constructor(options: GeoServerOptions) {
    this.options = options
    this.clock = options.clock ?? realClock
    this.files = new Files(options.dir, options.afterStep)
    this.ids = new Ids(this.clock.now())
    this.global = new GlobalSettings(this.files, this.journal, this.ids, options.plugins ?? [])
    this.tiles = new TileLayers(this.files, this.journal)
    this.noticed = new NoticedFiles(options.dir)
    this.lock = new ConfigurationLock(this.clock, options.lockTimeoutMs ?? LOCK_TIMEOUT_MS)
  }

  /** Throws when the keystore is not this node's. */
  async start(): Promise<void> {
    this.#life = new AbortController()
    await this.#beginWithEmptyDirectory()
    this.keystore = await Keystore.open(this.options.dir)
    await touch(join(this.options.dir, 'gwc', 'geowebcache.xml'))
    await this.#load()
    this.global.giveId()
    switchOffWhatCannotBeOpened(this)
    this.journal.counts.starts++
    this.journal.line('INFO', `started with ${this.catalog.size} objects`)
    await this.#writeLog()
    this.#noticing = this.#noticeRegularly()
  }

  async stop(): Promise<void> {
    this.#life.abort()
    await this.#noticing
    // a reload that runs is cut short, and what it writes is written
    await this.lock.run(() => Promise.resolve())
    await this.#writeLog()
  }

  /** Everything anew from the disk. Maps cannot be drawn meanwhile, and what is broken is left out without a word. */
  async reload(): Promise<void> {
    const layers = this.catalog.list('layer').length
    const outage = { begin: this.clock.now(), end: null as number | null }
    this.journal.outages.push(outage)
    this.reloading = true
    const reload = this.journal.counts.reloads++
    try {
      await this.#load()
      const rest = (this.options.reloadMs ?? measuredReloadMs)(layers) - (this.clock.now() - outage.begin)
      await this.clock.sleep(rest, this.#life.signal)
      this.global.count(RELOAD_COUNTS[reload % RELOAD_COUNTS.length]! - RELOAD_WRITES)
      for (let write = 0; write < RELOAD_WRITES; write++) await this.global.changed()
      // what it writes under a reload is what it began with
      this.global.giveId()
    } finally {
      this.reloading = false
      outage.end = this.clock.now()
    }
    await this.#writeLog()
  }

  /** Resolves early when it is stopped. */
  async pause(ms: number): Promise<void> {
    if (ms > 0) await this.clock.sleep(ms, this.#life.signal)
  }

  /** Caches only: no file of the catalog is read. */
  reset(): void {
    this.journal.counts.resets++
    this.noticed.forget()
  }

  /** The look of every 10 s at what GeoServer notices alone. */
  async notice(): Promise<void> {
    await this.noticed.notice()
    await this.tiles.notice()
    this.#readRoles(await this.noticed.read(ROLES))
  }

  /** The id under which it knows a service: the one in the file when it was loaded, or one of its own making. */
  serviceId(file: string): string {
    const known = this.#serviceIds.get(file) ?? this.ids.make('ServiceInfoImpl')
    this.#serviceIds.set(file, known)
    return known
  }

  async #loadServices(): Promise<void> {
    this.#serviceIds.clear()
    for (const file of SERVICES) {
      const text = await readFile(this.files.at(file), 'utf8').catch(() => '')
      const id = /<id>([^<]*)<\/id>/.exec(text)?.[1]
      if (id !== undefined) this.#serviceIds.set(file, id)
    }
  }

  /** A document as it is written: passwords are encrypted, each time anew. */
  textOnDisk({ kind, doc }: Pick<CatalogObject, 'kind' | 'doc'>): string {
    const known = inDialect(doc, this.options.dialect ?? {})
    return writeXml(isStore(kind) ? this.withPasswords(known, (plain) => this.keystore.encrypt(plain)) : known)
  }

  /** A copy of a store with other passwords. */
  withPasswords(store: Xml, change: (password: string) => string): Xml {
    const copy = structuredClone(store)
    for (const entry of passwordsOf(copy)) entry.content = [change(textOf(entry))]
    return copy
  }

  async #load(): Promise<void> {
    await this.global.load()
    this.catalog = await new Loader(this.options.dir, this.journal, this.keystore).load()
    for (const store of this.catalog.all().filter(({ kind }) => isStore(kind)))
      store.doc = this.withPasswords(store.doc, (hidden) => this.keystore.decrypt(hidden))
    await this.#loadServices()
    await this.tiles.load()
    this.noticed.forget()
    this.#readRoles(await this.noticed.read(ROLES))
    await this.#deleteLegendSamples()
  }

  async #deleteLegendSamples(): Promise<void> {
    const folder = join(this.options.dir, 'legendsamples')
    const names = await readdir(folder).catch(() => [])
    for (const name of names) await rm(join(folder, name), { recursive: true })
  }

  async #beginWithEmptyDirectory(): Promise<void> {
    await mkdir(this.options.dir, { recursive: true })
    if ((await readdir(this.options.dir)).length > 0) return
    await this.files.save(ROLES, '<roleRegistry version="1.0"><roleList/></roleRegistry>')
  }

  #readRoles(roles: Buffer | undefined): void {
    this.hasAdmin = roles === undefined || roles.includes('ADMIN')
  }

  async #noticeRegularly(): Promise<void> {
    const { signal } = this.#life
    for (;;) {
      await this.clock.sleep(this.options.noticeEveryMs ?? NOTICE_EVERY_MS, signal)
      if (signal.aborted) return
      await this.notice()
    }
  }

  /** Lines that came since the last time go to logs/, as a GeoServer's do. */
  async #writeLog(): Promise<void> {
    const lines = this.journal.log.slice(this.#logged)
    this.#logged = this.journal.log.length
    await mkdir(join(this.options.dir, 'logs'), { recursive: true })
    await appendFile(join(this.options.dir, 'logs', 'geoserver.log'), lines.map((line) => `${line}\n`).join(''))
  }
}

/** Gives a file a new time, and makes it when it is not there. */
async function touch(path: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  const now = new Date()
  if (existsSync(path)) await utimes(path, now, now)
  else await writeFile(path, `<gwcConfiguration><id>${randomBytes(4).toString('hex')}</id></gwcConfiguration>`)
}

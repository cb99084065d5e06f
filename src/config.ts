/**
 * Every setting, declared once: shape, default, unit, and what happens at each end. The file `<home>/config.json`, the
 * environment (`GRAPEVINE_*`), the flags of `grapevine start` and the reference in the README all come from this table.
 * A flag wins over the environment, that over the file, that over the default; lists are replaced, not joined.
 */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { GrapevineError, isErrno, reasonOf } from './errors.js'
import { nearestOf } from './nearest.js'
import { rate } from './rates.js'

export { bytesPerSecond } from './rates.js'

/** `flag` is the whole option text; `unit` is for the reference. */
interface About<T> {
  readonly default: T
  readonly unit: string
  readonly about: string
  readonly flag: string
}

interface Setting<T> extends About<T> {
  readonly schema: z.ZodType<T>
}

function setting<S extends z.ZodType>(schema: S, about: About<z.output<S>>): Setting<z.output<S>> {
  return { schema: schema as unknown as z.ZodType<z.output<S>>, ...about }
}

const multiaddr = z
  .string()
  .max(1_024)
  .regex(
    /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^/\s]+(\/[^/\s]+)*$/,
    'is not a multiaddress such as /ip4/192.0.2.1/tcp/4470'
  )
const path = z.string().min(1).max(4_096)
const milliseconds = (least: number, most: number): z.ZodInt => z.int().min(least).max(most)

export const SETTINGS = {
  dir: setting(path, {
    default: './catalog',
    unit: 'path',
    about:
      'The directory that is shared; made when missing. Relative to the working directory as a flag or variable, to the directory that holds the home in the file. The first `start` writes it into the file, so that a later start elsewhere shares the same one. Another one than before is filled from the catalog; what it holds already is met as `adopt` says, what it lacks is not taken for deleted.',
    flag: '--dir <path>'
  }),
  name: setting(z.string().min(1).max(64), {
    default: hostname().slice(0, 64) || 'node',
    unit: 'text',
    about: "What people call this node, 1 to 64 characters; the default is the host's name. It identifies nothing.",
    flag: '--name <text>'
  }),
  listen: setting(z.array(multiaddr).max(32), {
    default: ['/ip4/0.0.0.0/tcp/4470'],
    unit: 'multiaddresses',
    about:
      'Where other nodes reach this one, at most 32. Port 0 takes any free port. With an empty list the node only dials.',
    flag: '--listen <multiaddress>'
  }),
  peers: setting(z.array(multiaddr).max(1_024), {
    default: [],
    unit: 'multiaddresses',
    about:
      'Addresses that are dialled again and again until they answer, at most 1,024. Needed only where mDNS does not reach.',
    flag: '--peer <multiaddress>'
  }),
  mdns: setting(z.boolean(), {
    default: true,
    unit: 'true or false',
    about: 'Find nodes on the same network by multicast. An address found so is a hint, never an admission.',
    flag: '--mdns'
  }),
  adapter: setting(z.enum(['directory', 'geoserver', 'none']), {
    default: 'directory',
    unit: 'word',
    about:
      'What is kept in step with the catalog: a `directory`; the data directory of a `geoserver`, of which only what belongs to all nodes travels; or `none`: the node keeps the catalog for others and for the command line.',
    flag: '--adapter <kind>'
  }),
  adopt: setting(z.enum(['merge', 'cluster']), {
    default: 'merge',
    unit: 'word',
    about:
      "What happens to files that are already there when this node first meets its cluster's catalog. `merge`: equal files meet, a differing one becomes a visible conflict. `cluster`: the cluster's content wins, local bytes are set aside in the home.",
    flag: '--adopt <how>'
  }),
  ignore: setting(z.array(z.string().min(1).max(1_024)).max(1_000), {
    default: [],
    unit: 'patterns',
    about: 'What is not shared, in the syntax of .gitignore; at most 1,000 patterns.',
    flag: '--ignore <pattern>'
  }),
  geoserverRules: setting(z.array(z.string().min(1).max(1_024)).max(1_000), {
    default: [],
    unit: 'rules',
    about:
      'What of a GeoServer data directory travels besides or instead of what is built in: `share PATTERN` or `local PATTERN`, as in `share security/layers.properties`, and `field PATTERN ELEMENT/ELEMENT` for a field of such files that each node keeps for itself, as in `field wms.xml maxRenderingTime`; `*` is anything within a name, `**` any number of names, the last rule that matches wins; at most 1,000. Secrets never travel. Used with the adapter `geoserver`.',
    flag: '--geoserver-rule <rule>'
  }),
  geoserverBroken: setting(z.enum(['pass', 'hold']), {
    default: 'pass',
    unit: 'word',
    about:
      'What is done with an object that refers to something that is nowhere, because its author had it so. `pass`: it waits for `geoserverBrokenAfterMs` and is then written as it is. `hold`: it waits until it is mended. Either way `grapevine waiting` shows it, and everything else goes on. Used with the adapter `geoserver`.',
    flag: '--geoserver-broken <rule>'
  }),
  geoserverBrokenAfterMs: setting(milliseconds(0, 86_400_000), {
    default: 10_000,
    unit: 'ms',
    about:
      'How long such an object waits, 0 to a day: what it refers to may still be on its way from another program to the node that shares it. Less shows broken objects that come whole a moment later, more delays those that stay broken.',
    flag: '--geoserver-broken-after-ms <ms>'
  }),
  geoserverUrl: setting(z.string().max(2_048), {
    default: '',
    unit: 'address',
    about:
      'Address of the GeoServer that runs over the directory, with its context, as in `http://127.0.0.1:8080/geoserver`: it is told of what changes. Empty: nobody is told. Used with the adapter `geoserver`.',
    flag: '--geoserver-url <url>'
  }),
  geoserverUser: setting(z.string().min(1).max(256), {
    default: 'admin',
    unit: 'name',
    about: 'The administrator as whom GeoServer is told.',
    flag: '--geoserver-user <name>'
  }),
  geoserverPasswordFile: setting(z.string().max(4_096), {
    default: '',
    unit: 'path',
    about: "The file that holds that administrator's password and nothing else; nobody else may be able to read it.",
    flag: '--geoserver-password-file <path>'
  }),
  sharedDir: setting(z.boolean(), {
    default: false,
    unit: 'yes or no',
    about:
      'Whether GeoServers of several nodes run over one and the same directory, each with a daemon of its own: then this node writes nothing there, records what changes, and tells its GeoServer of what others changed. Used with the adapter `geoserver`.',
    flag: '--shared-dir'
  }),
  geoserverReloadShare: setting(z.number().min(0.01).max(1), {
    default: 0.34,
    unit: 'part of the members',
    about:
      'How many of the members may have their GeoServers reload at a time; one may in any case. The same on every node: each works out its own turn from it.',
    flag: '--geoserver-reload-share <part>'
  }),
  driftRules: setting(
    z
      .array(
        z
          .string()
          .max(1_024)
          .regex(/^(report|restore|adopt)\s+\S/, 'is not "report PATTERN", "restore PATTERN" or "adopt PATTERN"')
      )
      .max(1_000),
    {
      default: [],
      unit: 'rules',
      about:
        'What becomes of a change in the directory where this node may not write to the catalog: `report PATTERN` (so without a rule): it is shown, and makes way when the catalog changes there; `restore PATTERN`: it makes way at once; `adopt PATTERN`: it is proposed to nodes that may write there, and a node that may write takes over what is proposed to it where its own rules say `adopt`. What makes way is kept in the home. `*` is anything within a name, `**` any number of names, the last rule that matches wins; at most 1,000.',
      flag: '--drift-rule <rule>'
    }
  ),
  logLevel: setting(z.enum(['debug', 'info', 'warn', 'error', 'silent']), {
    default: 'info',
    unit: 'word',
    about:
      'The least serious line that is logged to stderr. `info` tells what the daemon does, `debug` also what peers make it do.',
    flag: '--log-level <level>'
  }),
  settleMs: setting(milliseconds(0, 60_000), {
    default: 25,
    unit: 'ms',
    about:
      'How long a changed file must be quiet before it is read, 0 to 60,000. Less finds half-written files, more delays every change.',
    flag: '--settle-ms <ms>'
  }),
  rescanIntervalMs: setting(milliseconds(1_000, 86_400_000), {
    default: 60_000,
    unit: 'ms',
    about:
      'How often the whole directory is looked at, 1,000 to a day; watchers miss events, the scan does not. Less costs reading, more delays what a watcher missed.',
    flag: '--rescan-interval-ms <ms>'
  }),
  announceIntervalMs: setting(milliseconds(100, 3_600_000), {
    default: 30_000,
    unit: 'ms',
    about:
      'How often vector and root are announced without a change, 100 to an hour. Less costs traffic, more delays the repair of a lost message.',
    flag: '--announce-interval-ms <ms>'
  }),
  scrubBytesPerSecond: setting(z.int().min(0).max(1_000_000_000), {
    default: 2_000_000,
    unit: 'bytes a second',
    about:
      'How fast everything stored is read again in the background, to find damage while other nodes still have what is damaged; 0 to 1,000,000,000. 0 turns it off. Less finds damage later, more costs disk time.',
    flag: '--scrub-bytes-per-second <bytes>'
  }),
  maxUpload: setting(rate, {
    default: '0',
    unit: 'bytes a second',
    about:
      'How fast bodies larger than `maxInlineBodyBytes` are sent, to all peers together: from `100kB` to `1000GB`, in bytes or with kB, MB, GB, KiB, MiB or GiB; 0 is no limit. Less leaves more of the line to others, more lets others have large files sooner. Who asks for more waits, or asks another member.',
    flag: '--max-upload <rate>'
  }),
  maxDownload: setting(rate, {
    default: '0',
    unit: 'bytes a second',
    about:
      'How fast such bodies are fetched, from all peers together; from `100kB` to `1000GB`, 0 is no limit. Less leaves more of the line to others, more completes large files sooner.',
    flag: '--max-download <rate>'
  }),
  certificateLifeMs: setting(milliseconds(1_000, 366 * 86_400_000), {
    default: 28 * 86_400_000,
    unit: 'ms',
    about:
      'How long a member that no admin has seen may stay away before it needs a new invitation, 1,000 to a year. Used where this node is an admin; give all admins the same. Others are renewed by themselves. Less shuts a stolen machine out sooner, more forgives longer absence. Time while no admin runs does not count.',
    flag: '--certificate-life-ms <ms>'
  }),
  checkpointIntervalMs: setting(z.union([z.literal(0), milliseconds(1_000, 366 * 86_400_000)]), {
    default: 86_400_000,
    unit: 'ms',
    about:
      'How often a checkpoint is proposed that takes the place of older history, 1,000 to a year; 0: this node proposes none. One comes into force when every member vouches for it, and lets go what the one before it covers. Less keeps the log shorter, more costs less work.',
    flag: '--checkpoint-interval-ms <ms>'
  }),
  checkpointAgeMs: setting(milliseconds(0, 366 * 86_400_000), {
    default: 7 * 86_400_000,
    unit: 'ms',
    about:
      'How old history must be before this node vouches for a checkpoint that takes its place, 0 to a year. The greatest of all members counts. Less keeps the log shorter, more keeps older versions to look at and to return to.',
    flag: '--checkpoint-age-ms <ms>'
  }),
  maxInlineBodyBytes: setting(z.int().min(0).max(16_384), {
    default: 16_384,
    unit: 'bytes',
    about:
      'Bodies up to this size travel inside their record, larger ones as blobs; 0 to 16,384. Less makes small files slower, more is not allowed by the wire format.',
    flag: '--max-inline-body-bytes <bytes>'
  })
}

export type SettingName = keyof typeof SETTINGS
export type Settings = { -readonly [K in SettingName]: z.output<(typeof SETTINGS)[K]['schema']> }
/** Everything a node needs to know. `home` and `dir` are absolute. */
export type Config = Settings & { home: string }

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[]
export const DEFAULT_HOME = './.grapevine'
export const CONFIG_FILE = 'config.json'
/** Larger than any sensible file, small enough to read at once, bytes. */
export const MAX_CONFIG_BYTES = 1024 * 1024

export interface ConfigSources {
  /** The home directory; relative to `cwd`. */
  readonly home: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Flags as given: text, a list of texts, or a boolean. Absent ones are undefined. */
  readonly flags?: Readonly<Partial<Record<SettingName, string | readonly string[] | boolean>>>
}

/** The settings a node runs with. Throws `config-invalid`, naming the setting and where it was set. */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const home = resolve(sources.cwd, sources.home)
  const file = await readConfigFile(home)
  const config: Record<string, unknown> = { home }
  for (const name of SETTING_NAMES) {
    const found = firstOf(name, sources, file, home)
    config[name] =
      found === undefined ? structuredClone(SETTINGS[name].default) : checkedSetting(name, found.value, found.where)
    if (name === 'dir') config[name] = resolve(found?.base ?? sources.cwd, String(config[name]))
  }
  return config as Config
}

/** What the file sets, checked. An absent file sets nothing. */
export async function readConfigFile(home: string): Promise<Partial<Settings>> {
  const path = join(home, CONFIG_FILE)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return '{}'
    throw invalid(`${path} cannot be read: ${reasonOf(error)}`, 'make it readable, or remove it')
  })
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES)
    throw invalid(`${path} is larger than ${MAX_CONFIG_BYTES} bytes`, 'shorten it')
  const values = parseFile(path, text)
  for (const [key, value] of Object.entries(values)) {
    if (!Object.hasOwn(SETTINGS, key)) throw unknownKey(path, key)
    checkedSetting(key as SettingName, value, path)
  }
  return values as Partial<Settings>
}

/** `logLevel` -> `GRAPEVINE_LOG_LEVEL`. */
export function environmentName(name: string): string {
  return `GRAPEVINE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

export type SettingKind = 'text' | 'number' | 'boolean' | 'list'

export function kindOf(name: SettingName): SettingKind {
  const value: unknown = SETTINGS[name].default
  if (Array.isArray(value)) return 'list'
  return typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'text'
}

interface Found {
  readonly value: unknown
  readonly where: string
  /** What a relative path is relative to. */
  readonly base: string
}

function firstOf(name: SettingName, sources: ConfigSources, file: Partial<Settings>, home: string): Found | undefined {
  const flag = sources.flags?.[name]
  if (flag !== undefined)
    return { value: fromText(name, flag), where: SETTINGS[name].flag.split(' ')[0]!, base: sources.cwd }
  const variable = sources.env[environmentName(name)]
  if (variable !== undefined && variable !== '')
    return { value: fromText(name, variable), where: environmentName(name), base: sources.cwd }
  const value = file[name]
  return value === undefined ? undefined : { value, where: join(home, CONFIG_FILE), base: dirname(home) }
}

/** Text of a flag or variable as the setting's own kind; what cannot be one is left for the schema to refuse. */
function fromText(name: SettingName, value: string | readonly string[] | boolean): unknown {
  if (typeof value !== 'string') return value
  switch (kindOf(name)) {
    case 'list':
      return value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
    case 'number':
      return /^-?\d{1,15}(\.\d{1,6})?$/.test(value) ? Number(value) : value
    case 'boolean':
      return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value
    case 'text':
      return value
  }
}

function checkedSetting(name: SettingName, value: unknown, where: string): unknown {
  const result = (SETTINGS[name].schema as z.ZodType).safeParse(value)
  if (result.success) return result.data
  const message = result.error.issues[0]!.message
  throw invalid(
    `the setting ${name} in ${where} is not accepted: ${message}`,
    `give it ${SETTINGS[name].unit}, as in ${JSON.stringify(SETTINGS[name].default)}`,
    { setting: name, where }
  )
}

function parseFile(path: string, text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalid(`${path} is not JSON: ${reasonOf(error)}`, 'correct it, or remove it to use the defaults')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(`${path} does not hold a JSON object`, 'write it as {"setting": value}')
}

function unknownKey(path: string, key: string): GrapevineError {
  const nearest = nearestOf(key, SETTING_NAMES)
  const next = nearest === undefined ? `the settings are ${SETTING_NAMES.join(', ')}` : `did you mean ${nearest}?`
  return invalid(`${path} holds the unknown setting ${JSON.stringify(key)}`, next, { setting: key })
}

function invalid(message: string, next: string, facts: Record<string, unknown> = {}): GrapevineError {
  return new GrapevineError('config-invalid', message, { next, facts })
}

/** Directories to begin with: a small one of our own, and the large real ones where they are at hand. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { atExit, PACKAGE_ROOT } from './program.js'

/** Git keeps no empty directories; a data directory has some. */
const EMPTY_DIRECTORIES = ['data/incoming', 'workspaces/coast/leer und schön']

/** Fills `dir` with a small GeoServer data directory: spaces, Unicode, an empty file, a program, empty directories. */
export function copyFixture(dir: string): void {
  cpSync(join(PACKAGE_ROOT, 'test', 'fixtures', 'geoserver'), dir, { recursive: true })
  for (const empty of EMPTY_DIRECTORIES) mkdirSync(join(dir, empty), { recursive: true })
}

/** Where the real data directories are: `GRAPEVINE_SHARED`, or `../shared` beside the package. */
const SHARED = process.env['GRAPEVINE_SHARED'] ?? join(PACKAGE_ROOT, '..', 'shared')

const ARCHIVES = {
  'aodn-datadir': 'geoserver-aodn-datadir.tar.gz',
  'aodn-history': 'geoserver-aodn-history.tar.gz',
  'osm-datadir': 'geoserver-osm-styles-datadir.tar.gz',
  'osm-history': 'geoserver-osm-styles-history.tar.gz'
} as const

export type SharedData = keyof typeof ARCHIVES

const unpacked = new Map<SharedData, string>()

/** The folder of an archive, unpacked once a process; undefined when the archive is not here. */
export function sharedData(name: SharedData): string | undefined {
  const archive = join(SHARED, 'data', ARCHIVES[name])
  if (!existsSync(archive)) return undefined
  const known = unpacked.get(name)
  if (known !== undefined) return known
  const folder = join(unpack(archive), name)
  unpacked.set(name, folder)
  return folder
}

/** Unpacks an archive to a temporary place that goes when this process ends. */
export function unpack(archive: string): string {
  const place = mkdtempSync(join(tmpdir(), 'gv-data-'))
  atExit(() => rmSync(place, { recursive: true, force: true }))
  execFileSync('tar', ['xzf', archive, '-C', place])
  return place
}

/** A folder with steps.jsonl, or the archive of one: the folder in it is called as the archive's last two words. */
export function folderOf(data: string): string {
  if (statSync(data).isDirectory()) return data
  const words = basename(data, '.tar.gz').split('-')
  return join(unpack(data), `${words.at(1)}-${words.at(-1)}`)
}

export const NO_SHARED_DATA = 'the real data directories are not here: set GRAPEVINE_SHARED to their folder'

/** How a daemon is told which GeoServer it is to tell. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.js'

/** The password of a stand-in's administrator. */
const PASSWORD = 'geoserver'

/** Flags of `start`. The password lies in a file of the cluster's place that is closed to others. */
export function accessTo(url: string, { place }: Pick<Cluster, 'place'>, password = PASSWORD): string[] {
  const file = join(place, 'password')
  writeFileSync(file, `${password}\n`)
  chmodSync(file, 0o600)
  return ['--geoserver-url', url, '--geoserver-password-file', file]
}

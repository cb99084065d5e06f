/** What the adapter reports besides what the directory does, each with the step that mends it. */
import { GrapevineError } from '../../errors.js'
import { showName } from '../names.js'
import type { FileProblem } from './objects.js'

/** A file that is no well-formed document of its kind, here or as it arrived. */
export function broken(path: string, { word, reason }: FileProblem, arrived: boolean): GrapevineError {
  const where = arrived ? 'as it arrived ' : ''
  return new GrapevineError('file-broken', `${showName(path)} ${where}${reason}`, {
    next: arrived
      ? 'mend it on the node that wrote it; this node keeps what it has'
      : 'mend it, or remove it; until then the other nodes keep what they have',
    facts: { path: showName(path), word }
  })
}

export function secretMissing(path: string, name: string, environmentName: string, file: string): GrapevineError {
  return new GrapevineError(
    'secret-missing',
    `${showName(path)} is held back: this node has no password for ${showName(name)}`,
    {
      next: `add ${JSON.stringify(name)} to ${file}, or set ${environmentName}; it is tried again with the next scan, or at once with "grapevine quarantine retry"`,
      facts: { path: showName(path), secret: showName(name) }
    }
  )
}

export function damagedBody(path: string, hash: string): GrapevineError {
  return new GrapevineError(
    'blob-damaged',
    `the bytes for ${showName(path)} do not match their hash and were not written`,
    {
      next: 'nothing to do: they are fetched again from another node',
      facts: { path: showName(path), hash }
    }
  )
}

/** GeoServer answered well, and the file holds what it said before. */
export function notTakenBy(path: string, fields: readonly string[]): GrapevineError {
  const names = fields.map((field) => showName(field)).join(', ')
  return new GrapevineError(
    'geoserver-not-taken',
    `GeoServer answered well and wrote what it had before: ${names}; the file was put back as it was told`,
    {
      next: "it is told again; look at GeoServer's log for why it does not take it",
      facts: { path: showName(path), fields: names }
    }
  )
}

export function changed(path: string): GrapevineError {
  return new GrapevineError('file-changed', `${showName(path)} changed since it was scanned`, {
    next: 'nothing to do: it is looked at again when it has come to rest',
    facts: { path: showName(path), transient: true }
  })
}

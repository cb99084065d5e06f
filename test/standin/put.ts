/** PUT of one object: its top-level fields replace those in memory, and memory is written over whatever is on the disk. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { edited } from '../../src/adapters/geoserver/splice.js'
import { childOf, readXml, type XmlDocument } from '../../src/adapters/geoserver/xml.js'
import { countUp } from './counter.js'
import type { Loaded, Memory } from './memory.js'
import { writeAsGeoServer } from './writing.js'

/** HTTP status. */
export function putObject(memory: Memory, loaded: Loaded, body: string): 200 | 400 {
  const [read, held] = [readXml(Buffer.from(body)), parsed(loaded.text)]
  if (!read.ok || read.value.root.name !== held.root.name) return 400
  loaded.text = encrypted(dated(merged(held, read.value)))
  writeAsGeoServer(join(memory.dir, loaded.path), loaded.text)
  countUp(memory)
  return 200
}

/** What the body does not name stays as it is in memory; an id never changes. */
function merged(held: XmlDocument, body: XmlDocument): string {
  const ownId = childOf(held.root, 'id')!
  const given = new Set(body.root.children.map(({ name }) => name))
  const kept = held.root.children.filter(({ name }) => !given.has(name))
  const id = childOf(body.root, 'id')
  const edits = id === undefined ? [] : [{ start: id.innerStart, end: id.innerEnd, text: ownId.text }]
  const at = body.root.children.at(-1)?.end ?? body.root.innerStart
  const text = kept.map(({ start, end }) => `\n  ${held.text.slice(start, end)}`).join('')
  return edited(body.text, [...edits, { start: at, end: at, text }])
}

/** A date that the body brings along is kept. */
function dated(text: string): string {
  if (text.includes('<dateModified>')) return text
  const date = new Date().toISOString().replace('T', ' ').replace('Z', ' UTC')
  return text.replace(/(\s*<\/[^<>]+>\s*)$/, `\n  <dateModified>${date}</dateModified>$1`)
}

/** Another ciphertext at every save, also of the same password. */
function encrypted(text: string): string {
  return text.replace(
    /(<entry key="passwd">)(?!\$\{)[^<]+(?=<)/g,
    (_, tag: string) => `${tag}crypt1:${randomBytes(12).toString('base64')}`
  )
}

function parsed(text: string): XmlDocument {
  const read = readXml(Buffer.from(text))
  if (!read.ok) throw new Error(read.problem.reason)
  return read.value
}

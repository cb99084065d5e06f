/**
 * What of a file by field travels, and what a node makes of it when it arrives. Rules (tests cite the numbers):
 * 1. The fields of one node (`field-rules.ts`) are taken out on the way out and come from the local file on the way in; some
 *    that it does not have are what GeoServer begins with.
 * 2. Everything else travels byte for byte, so equal files are equal on the wire however they were reached.
 * 3. A password becomes a named reference on the way out. On the way in the local file's own password fills it, and where
 *    there is none the secret of that name; where there is neither, the file is not written.
 *    So does one within a text, such as an address or a connection string (`spots.ts`).
 * 4. The name of a secret follows from the store it is in and is not taken from the wire: nobody fetches another store's
 *    password by naming it, and a store that is renamed is not changed by that.
 * 5. What is encrypted where the catalog has `${NAME}` is that, as GeoServer saved it: it goes on standing for it, and stays
 *    when another change arrives.
 * 6. What is no well-formed document of its kind neither leaves nor arrives: what is in it cannot be told apart.
 */
import { createHash } from 'node:crypto'
import type { FileKind } from './file-rules.js'
import { fallbacks, localFields } from './field-rules.js'
import { isRootOf, passwordElements, STORE_KINDS, valueElements, type FileProblem } from './objects.js'
import { plainOf } from './defaults.js'
import { fillInsOf, type FillIns } from './fill-ins.js'
import type { Parameters } from './memory.js'
import { formOf, REFERENCE_PREFIX } from './password-forms.js'
import { edited, join, split, type Split, type Taken } from './splice.js'
import { spotsIn, withSpots, type Spot } from './spots.js'
import { childOf, escaped, readXml, type XmlDocument, type XmlElement } from './xml.js'

export interface Place {
  readonly path: string
  readonly kind: FileKind
  /** What the operator keeps on this node, besides what `field-rules.ts` says. */
  readonly ownFields?: ReadonlyArray<readonly string[]>
}

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: FileProblem }

/** What travels of a file, and the hash of what that means. */
export interface Outward {
  readonly bytes: Buffer
  readonly meaning: string
  readonly parameters: Parameters
  readonly fillIns: FillIns
}

/** The file as it is to be written and what travels of it, or the name of the secret that this node lacks. */
export type Inward = Outward | { readonly lacks: string }

/** Rules 1, 2, 3 and 5. `known`: what the file stood for before. Never throws. */
export function outward(place: Place, bytes: Uint8Array, known: Parameters = {}): Outcome<Outward> {
  const read = parsed(place, bytes)
  if (!read.ok) return read
  const { rest } = taken(place, read.value, known)
  const after = parsed(place, Buffer.from(rest))
  if (!after.ok) return after
  const { root } = after.value
  const parameters = parametersOf(place, root)
  const fillIns = fillInsOf(place.kind, root, meaningOf)
  return {
    ok: true,
    value: { bytes: Buffer.from(rest), meaning: meaningOf(plainOf(place.kind, root)), parameters, fillIns }
  }
}

/** `local` is the file that is there now; null when there is none. `known`: what that stands for. Never throws. */
export function inward(
  place: Place,
  incoming: Uint8Array,
  local: Uint8Array | null,
  secretOf: (name: string) => string | undefined,
  known: Parameters = {}
): Outcome<Inward> {
  const arrived = outward(place, incoming)
  if (!arrived.ok) return arrived
  const document = parsed(place, arrived.value.bytes)
  if (!document.ok) return document
  const own = local === null ? null : parsed(place, local)
  // a local file that cannot be read has nothing that could be kept
  const kept = own?.ok ? { fields: taken(place, own.value).taken, passwords: passwordsOf(place, own.value) } : NOTHING
  const joined = parsed(place, Buffer.from(join(document.value, kept.fields)))
  if (!joined.ok) return joined
  const more = missing(place, joined.value, own?.ok ? own.value.root : undefined)
  const merged = more.length === 0 ? joined : parsed(place, Buffer.from(join(joined.value, more)))
  if (!merged.ok) return merged
  const whole = filled(place, merged.value, { passwords: kept.passwords, known }, secretOf)
  return { ok: true, value: 'lacks' in whole ? whole : { ...arrived.value, ...whole } }
}

/** Fields that neither the document nor this node has and GeoServer does not do without, as if they had been taken out. */
function missing({ kind }: Place, { root }: XmlDocument, own: XmlElement | undefined): Taken[] {
  return fallbacks(kind).flatMap(({ path, text }) => {
    const above = path.slice(0, -1)
    const name = path.at(-1)!
    const under = (from: XmlElement | undefined): XmlElement | undefined =>
      above.reduce((at, each) => at && childOf(at, each), from)
    const parent = under(root)
    // what this node's GeoServer wrote without it, it does without
    if (parent === undefined || childOf(parent, name) !== undefined || under(own) !== undefined) return []
    const siblings = parent.children.map((child) => child.name)
    return [{ above, siblings, before: siblings.length, text: `\n    <${name}>${escaped(text)}</${name}>` }]
  })
}

const NOTHING: { fields: readonly Taken[]; passwords: ReadonlyMap<string, string> } = {
  fields: [],
  passwords: new Map()
}

/** What one password of a store is called in the secrets of a node. */
export function secretName(path: string, key: string): string {
  const [, workspace, store] = path.split('/')
  return `${workspace}/${store}/${key}`
}

/** A hash of names, attributes and texts, whatever the white space between elements and the way characters are written. */
export function meaningOf(root: XmlElement): string {
  const hash = createHash('sha256')
  const add = (word: string): void => void hash.update(`${word.length}:${word}`)
  const walk = (element: XmlElement): void => {
    add(element.name)
    for (const [name, value] of Object.entries(element.attributes).toSorted()) add(`@${name}=${value}`)
    add(element.children.length > 0 && element.text.trim() === '' ? '' : element.text)
    for (const child of element.children) walk(child)
    add('/')
  }
  walk(root)
  return hash.digest('hex')
}

function parsed({ kind }: Place, bytes: Uint8Array): Outcome<XmlDocument> {
  const read = readXml(bytes)
  if (!read.ok) return read
  const { encoding, root } = read.value
  if (encoding !== 'utf-8')
    return refused('encoding', `is written in ${encoding.slice(0, 40)}, where only UTF-8 is shared`)
  if (!isRootOf(kind, root.name)) return refused('wrong-root', `holds no ${kind}`)
  return read
}

function refused(word: FileProblem['word'], reason: string): Outcome<never> {
  return { ok: false, problem: { word, reason } }
}

function taken({ kind, ownFields = [] }: Place, document: XmlDocument, known: Parameters = {}): Split {
  const edits = passwords(kind, document.root)
    .filter(({ form }) => form === 'plain' || form === 'encrypted')
    .map(({ key, element, form }) => {
      const parameter = form === 'encrypted' ? known[key] : undefined
      const text = escaped(parameter ?? REFERENCE_PREFIX + key)
      return { start: element.innerStart, end: element.innerEnd, text }
    })
  const within = textsWithSpots(kind, document.root).flatMap(({ key, element, spots }) => {
    const own = spots.filter(({ form }) => form === 'plain' || form === 'encrypted')
    const values = own.map((spot) => ({ spot, value: `${REFERENCE_PREFIX}${key}.${spot.name}` }))
    return values.length === 0 ? [] : [innerEdit(element, withSpots(element.text, values))]
  })
  return split(document, [...localFields(kind), ...ownFields], [...edits, ...within])
}

function innerEdit({ innerStart, innerEnd }: XmlElement, text: string): { start: number; end: number; text: string } {
  return { start: innerStart, end: innerEnd, text: escaped(text) }
}

interface TextWithSpots {
  readonly key: string
  readonly element: XmlElement
  readonly spots: readonly Spot[]
}

/** The texts of a store with passwords in them, those aside that are a password as a whole. */
function textsWithSpots(kind: FileKind, root: XmlElement): TextWithSpots[] {
  if (!STORE_KINDS.has(kind)) return []
  const whole = new Set(passwordElements(root))
  return valueElements(root)
    .filter((element) => !whole.has(element))
    .map((element) => ({ key: keyOf(element), element, spots: spotsIn(element.text) }))
    .filter(({ spots }) => spots.length > 0)
}

function keyOf(element: XmlElement): string {
  return (element.attributes['key'] ?? element.name).toLowerCase()
}

interface Password {
  readonly key: string
  readonly element: XmlElement
  readonly form: ReturnType<typeof formOf>
}

/** The passwords of a store that are not empty. */
function passwords(kind: FileKind, root: XmlElement): Password[] {
  if (!STORE_KINDS.has(kind)) return []
  return passwordElements(root)
    .filter(({ text }) => text.trim() !== '' && text.trim() !== 'plain:')
    .map((element) => ({
      key: keyOf(element),
      element,
      form: formOf(element.text.trim())
    }))
}

function parametersOf({ kind }: Place, root: XmlElement): Parameters {
  const found = passwords(kind, root).filter(({ form }) => form === 'parameter')
  return Object.fromEntries(found.map(({ key, element }) => [key, element.text.trim()]))
}

/** The passwords a local file has itself: as they are written there, and those within a text as they read. */
function passwordsOf({ kind }: Place, { text, root }: XmlDocument): Map<string, string> {
  const own = passwords(kind, root).filter(({ form }) => form === 'plain' || form === 'encrypted')
  const within = textsWithSpots(kind, root).flatMap(({ key, spots }) =>
    spots
      .filter(({ form }) => form === 'plain' || form === 'encrypted')
      .map((spot): [string, string] => [`${key}.${spot.name}`, spot.value])
  )
  return new Map([
    ...own.map(({ key, element }): [string, string] => [key, text.slice(element.innerStart, element.innerEnd)]),
    ...within
  ])
}

/** Rules 3, 4 and 5. */
function filled(
  { path, kind }: Place,
  { text, root }: XmlDocument,
  { passwords: own, known }: { readonly passwords: ReadonlyMap<string, string>; readonly known: Parameters },
  secretOf: (name: string) => string | undefined
): { bytes: Buffer } | { lacks: string } {
  const edits = []
  for (const { key, element, form } of passwords(kind, root)) {
    const encrypted = form === 'parameter' && known[key] === element.text.trim() ? own.get(key) : undefined
    if (encrypted !== undefined) edits.push({ start: element.innerStart, end: element.innerEnd, text: encrypted })
    if (form !== 'reference') continue
    const name = secretName(path, key)
    const value = own.get(key) ?? asGeoServerWrites(key, secretOf(name))
    if (value === undefined) return { lacks: name }
    edits.push({ start: element.innerStart, end: element.innerEnd, text: value })
  }
  for (const { key, element, spots } of textsWithSpots(kind, root)) {
    const values: Array<{ spot: Spot; value: string }> = []
    for (const spot of spots) {
      if (spot.form !== 'reference') continue
      const name = secretName(path, `${key}.${spot.name}`)
      const value = own.get(`${key}.${spot.name}`) ?? secretOf(name)
      if (value === undefined) return { lacks: name }
      values.push({ spot, value })
    }
    if (values.length > 0) edits.push(innerEdit(element, withSpots(element.text, values)))
  }
  return { bytes: Buffer.from(edited(text, edits)) }
}

/**
 * A password in plain text carries a mark; GeoServer encrypts it at the next save. Other secrets it hands to the store as they
 * are written.
 */
function asGeoServerWrites(key: string, secret: string | undefined): string | undefined {
  if (secret === undefined) return undefined
  const marked = !/(?:passwd|password|pwd)$/i.test(key) || /^(?:plain|crypt1|crypt2|digest1):|^\$\{/.test(secret)
  return escaped(marked ? secret : `plain:${secret}`)
}

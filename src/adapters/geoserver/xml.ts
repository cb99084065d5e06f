/**
 * Reads the XML of a data directory, which anybody may have edited: into a small tree that knows where each element lies
 * in the text, or to a problem with a word for programs. No DTD is read, no entity is expanded, nothing is fetched, and
 * every size is bounded, so the worst document costs time in proportion to its length.
 */
import { SaxesParser, type SaxesTagPlain } from 'saxes'

/** Largest document that is read, bytes. The largest style of the directories we know has 1.2 MB. */
export const MAX_XML_BYTES = 16 * 1024 * 1024
/** Elements inside each other. GeoServer's own files stay below 20. */
export const MAX_XML_DEPTH = 64
/** Elements of a document of which a tree is made; a layer has some fifty. */
export const MAX_XML_ELEMENTS = 200_000
/** Longest reason that is handed on, characters. */
const MAX_REASON_CHARS = 160
/** Where a declared encoding is looked for, bytes. */
const DECLARATION_BYTES = 256

/** An element and where it lies in the text: from `<` to behind its last `>`. */
export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** Its own characters, references resolved, without those of its children. */
  readonly text: string
  readonly start: number
  readonly end: number
  /** What lies between its tags; both are the same place when it has no end tag. */
  readonly innerStart: number
  readonly innerEnd: number
}

export type XmlProblemWord =
  'empty' | 'too-large' | 'too-deep' | 'too-many-elements' | 'doctype' | 'encoding' | 'malformed'

export interface XmlProblem {
  readonly word: XmlProblemWord
  /** Continues the sentence "the file ...". */
  readonly reason: string
}

export interface XmlDocument {
  /** The document as text, without a byte order mark. */
  readonly text: string
  readonly encoding: string
  readonly root: XmlElement
}

export type XmlResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: XmlProblem }

/** The whole document as a tree. Never throws. */
export function readXml(bytes: Uint8Array): XmlResult<XmlDocument> {
  const decoded = decode(bytes)
  if (!decoded.ok) return decoded
  const { text, encoding } = decoded.value
  const tree = new Tree(text)
  const problem = walk(text, tree)
  return problem === null ? { ok: true, value: { text, encoding, root: tree.root! } } : { ok: false, problem }
}

/** Whether the document is well formed, without keeping any of it: the name of its root element. Never throws. */
export function checkXml(bytes: Uint8Array): XmlResult<string> {
  const decoded = decode(bytes)
  if (!decoded.ok) return decoded
  let root: string | undefined
  const problem = walk(decoded.value.text, { open: (name) => (root ??= name) })
  return problem === null ? { ok: true, value: root! } : { ok: false, problem }
}

/** The first child of this name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name)
}

/** The trimmed text of the first child of this name; undefined when there is none or it is empty. */
export function textOf(element: XmlElement, name: string): string | undefined {
  const text = childOf(element, name)?.text.trim()
  return text === '' ? undefined : text
}

interface Listener {
  open(name: string, attributes: Record<string, string>, start: number, end: number): void
  text?(text: string): void
  close?(closeStart: number, end: number): void
}

/** What ends a walk before its time. */
class Stop extends Error {
  readonly problem: XmlProblem

  constructor(word: XmlProblemWord, reason: string) {
    super(reason)
    this.problem = { word, reason }
  }
}

function walk(text: string, listener: Listener): XmlProblem | null {
  const parser = new SaxesParser({ xmlns: false as const, position: true })
  let depth = 0
  parser.on('doctype', () => {
    throw new Stop('doctype', 'declares a document type, which is not read')
  })
  parser.on('error', (error) => {
    throw new Stop('malformed', `is not well-formed XML: ${error.message.slice(0, MAX_REASON_CHARS)}`)
  })
  parser.on('opentag', (tag: SaxesTagPlain) => {
    depth++
    if (depth > MAX_XML_DEPTH) throw new Stop('too-deep', `has more than ${MAX_XML_DEPTH} elements inside each other`)
    // `<` cannot stand in a tag, so the last one begins it
    listener.open(tag.name, tag.attributes, text.lastIndexOf('<', parser.position - 1), parser.position)
  })
  parser.on('closetag', () => {
    depth--
    listener.close?.(text.lastIndexOf('<', parser.position - 1), parser.position)
  })
  if (listener.text !== undefined) {
    const take = (piece: string): void => listener.text!(piece)
    parser.on('text', take)
    parser.on('cdata', take)
  }
  try {
    parser.write(text).close()
    return null
  } catch (error) {
    if (error instanceof Stop) return error.problem
    throw error
  }
}

interface Growing {
  name: string
  attributes: Readonly<Record<string, string>>
  children: XmlElement[]
  text: string
  start: number
  end: number
  innerStart: number
  innerEnd: number
}

class Tree implements Listener {
  root: XmlElement | undefined
  readonly #open: Growing[] = []
  readonly #whole: string
  #count = 0

  constructor(whole: string) {
    this.#whole = whole
  }

  open(name: string, attributes: Record<string, string>, start: number, end: number): void {
    if (++this.#count > MAX_XML_ELEMENTS)
      throw new Stop('too-many-elements', `has more than ${MAX_XML_ELEMENTS} elements`)
    const element = { name, attributes, children: [], text: '', start, end, innerStart: end, innerEnd: end }
    this.#open.at(-1)?.children.push(element)
    this.root ??= element
    this.#open.push(element)
  }

  text(text: string): void {
    const top = this.#open.at(-1)
    if (top !== undefined) top.text += text
  }

  close(closeStart: number, end: number): void {
    const element = this.#open.pop()!
    element.end = end
    if (this.#whole[closeStart + 1] === '/') element.innerEnd = closeStart
  }
}

function decode(bytes: Uint8Array): XmlResult<{ text: string; encoding: string }> {
  if (bytes.length > MAX_XML_BYTES) return refuse('too-large', `is larger than ${MAX_XML_BYTES} bytes`)
  const encoding = encodingOf(bytes)
  let text: string
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return refuse('encoding', `is not text in the encoding ${encoding.slice(0, 40)}`)
  }
  if (text.trim() === '') return refuse('empty', 'is empty')
  return { ok: true, value: { text, encoding } }
}

/** A byte order mark wins, then what the document declares, then UTF-8. */
function encodingOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  const head = Buffer.from(bytes.subarray(0, DECLARATION_BYTES)).toString('latin1')
  return /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']{1,40})["']/.exec(head)?.[1]!.toLowerCase() ?? 'utf-8'
}

function refuse(word: XmlProblemWord, reason: string): { ok: false; problem: XmlProblem } {
  return { ok: false, problem: { word, reason } }
}

/** Text as it stands between two tags. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

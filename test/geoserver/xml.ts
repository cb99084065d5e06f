/**
 * A reader and writer of XML for the stand-in, of its own so that a mistake in ours cannot hide behind the same mistake
 * here. It writes as GeoServer does: two spaces a level, no declaration, no newline at the end.
 */

export interface Xml {
  readonly name: string
  readonly attributes: Record<string, string>
  /** Elements and the text between them, in order. */
  content: Array<Xml | string>
}

/** The document is cut off, empty or otherwise not well formed. */
export class BrokenXml extends Error {}

const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE[^>]*>|<!\[CDATA\[(?<cdata>[\s\S]*?)\]\]>|<\/(?<close>[^\s<>]+)\s*>|<(?<open>[^\s/<>!?]+)(?<attributes>(?:\s+[^\s=<>]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>\/?)>|(?<text>[^<]+)/y
const ATTRIBUTE = /([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Throws `BrokenXml`. */
export function parseXml(source: string): Xml {
  const text = source.replace(/^\uFEFF/, '')
  const document = element('')
  const open = [document]
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex
    const found = TOKEN.exec(text)
    if (found === null) throw new BrokenXml(`not well formed at character ${at}`)
    take(found.groups!, open)
  }
  const root = elementsOf(document)
  if (open.length !== 1 || root.length !== 1) throw new BrokenXml('the document ends before its root element does')
  return root[0]!
}

function take(token: Record<string, string | undefined>, open: Xml[]): void {
  const above = open.at(-1)!
  const { cdata, close, open: name, attributes, empty, text } = token
  if (cdata !== undefined) above.content.push(cdata)
  else if (text !== undefined) above.content.push(unescape(text))
  else if (close !== undefined) {
    if (open.length < 2 || above.name !== close) throw new BrokenXml(`</${close}> closes nothing`)
    open.pop()
  } else if (name !== undefined) {
    const child = element(name)
    for (const [, key, double, single] of attributes!.matchAll(ATTRIBUTE))
      child.attributes[key!] = unescape(double ?? single ?? '')
    above.content.push(child)
    if (empty === '') open.push(child)
  }
}

function unescape(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]+|#\d+|\w+);/g, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16))
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)))
    return ENTITIES[name] ?? whole
  })
}

export function writeXml(node: Xml, indent = ''): string {
  const attributes = Object.entries(node.attributes).map(([key, value]) => ` ${key}="${escape(value)}"`)
  const start = `<${node.name}${attributes.join('')}`
  const elements = elementsOf(node)
  if (elements.length === 0) {
    const text = textOf(node)
    return text === '' ? `${indent}${start}/>` : `${indent}${start}>${escape(text)}</${node.name}>`
  }
  const mixed = node.content.some((part) => typeof part === 'string' && part.trim() !== '')
  if (mixed) {
    const inside = node.content.map((part) => (typeof part === 'string' ? escape(part) : writeXml(part)))
    return `${indent}${start}>${inside.join('')}</${node.name}>`
  }
  const inside = elements.map((child) => writeXml(child, `${indent}  `))
  return `${indent}${start}>\n${inside.join('\n')}\n${indent}</${node.name}>`
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
}

export function element(name: string, ...content: Array<Xml | string>): Xml {
  return { name, attributes: {}, content }
}

export function elementsOf(node: Xml): Xml[] {
  return node.content.filter((part): part is Xml => typeof part !== 'string')
}

export function childOf(node: Xml, name: string): Xml | undefined {
  return elementsOf(node).find((child) => child.name === name)
}

/** The element at the end of a path of names; undefined when one of them is not there. */
export function at(node: Xml, ...path: string[]): Xml | undefined {
  return path.reduce<Xml | undefined>((here, name) => here && childOf(here, name), node)
}

export function textOf(node: Xml | undefined): string {
  return node?.content.filter((part) => typeof part === 'string').join('') ?? ''
}

export function childText(node: Xml, name: string): string | undefined {
  const child = childOf(node, name)
  return child === undefined ? undefined : textOf(child).trim()
}

/** Gives the child of this name this text; a new one goes to the end. */
export function setText(node: Xml, name: string, text: string): void {
  const child = childOf(node, name)
  if (child === undefined) node.content.push(element(name, text))
  else child.content = [text]
}

export function removeChild(node: Xml, name: string): void {
  node.content = node.content.filter((part) => typeof part === 'string' || part.name !== name)
}

export function* descendants(node: Xml): Generator<Xml> {
  yield node
  for (const child of elementsOf(node)) yield* descendants(child)
}

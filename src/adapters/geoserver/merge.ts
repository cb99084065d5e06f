/**
 * Two edits of one document in one, by element, against what both began with. Pure, and the same whichever comes first.
 * Rules (tests cite the numbers):
 * 1. A part that one side changed is taken as that side has it; one that both changed alike, too. One that both changed
 *    differently is nobody's to decide: there is no merge.
 * 2. Parts are the elements below the root, by name. Of the elements in `LISTS` the parts are what is in them, each by its
 *    key; all others count as a whole, for what is in them only makes sense together (a box, a grid, a projection).
 * 3. What is drawn in a group and the styles it is drawn with are two lists that go by their places: they are one part.
 * 4. What comes out is read again: it is a document of the same kind with the same id, and holds what it should.
 */
import type { FileKind } from './file-rules.js'
import { isRootOf } from './objects.js'
import { edited, whiteSpaceBefore } from './splice.js'
import { meaningOf, outward, type Place } from './travel.js'
import { readXml, textOf, type XmlDocument, type XmlElement } from './xml.js'

/** Elements whose children are parts of their own, and what tells those apart. */
const LISTS: Readonly<Record<string, (child: XmlElement) => string | undefined>> = {
  metadata: byKey,
  connectionParameters: byKey,
  settings: ({ name }) => name,
  contact: ({ name }) => name,
  keywords: byMeaning,
  attributes: (child) => textOf(child, 'name'),
  styles: byMeaning
}

/** Lists that are one part of a layer group. */
const DRAWN: ReadonlySet<string> = new Set(['publishables', 'layers', 'styles', 'layerGroupStyles'])

/** A part by its key, with what it means; absent where a side does not have it. */
interface Part {
  readonly element: XmlElement
  readonly meaning: string
}

type Parts = ReadonlyMap<string, Part>

/** Null when the two cannot be brought together surely, or one of the three is no such document. */
export function mergedDocument(place: Place, base: Uint8Array, one: Uint8Array, other: Uint8Array): Uint8Array | null {
  const [a, b] = Buffer.compare(one, other) <= 0 ? [one, other] : [other, one]
  const documents = [base, a, b].map((bytes) => documentOf(place.kind, bytes))
  if (documents.includes(null)) return null
  const [from, first, second] = documents as [XmlDocument, XmlDocument, XmlDocument]
  if (!sameOpening([from.root, first.root, second.root])) return null
  const edits = mergeParts(place.kind, [from.root, first.root, second.root], first.text, second.text)
  if (edits === null) return null
  const made = outward(place, Buffer.from(edited(first.text, edits)))
  return made.ok && isWhole(place.kind, made.value.bytes, [from.root, first.root, second.root])
    ? made.value.bytes
    : null
}

function documentOf(kind: FileKind, bytes: Uint8Array): XmlDocument | null {
  const read = readXml(bytes)
  return read.ok && read.value.encoding === 'utf-8' && isRootOf(kind, read.value.root.name) ? read.value : null
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

type Three = readonly [base: XmlElement, a: XmlElement, b: XmlElement]

/** What makes of `a` both; null when both changed one part differently. */
function mergeParts(kind: FileKind, [base, a, b]: Three, textA: string, textB: string): Edit[] | null {
  if (kind === 'layergroup' && base.name === a.name && bothChanged(DRAWN, [base, a, b])) return null
  return mergeChildren([base, a, b], ({ name }) => name, textA, textB, true)
}

/** Rule 3: the lists as one. */
function bothChanged(names: ReadonlySet<string>, three: Three): boolean {
  const [base, a, b] = three.map((root) =>
    root.children
      .filter(({ name }) => names.has(name))
      .map(meaningOf)
      .join()
  )
  return a !== base && b !== base && a !== b
}

function mergeChildren(
  [base, a, b]: Three,
  keyOf: (child: XmlElement) => string | undefined,
  textA: string,
  textB: string,
  deeper: boolean
): Edit[] | null {
  const all = [base, a, b].map((element) => partsOf(element, keyOf))
  if (all.includes(null)) return null
  const [was, here, there] = all as [Parts, Parts, Parts]
  const edits: Edit[] = []
  for (const key of new Set([...was.keys(), ...here.keys(), ...there.keys()])) {
    const [before, inA, inB] = [was.get(key), here.get(key), there.get(key)]
    if (inB?.meaning === before?.meaning || inA?.meaning === inB?.meaning) continue
    if (inA?.meaning === before?.meaning) {
      const edit = takeOver(a, inA?.element, inB?.element, b, textA, textB)
      if (edit === null) return null
      edits.push(edit)
      continue
    }
    const list = deeper && before && inA && inB ? LISTS[before.element.name] : undefined
    if (list === undefined) return null
    const inner = mergeChildren([before!.element, inA!.element, inB!.element], list, textA, textB, false)
    if (inner === null || !sameOpening([before!.element, inA!.element, inB!.element])) return null
    edits.push(...inner)
  }
  return edits
}

/** `a` gets the part as `b` has it, at the place where `b` has it. Null where there is no such place. */
function takeOver(
  a: XmlElement,
  mine: XmlElement | undefined,
  theirs: XmlElement | undefined,
  b: XmlElement,
  textA: string,
  textB: string
): Edit | null {
  if (mine !== undefined && theirs !== undefined)
    return { start: mine.start, end: mine.end, text: textB.slice(theirs.start, theirs.end) }
  if (mine !== undefined) return { start: whiteSpaceBefore(textA, mine.start), end: mine.end, text: '' }
  const text = textB.slice(whiteSpaceBefore(textB, theirs!.start), theirs!.end)
  const at = b.children.indexOf(theirs!)
  for (const neighbour of b.children.slice(0, at).toReversed()) {
    const same = a.children.findLast(
      (child) => child.name === neighbour.name && meaningOf(child) === meaningOf(neighbour)
    )
    if (same !== undefined) return { start: same.end, end: same.end, text }
  }
  // `<list/>` has no inside into which anything could be put
  if (a.innerStart === a.end) return null
  return { start: a.innerStart, end: a.innerStart, text }
}

/** Null when two parts have one key, or one has none: then only the whole can be compared. */
function partsOf(element: XmlElement, keyOf: (child: XmlElement) => string | undefined): Parts | null {
  if (element.children.length > 0 && element.text.trim() !== '') return null
  const parts = new Map<string, Part>()
  for (const child of element.children) {
    const key = keyOf(child)
    if (key === undefined || parts.has(key)) return null
    parts.set(key, { element: child, meaning: meaningOf(child) })
  }
  return parts
}

function sameOpening(three: readonly XmlElement[]): boolean {
  return (
    new Set(three.map(({ name, attributes }) => JSON.stringify([name, Object.entries(attributes).toSorted()]))).size ===
    1
  )
}

function byKey(child: XmlElement): string | undefined {
  return child.attributes['key']
}

function byMeaning(child: XmlElement): string {
  return meaningOf(child)
}

/** Rule 4: every part below the root is as one of the two has it, or a list that was merged, and the id is theirs. */
function isWhole(kind: FileKind, bytes: Uint8Array, [base, a, b]: Three): boolean {
  const made = documentOf(kind, bytes)
  if (made === null) return false
  if (![a, b].some((root) => textOf(root, 'id') === textOf(made.root, 'id'))) return false
  return made.root.children.every((child) => {
    if (LISTS[child.name] !== undefined) return true
    const meaning = meaningOf(child)
    return [base, a, b].some((root) =>
      root.children.some((other) => other.name === child.name && meaningOf(other) === meaning)
    )
  })
}

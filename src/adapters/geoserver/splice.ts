/**
 * Takes elements out of the text of a document and puts them back, so exactly that one undoes the other: what is left of
 * a document travels byte for byte as GeoServer wrote it. Pure.
 */
import type { XmlDocument, XmlElement } from './xml.js'

/** An element that was taken out, with the white space before it. */
export interface Taken {
  /** Names of the elements above it, from below the root. */
  readonly above: readonly string[]
  /** Names of the siblings that stay, and how many of them came before it: where it may stand again. */
  readonly siblings: readonly string[]
  readonly before: number
  readonly text: string
}

export interface Split {
  /** The document without the elements. */
  readonly rest: string
  readonly taken: readonly Taken[]
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Replaces pieces of a text that do not overlap. */
export function edited(text: string, edits: readonly Edit[]): string {
  let result = ''
  let at = 0
  for (const edit of edits.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    result += text.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return result + text.slice(at)
}

/**
 * Takes all elements at the given paths out. A parent on such a path that holds nothing else goes along, or, where it has
 * attributes or is the root, is written in its short form: it does not matter whether the other side has one. The last name
 * of a path may say which entry of a map: `entry[host]`. `edits` are made in what stays. Time and memory follow the length of the document, whoever wrote it.
 */
export function split({ text, root }: XmlDocument, paths: ReadonlyArray<readonly string[]>, edits: Edit[] = []): Split {
  const { marked, parents } = mark(root, paths)
  const taken: Taken[] = []
  const cuts: Edit[] = []
  const collect = (element: XmlElement, above: readonly string[]): void => {
    const emptied = parents.has(element) && holdsOnly(element, marked)
    if (emptied && !isShort(text, element)) cuts.push({ start: element.innerStart - 1, end: element.end, text: '/>' })
    const siblings: string[] = []
    for (const child of element.children) {
      if (!marked.has(child)) {
        siblings.push(child.name)
        collect(child, [...above, child.name])
        continue
      }
      const start = whiteSpaceBefore(text, child.start)
      if (!emptied) cuts.push({ start, end: child.end, text: '' })
      taken.push({ above, siblings, before: siblings.length, text: text.slice(start, child.end) })
    }
  }
  collect(root, [])
  return { rest: edited(text, [...cuts, ...outsideOf(cuts, edits)]), taken }
}

/** Puts elements back into a document that has none of them; those that belong together keep their order. */
export function join({ text, root }: XmlDocument, taken: readonly Taken[]): string {
  const edits = byParent(root, taken).flatMap(({ parent, pieces }): Edit[] => {
    if (!isShort(text, parent))
      return pieces.map((piece) => {
        const place = placeIn(parent, piece)
        return { start: place, end: place, text: piece.text }
      })
    const inner = pieces.map((piece) => piece.text).join('')
    return [{ start: parent.end - 2, end: parent.end, text: `>${inner}\n</${parent.name}>` }]
  })
  return edited(text, edits)
}

/** The elements at the paths, with parents on the way that hold nothing but marked ones; and the parents that stay. */
function mark(
  root: XmlElement,
  paths: ReadonlyArray<readonly string[]>
): { marked: ReadonlySet<XmlElement>; parents: ReadonlySet<XmlElement> } {
  const marked = new Set<XmlElement>()
  const levels: Array<Set<XmlElement>> = []
  for (const path of paths) {
    let at: readonly XmlElement[] = [root]
    path.forEach((name, depth) => {
      at = at.flatMap(({ children }) => children.filter((child) => isNamed(child, name)))
      if (depth === path.length - 1) for (const element of at) marked.add(element)
      else for (const element of at) (levels[depth] ??= new Set()).add(element)
    })
  }
  const parents = new Set([root])
  for (const element of levels.toReversed().flatMap((level) => [...level])) {
    if (holdsOnly(element, marked) && Object.keys(element.attributes).length === 0) marked.add(element)
    else parents.add(element)
  }
  return { marked, parents }
}

/** The edits of what is not cut out anyway. */
function outsideOf(cuts: readonly Edit[], edits: readonly Edit[]): Edit[] {
  const inOrder = cuts.toSorted((a, b) => a.start - b.start)
  let at = 0
  return edits
    .toSorted((a, b) => a.start - b.start)
    .filter(({ start }) => {
      while (at < inOrder.length && inOrder[at]!.end <= start) at++
      return at >= inOrder.length || start < inOrder[at]!.start
    })
}

function isNamed({ name, attributes }: XmlElement, wanted: string): boolean {
  return name === wanted || (wanted.endsWith(']') && `${name}[${attributes['key']}]` === wanted)
}

function holdsOnly(element: XmlElement, marked: ReadonlySet<XmlElement>): boolean {
  return element.text.trim() === '' && element.children.every((child) => marked.has(child))
}

/** Whether it is written as `<name/>`. */
function isShort(text: string, { innerStart, end }: XmlElement): boolean {
  return innerStart === end && text[end - 2] === '/'
}

/** Pieces under the parent that is there; under one that is not, wrapped into it. */
function byParent(root: XmlElement, taken: readonly Taken[]): Array<{ parent: XmlElement; pieces: Taken[] }> {
  const groups = new Map<XmlElement, Taken[]>()
  const wrapped = new Map<string, { parent: XmlElement; missing: readonly string[]; pieces: Taken[] }>()
  for (const piece of taken) {
    let parent = root
    let depth = 0
    for (; depth < piece.above.length; depth++) {
      const child = parent.children.find(({ name }) => name === piece.above[depth])
      if (child === undefined) break
      parent = child
    }
    if (depth === piece.above.length) {
      const group = groups.get(parent)
      if (group === undefined) groups.set(parent, [piece])
      else group.push(piece)
    } else {
      const key = piece.above.join('/')
      const entry = wrapped.get(key) ?? { parent, missing: piece.above.slice(depth), pieces: [] }
      entry.pieces.push(piece)
      wrapped.set(key, entry)
    }
  }
  for (const { parent, missing, pieces } of wrapped.values()) {
    const inner = pieces.map(({ text }) => text).join('')
    const open = missing.map((name) => `\n  <${name}>`).join('')
    const close = missing
      .toReversed()
      .map((name) => `\n  </${name}>`)
      .join('')
    const all = parent.children.map(({ name }) => name)
    const whole = { above: [], siblings: all, before: all.length, text: `${open}${inner}${close}` }
    groups.set(parent, [...(groups.get(parent) ?? []), whole])
  }
  return [...groups].map(([parent, pieces]) => ({ parent, pieces }))
}

/** Behind the last of the siblings that stood before it and are still there. */
function placeIn(parent: XmlElement, { siblings, before }: Taken): number {
  let place = parent.innerStart
  const counts = new Map<string, number>()
  for (const name of siblings.slice(0, before)) counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const child of parent.children) {
    const left = counts.get(child.name) ?? 0
    if (left === 0) continue
    counts.set(child.name, left - 1)
    place = child.end
  }
  return place
}

export function whiteSpaceBefore(text: string, start: number): number {
  let at = start
  while (at > 0 && /\s/.test(text[at - 1]!)) at--
  return at
}

/**
 * How a GeoServer writes what it was told. One of another version, or without a plugin, leaves out what it does not know and
 * puts in what it has a default for; measured on 2.26.2 with a field and with metadata of a class that it does not have. That
 * is no edit by anybody. Pure. Rules (tests cite the numbers):
 * 1. Elements that are gone or have come are its own way; a text that reads otherwise is somebody's edit.
 * 2. Numbers are the same number: `0` and `0.0`.
 * 3. Of elements that stand there more than once, as in a list, some may be gone; one that was not there before is an edit.
 * 4. Where nothing is gone there is nothing to be kept for others: what has come travels, so that all have it.
 * 5. A date of change that was told stays as it was told; another one says that the object was saved once more, by somebody.
 */
import { meaningOf } from './travel.js'
import { textOf, type XmlElement } from './xml.js'

/** What a GeoServer made of a document in its own way. */
export interface OwnWay {
  /** Elements that it left out, by their names from below the root: `metadata/entry`. Each once, and at least one. */
  readonly dropped: readonly string[]
}

const DATE = 'dateModified'
/** Elements that are set at each save. */
const DATES: ReadonlySet<string> = new Set(['dateCreated', DATE])

/** Undefined: it kept all of it, or somebody else had a hand in it. */
export function ownWayOf(told: XmlElement, wrote: XmlElement): OwnWay | undefined {
  const date = textOf(told, DATE)
  if (date !== undefined && date !== textOf(wrote, DATE)) return undefined
  const dropped = new Set<string>()
  return isOwnWay(told, wrote, [], dropped) && dropped.size > 0 ? { dropped: [...dropped] } : undefined
}

function isOwnWay(told: XmlElement, wrote: XmlElement, at: readonly string[], dropped: Set<string>): boolean {
  if (told.name !== wrote.name || !sameAttributes(told, wrote)) return false
  if (told.children.length === 0 && wrote.children.length === 0) return sameText(told.text, wrote.text)
  for (const name of new Set([...told.children, ...wrote.children].map((child) => child.name))) {
    if (at.length === 0 && DATES.has(name)) continue
    const before = told.children.filter((child) => child.name === name)
    const after = wrote.children.filter((child) => child.name === name)
    const path = [...at, name]
    if (before.length > after.length) dropped.add(path.join('/'))
    if (before.length > 1 || after.length > 1) {
      if (!isPartOf(after, before)) return false
    } else if (before.length === 1 && after.length === 1 && !isOwnWay(before[0]!, after[0]!, path, dropped))
      return false
  }
  return true
}

/** Rule 3. */
function isPartOf(some: readonly XmlElement[], all: readonly XmlElement[]): boolean {
  const left = all.map(meaningOf)
  return some.every((element) => {
    const place = left.indexOf(meaningOf(element))
    if (place >= 0) left.splice(place, 1)
    return place >= 0
  })
}

function sameAttributes({ attributes: a }: XmlElement, { attributes: b }: XmlElement): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

/** Rules 1 and 2. */
function sameText(a: string, b: string): boolean {
  if (a.trim() === b.trim()) return true
  return isNumber(a) && isNumber(b) && Number(a) === Number(b)
}

const isNumber = (text: string): boolean => /^\s*-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*$/.test(text)

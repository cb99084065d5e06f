/**
 * Where a file catches something: blocks of `try` and handlers given to `.catch()`. Found by their form, which prettier
 * and the compiler keep the same: a compiled file has the same places in the same order as its source.
 */

export type Handler =
  /** A block, or a function written in place: it begins at `offset`. */
  | { readonly kind: 'block' | 'inline'; readonly offset: number }
  /** A function of this name, or one that it makes. */
  | { readonly kind: 'named' | 'made'; readonly offset: number; readonly name: string }

const CATCHES = /\bcatch(?: \(\w+\))? \{|\.catch\(\s*/g
const COMMENT_LINE = /^\s*(\/\/|\/?\*)/
const IN_PLACE = /^(async )?(\(|\w+ =>|function\b)/
const NAME = /^(?:this\.)?#?(\w+)(\()?/

export function placesIn(text: string): Handler[] {
  return [...text.matchAll(CATCHES)].flatMap((found): Handler[] => {
    const line = text.slice(text.lastIndexOf('\n', found.index) + 1, found.index)
    if (COMMENT_LINE.test(line)) return []
    const offset = found.index + found[0].length
    if (!found[0].startsWith('.')) return [{ kind: 'block', offset }]
    const rest = text.slice(offset, offset + 200)
    if (IN_PLACE.test(rest)) return [{ kind: 'inline', offset }]
    const [, name, call] = NAME.exec(rest) ?? []
    if (name === undefined) throw new Error(`a handler of an unknown form: ${rest.split('\n')[0]}`)
    return [{ kind: call === undefined ? 'named' : 'made', offset, name }]
  })
}

/** Line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

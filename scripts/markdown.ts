/** What the tools write into Markdown files. */

export interface Markers {
  readonly begin: string
  readonly end: string
}

/** The document with `text` between the markers; throws when they are not there exactly once. */
export function replaceBetween(document: string, { begin, end }: Markers, text: string): string {
  const [before, inside, ...more] = document.split(begin)
  const rest = inside?.split(end)
  if (rest?.length !== 2 || more.length > 0) throw new Error(`the file needs one ${begin} and, after it, one ${end}`)
  return `${before}${begin}\n\n${text.trim()}\n\n${end}${rest[1]}`
}

/** Columns are padded the way the formatter does, so that formatting the file changes nothing. */
export function markdownTable(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => [...row[i]!].length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell + ' '.repeat(widths[i]! - [...cell].length)).join(' | ')} |`
  return [line(cells[0]!), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n')
}

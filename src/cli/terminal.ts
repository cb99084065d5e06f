/** Text for people: aligned tables that fit the width, shortened ids, and nothing that could drive the terminal. */

/** C0 and C1 controls, DEL, marks that reorder or hide text, line separators, lone surrogates. */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Text from elsewhere as it may be printed: what could drive a terminal becomes `\x1b` or `\u{202e}`. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** Long ids, alone or inside an address, in a form that can be recognised; `--json` has them whole. */
export function shortId(text: string): string {
  if (/^[0-9a-f]{17,}$/.test(text)) return `${text.slice(0, 12)}…`
  return text.replace(/12D3KooW[1-9A-HJ-NP-Za-km-z]{44}/g, (id) => `${id.slice(0, 4)}…${id.slice(-6)}`)
}

/** `2026-11-21T19:13:05.123Z` -> `2026-11-21 19:13:05` (UTC). */
export function shortTime(time: string): string {
  return safe(time.slice(0, 19).replace('T', ' '))
}

/** 1536 -> `1.5 KiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`
}

/** Cuts the middle out of a text that is wider than `width`. */
export function fit(text: string, width: number): string {
  const chars = Array.from(text)
  if (chars.length <= width) return text
  if (width <= 1) return '…'.slice(0, width)
  const head = Math.ceil((width - 1) / 2)
  return `${chars.slice(0, head).join('')}…${chars.slice(chars.length - (width - 1 - head)).join('')}`
}

export interface Column<Row> {
  readonly title: string
  readonly of: (row: Row) => string
  readonly align?: 'right'
}

/**
 * Rows under their titles, every column as wide as its widest cell. What does not fit in `width` is cut in the last
 * column, which is the widest by custom.
 */
export function table<Row>(columns: ReadonlyArray<Column<Row>>, rows: readonly Row[], width: number): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => safe(column.of(row))))
  ]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => Array.from(line[i]!).length)))
  const last = columns.length - 1
  const before = widths.slice(0, last).reduce((sum, cell) => sum + cell + 2, 0)
  widths[last] = Math.max(8, Math.min(widths[last]!, width - before))
  return cells
    .map(
      (line) =>
        line
          .map((cell, i) => pad(fit(cell, widths[i]!), widths[i]!, columns[i]!.align))
          .join('  ')
          .trimEnd() + '\n'
    )
    .join('')
}

export function pad(text: string, width: number, align?: 'right'): string {
  const gap = ' '.repeat(Math.max(0, width - Array.from(text).length))
  return align === 'right' ? gap + text : text + gap
}

/** `key   value` lines. */
export function pairs(list: ReadonlyArray<readonly [string, string]>): string {
  const width = Math.max(...list.map(([key]) => key.length))
  return list.map(([key, value]) => `${pad(key, width)}  ${safe(value)}\n`).join('')
}

/** A word as a POSIX shell takes it literally. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

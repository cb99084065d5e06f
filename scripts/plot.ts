/** Lines over a logarithmic axis as one SVG, for figures that come with the text: no library, no script in it. */

export interface Series {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

export interface Panel {
  readonly title: string
  readonly unit: string
  readonly series: readonly Series[]
}

const WIDTH = 360
const HEIGHT = 260
const MARGIN = { left: 56, right: 16, top: 34, bottom: 44 }
/** Told apart by people who see few colours as well. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9']
/** Marks on the upright axis. */
const MARKS = 5

/** Panels beside each other, with one legend. `x` names what the level axis counts. */
export function plot(panels: readonly Panel[], x: string): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))]
  const width = WIDTH * panels.length
  const height = HEIGHT + 24
  const legend = names.map((name, at) => {
    const left = MARGIN.left + at * 120
    const colour = COLOURS[at % COLOURS.length]!
    return `<line x1="${left}" y1="${HEIGHT + 8}" x2="${left + 18}" y2="${HEIGHT + 8}" stroke="${colour}" stroke-width="2"/>${text(left + 24, HEIGHT + 12, name)}`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...panels.map((panel, at) => `<g transform="translate(${at * WIDTH} 0)">${panelOf(panel, names, x)}</g>`),
    ...legend,
    '</svg>',
    ''
  ].join('\n')
}

function panelOf({ title, unit, series }: Panel, names: readonly string[], x: string): string {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].toSorted((a, b) => a - b)
  const top = ceiling(Math.max(...series.flatMap(({ points }) => points.map(([, y]) => y))))
  const [least, most] = [Math.log(xs[0] ?? 1), Math.log(xs.at(-1) ?? 10)]
  const across = WIDTH - MARGIN.left - MARGIN.right
  const up = HEIGHT - MARGIN.top - MARGIN.bottom
  const left = (at: number): number =>
    MARGIN.left + (most === least ? 0.5 : (Math.log(at) - least) / (most - least)) * across
  const above = (y: number): number => MARGIN.top + (1 - y / top) * up
  const parts = [text(MARGIN.left, 18, `${title} (${unit})`, 'start', 'bold')]
  for (let mark = 0; mark <= MARKS; mark++) {
    const y = (top * mark) / MARKS
    parts.push(
      `<line x1="${MARGIN.left}" y1="${n(above(y))}" x2="${WIDTH - MARGIN.right}" y2="${n(above(y))}" stroke="#ddd"/>`
    )
    parts.push(text(MARGIN.left - 6, above(y) + 4, shown(y), 'end'))
  }
  for (const at of xs) parts.push(text(left(at), HEIGHT - MARGIN.bottom + 16, String(at), 'middle'))
  parts.push(text(MARGIN.left + across / 2, HEIGHT - MARGIN.bottom + 32, x, 'middle'))
  for (const { name, points } of series) {
    const colour = COLOURS[names.indexOf(name) % COLOURS.length]!
    const places = points.map(([at, y]) => `${n(left(at))},${n(above(y))}`)
    parts.push(`<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`)
    for (const place of places) {
      const [cx, cy] = place.split(',')
      parts.push(`<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`)
    }
  }
  return parts.join('\n')
}

/** The next number with one digit, or one and a half: a scale people read. */
function ceiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)))
  return (([1, 1.5, 2, 3, 4, 5, 6, 8].find((step) => step * power >= value) ?? 10) as number) * power
}

function text(x: number, y: number, what: string, anchor = 'start', weight = 'normal'): string {
  const safe = what.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}" font-weight="${weight}">${safe}</text>`
}

const n = (value: number): string => String(Math.round(value * 10) / 10)
const shown = (value: number): string => String(Number(value.toPrecision(2)))

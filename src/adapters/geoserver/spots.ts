/**
 * Passwords inside other texts of a store: in addresses and connection strings. Pure, and in time proportional to the text.
 *
 * - `scheme://user:SECRET@host`: between the colon and the at sign.
 * - `name=SECRET` after `?`, `&`, `;`, `,` or white space, or at the beginning, where the name is one of a secret.
 * - `user/SECRET@`: as Oracle's thin driver has it.
 *
 * Each gets a name that follows from where it stands, so that on the other side the same gap is found again.
 */
import { formOf, isSecretName, type PasswordForm } from './password-forms.js'

/** Longer texts are no address and no connection string, characters. */
export const MAX_SPOT_TEXT_CHARS = 16_384

/** A secret within a text. */
export interface Spot {
  /** Unique within the text. */
  readonly name: string
  readonly start: number
  readonly end: number
  readonly value: string
  readonly form: PasswordForm
}

/** Up to the last at sign before a slash, or before a space; what follows a colon as a port does is none. */
const USER = /:\/\/[^/\s?#@:]{0,256}:(?!\d{1,5}(?:[/?#,]|$))([^/\s]+|\S+)@/g
const PARAMETER = /(?:^|[?&;,(\s])([A-Za-z][\w.-]{0,63})\s*=\s*([^&;,\s"'<>()]+)/g
const ORACLE = /^jdbc:oracle:[a-z]+:[^/@\s]{1,256}\/(\S+)@/g

/** In the order in which they stand. */
export function spotsIn(text: string): Spot[] {
  if (text.length > MAX_SPOT_TEXT_CHARS) return []
  const found: Array<Omit<Spot, 'name'> & { base: string }> = []
  const add = (base: string, start: number, value: string): void => {
    const end = start + value.length
    const overlaps = found.some((other) => start < other.end && other.start < end)
    if (!overlaps) found.push({ base, start, end, value, form: formOf(value) })
  }
  for (const match of text.matchAll(USER)) add('user', match.index + match[0].length - 1 - match[1]!.length, match[1]!)
  for (const match of text.matchAll(ORACLE))
    add('user', match.index + match[0].length - 1 - match[1]!.length, match[1]!)
  for (const match of text.matchAll(PARAMETER))
    if (isSecretName(match[1]!))
      add(match[1]!.toLowerCase(), match.index + match[0].length - match[2]!.length, match[2]!)
  const counts = new Map<string, number>()
  return found
    .toSorted((a, b) => a.start - b.start)
    .map(({ base, ...spot }) => {
      const count = (counts.get(base) ?? 0) + 1
      counts.set(base, count)
      return { ...spot, name: count === 1 ? base : `${base}.${count}` }
    })
}

/** The text with other values in these spots. */
export function withSpots(
  text: string,
  values: ReadonlyArray<{ readonly spot: Spot; readonly value: string }>
): string {
  let result = ''
  let at = 0
  for (const { spot, value } of values.toSorted((a, b) => a.spot.start - b.spot.start)) {
    result += text.slice(at, spot.start) + value
    at = spot.end
  }
  return result + text.slice(at)
}

/** Durations as people write them. */
import { GrapevineError } from '../errors.js'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `30s`, `1.5m`, `1h`, `7d` in whole milliseconds; anything else is `usage`. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(text)
  const ms = match ? Math.round(Number(match[1]) * UNITS[match[2]!]!) : Number.NaN
  if (Number.isSafeInteger(ms)) return ms
  throw new GrapevineError('usage', `"${text}" is not a duration`, { next: 'write it as 500ms, 30s, 5m, 1h or 7d' })
}

/** 90000 -> `90 s`, 3600000 -> `1 h`. */
export function durationText(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms >= UNITS[name]! && ms % UNITS[name]! === 0) ?? 'ms'
  return `${ms / UNITS[unit]!} ${unit}`
}

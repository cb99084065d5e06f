/** Bytes a second as people write them in a setting. */
import { z } from 'zod'

/** The least that a limit may be, bytes a second: parts of a file are 256 KiB, and one must arrive in seconds. */
const MIN_RATE = 100_000
const MAX_RATE = 1_000_000_000_000
const RATE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30
}

/** `10MB` or `512KiB` as bytes a second; undefined when it is none of these. */
function rateIn(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,13})([kMG]B|[KMG]iB)?$/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * RATE_UNITS[unit ?? '']!
}

/** Schema of a setting. */
export const rate = z.string().refine(
  (text) => {
    const bytes = rateIn(text)
    return bytes === 0 || (bytes !== undefined && bytes >= MIN_RATE && bytes <= MAX_RATE)
  },
  { message: 'is not 0 and no rate from 100kB to 1000GB' }
)

/** What a setting with a rate says, bytes a second; 0: no limit. */
export function bytesPerSecond(setting: string): number {
  return rateIn(setting) ?? 0
}

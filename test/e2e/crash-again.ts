/** Images that failed, kept with what must hold for them, to be judged again as often as one likes. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Places } from './crash-images.js'
import { Judges } from './crash-judges.js'
import type { Failure } from './crash-sweep.js'

const KEPT_FILE = 'failures.json'

export function writeKept(place: string, failures: readonly Failure[]): void {
  writeFileSync(join(place, KEPT_FILE), `${JSON.stringify(failures, null, 2)}\n`)
}

export function readKept(place: string): Failure[] {
  return JSON.parse(readFileSync(join(place, KEPT_FILE), 'utf8')) as Failure[]
}

/** Judges each image in a warm start and in a real one; what fails in either. */
export async function judgeAgain(place: string, kept: readonly Failure[], count: number): Promise<Failure[]> {
  const places = new Places(place)
  places.mount()
  const judges = new Judges(place, count)
  try {
    const starts = kept.flatMap((one) => [false, true].map((real) => ({ ...one, real })))
    const verdicts = await Promise.all(
      starts.map(async ({ real, ...one }) => {
        const { failure } = await judges.judge({ ...one, real })
        return failure === undefined ? [] : [{ ...one, what: `${real ? 'real' : 'warm'} start: ${failure}` }]
      })
    )
    return verdicts.flat()
  } finally {
    await judges.close()
    places.unmount()
  }
}

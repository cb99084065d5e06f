/**
 * Kills a daemon before, in the middle of and after every change of its files while it runs a script, and judges what it
 * comes back with. The script is played once: the daemon stands still at each point, and an image of its files is what a
 * kill would leave there. Points that leave the same are judged once.
 */
import type { Verdict } from './crash-case.js'
import { Places } from './crash-images.js'
import { Judges } from './crash-judges.js'
import { Models, type Moment } from './crash-model.js'
import { PART_LENGTH, Recorder, SIDES, type Image, type Point } from './crash-recorder.js'
import { SCRIPT_LENGTH } from './crash-script.js'

export interface SweepOptions {
  /** A directory of this sweep alone; what failed stays there as images. */
  readonly place: string
  /** Only this part of the script is looked at. */
  readonly part?: number
  /** Of the points every so many is looked at, from `offset` on. Default: all. */
  readonly stride?: number
  readonly offset?: number
  /** Changes of the script to play, from the first on. */
  readonly length?: number
  /** Processes that judge side by side. Default 2. */
  readonly judges?: number
  /** Spoils an image before it is judged, to see that the judges see it. */
  readonly spoil?: (places: Places, image: string) => Promise<void>
  readonly progress?: (result: SweepResult, waiting: number) => void
}

/** CPU time a start may take, ms: unlike the time on the clock it does not grow with what else the machine does. */
export const MAX_START_CPU_MS = 2_000

export interface Failure {
  readonly image: string
  readonly moment: Moment
  readonly look: boolean
  /** Points that leave these files. */
  readonly points: number
  readonly what: string
}

export interface SweepResult {
  /** Parts of the script recorded. */
  parts: number
  /** Changes of files the script makes, starts and stops of the daemon among them. */
  operations: number
  /** Points come to, three for each change, and of these the ones looked at. */
  points: number
  looked: number
  /** Different images among them. */
  images: number
  /** Images of second crashes, taken while a recovery was under way. */
  secondCrashes: number
  judged: number
  /** Points whose image is judged. */
  judgedPoints: number
  readonly failures: Failure[]
  readonly starts: Starts
}

/** How long starts took, ms: in the judge that has the program loaded, and as processes of their own. */
export interface Starts {
  readonly warm: number[]
  readonly real: number[]
  readonly realCpu: number[]
  /** Changes of files from the crash to the orderly stop. */
  readonly operations: number[]
}

/** Images that wait for a judge at most when the next part is recorded: they fill the disk. */
const MAX_WAITING = 300
/** Every so manieth image is started as a process of its own. */
const REAL_EVERY = 50
/** Every so manieth image is crashed a second time. */
const AGAIN_EVERY = 3
/** Changes of files from a crash until the directory is in step again, about; a second crash is at one of them. */
const RECOVERY_OPERATIONS = 100
/** Spreads second crashes over the changes of a recovery: shares no factor with their number. */
const SPREAD = 37

export function newResult(): SweepResult {
  const counts = {
    parts: 0,
    operations: 0,
    points: 0,
    looked: 0,
    images: 0,
    secondCrashes: 0,
    judged: 0,
    judgedPoints: 0
  }
  return { ...counts, failures: [], starts: { warm: [], real: [], realCpu: [], operations: [] } }
}

/** Throws when the script does not run, or the system refuses an image; what images lead to is in the result. */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const places = new Places(options.place)
  places.mount()
  try {
    return await new Sweep(places, options).run()
  } finally {
    places.unmount()
  }
}

class Sweep {
  readonly #places: Places
  readonly #options: SweepOptions
  readonly #result = newResult()
  readonly #judges: Judges
  readonly #judging = new Set<Promise<void>>()
  #number = 0

  constructor(places: Places, options: SweepOptions) {
    this.#places = places
    this.#options = options
    this.#judges = new Judges(options.place, options.judges ?? 2)
  }

  async run(): Promise<SweepResult> {
    const { part: only, length = SCRIPT_LENGTH } = this.#options
    const recorder = new Recorder({
      places: this.#places,
      models: new Models(),
      wants: (point) => this.#wants(point)
    })
    try {
      await recorder.begin()
      for (let part = 0; part < length / PART_LENGTH; part++) {
        if (only !== undefined && part > only) break
        if (only !== undefined && part < only) await recorder.skip(part)
        else await this.#part(recorder, part)
      }
      while (this.#judging.size > 0) await Promise.race(this.#judging)
    } finally {
      await this.#judges.close()
    }
    await this.#places.hide()
    return this.#result
  }

  #wants({ side }: Point): boolean {
    const { stride = 1, offset = 0 } = this.#options
    const at = this.#result.points++
    if (side === 'before') this.#result.operations += 1
    const wanted = at % stride === offset % stride
    if (wanted) this.#result.looked += 1
    return wanted
  }

  async #part(recorder: Recorder, part: number): Promise<void> {
    while (this.#judging.size > MAX_WAITING) await Promise.race(this.#judging)
    for (const image of await recorder.record(part)) {
      this.#result.images += 1
      if (this.#options.spoil !== undefined) await this.#options.spoil(this.#places, image.name)
      const number = this.#number++
      this.#start(image, number, number % AGAIN_EVERY === 0)
    }
    this.#result.parts += 1
  }

  #start(image: Image, number: number, again: boolean): void {
    const judging: Promise<void> = this.#judge(image, number, again).finally(() => this.#judging.delete(judging))
    this.#judging.add(judging)
  }

  async #judge(image: Image, number: number, crashAgain: boolean): Promise<void> {
    const operation = ((number * SPREAD) % RECOVERY_OPERATIONS) + 1
    const side = SIDES[Math.floor(number / AGAIN_EVERY) % SIDES.length]!
    const second = `${image.name}-again-o${operation}-${side}`
    const again = { operation, side, image: second }
    const look = number % 2 === 1
    const real = number % REAL_EVERY === REAL_EVERY - 1
    const { moment, name } = image
    const verdict = await this.#judges.judge({ image: name, moment, look, real, ...(crashAgain ? { again } : {}) })
    if (verdict.again) {
      this.#result.secondCrashes += 1
      this.#start({ ...image, name: second, points: 0 }, this.#number++, false)
    }
    await this.#note(image, look, verdict)
  }

  async #note(image: Image, look: boolean, verdict: Verdict): Promise<void> {
    const { name, moment, points } = image
    const { failures, starts } = this.#result
    this.#result.judged += 1
    this.#result.judgedPoints += points
    if (verdict.failure !== undefined) failures.push({ image: name, moment, look, points, what: verdict.failure })
    else {
      starts[verdict.startCpuMs === undefined ? 'warm' : 'real'].push(verdict.startMs)
      if (verdict.startCpuMs === undefined) starts.operations.push(verdict.operations)
      if (verdict.startCpuMs !== undefined) starts.realCpu.push(verdict.startCpuMs)
      await this.#places.discard(name)
    }
    this.#options.progress?.(this.#result, this.#judging.size)
  }
}

/**
 * Plays the script once and takes an image wherever a kill would leave other files than at the last number. The daemon
 * stands still at each side of each change of its files until the image is taken.
 */
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { setImmediate } from 'node:timers/promises'
import { compactedAlways } from './always.js'
import { settled } from './catalog.js'
import type { Places } from './crash-images.js'
import { isStricter, type Models, type Moment } from './crash-model.js'
import { Signatures } from './crash-signature.js'
import { Node, type NodeOptions } from './node.js'
import { PACKAGE_ROOT } from './program.js'

export const SIDES = ['before', 'torn', 'after'] as const
export type Side = (typeof SIDES)[number]

/** Where a daemon is killed: at change `operation` of its files while it runs the part. */
export interface Point {
  readonly part: number
  readonly operation: number
  readonly side: Side
}

/** What one or more kills leave. */
export interface Image {
  readonly name: string
  /** The first of them. */
  readonly point: Point
  /** How many points leave just this. */
  points: number
  /** The one with the least that may be there. */
  moment: Moment
}

/** The image of the recorder itself. */
export const LIVE = 'live'
/** Changes between a start and a stop of the daemon. */
export const PART_LENGTH = 10
/**
 * Turns of the event loop in which everything a daemon that stands still has sent is read: an answer takes two, one for
 * its bytes and one for their end.
 */
const TURNS_TO_HEAR = 5
const HOOK = pathToFileURL(join(PACKAGE_ROOT, 'test', 'e2e', 'crash-hook.mjs')).href

export interface RecorderOptions {
  readonly places: Places
  readonly models: Models
  /** Asked once for each point, in their order: whether it is looked at. */
  wants(point: Point): boolean
}

/** A daemon of a sweep: its device seems to be always the same. */
export function crashNode(place: string, env: Record<string, string> = {}, more: Partial<NodeOptions> = {}): Node {
  const hooked = { NODE_OPTIONS: `--import=${HOOK}`, CRASH_ONE_DEVICE: '1', ...env }
  return new Node({ name: 'a', place, env: hooked, also: ['--no-mdns'], ...more })
}

export class Recorder {
  readonly #options: RecorderOptions
  readonly #signatures: Signatures

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#signatures = new Signatures(options.places.here)
  }

  /** Makes the home. */
  async begin(): Promise<void> {
    const { places } = this.#options
    places.create(LIVE)
    await places.show(LIVE)
    const made = await crashNode(places.here).cli('init', '--cluster', 'crash', '--name', 'a')
    if (made.code !== 0) throw new Error(made.stderr)
  }

  /** Plays a part without a look at it. */
  async skip(part: number): Promise<void> {
    const node = crashNode(this.#options.places.here)
    await this.#play(part, node, new Progress(part))
  }

  /** Plays a part; the images, in their order. */
  async record(part: number): Promise<Image[]> {
    const progress = new Progress(part)
    const images = new Images()
    let failure: unknown
    const line = (to: Duplex): void =>
      standStill(
        to,
        async (operation, side) => {
          await progress.hold(() => this.#look({ part, operation, side }, progress, images))
        },
        (error) => (failure = error)
      )
    const node = crashNode(this.#options.places.here, { CRASH_PAUSE: '1' }, { line })
    try {
      await this.#play(part, node, progress)
    } catch (error) {
      await node.kill()
      throw failure ?? error
    }
    return images.all
  }

  async #play(part: number, node: Node, progress: Progress): Promise<void> {
    await node.start()
    for (const change of this.#options.models.changes.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH)) {
      await progress.begins()
      await change.run(node, () => progress.made())
      progress.ended()
      await compactedAlways(node)
    }
    await settled(node)
    await node.stop()
  }

  async #look(point: Point, progress: Progress, images: Images): Promise<void> {
    if (!this.#options.wants(point)) return
    const moment = progress.moment
    const signature = this.#signatures.take()
    if (images.isKnown(signature, moment)) return
    const name = `p${point.part}-o${point.operation}-${point.side}`
    await this.#options.places.copy(LIVE, name)
    images.add(signature, { name, point, points: 1, moment })
  }
}

/** Answers each `N SIDE` once it has been looked at. */
function standStill(
  line: Duplex,
  look: (operation: number, side: Side) => Promise<void>,
  failed: (error: unknown) => void
): void {
  let text = ''
  // a daemon that has ended reads no answer
  line.on('error', () => undefined)
  line.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (!text.endsWith('\n')) return
    const [operation, side] = text.trim().split(' ')
    text = ''
    look(Number(operation), side as Side).then(
      () => line.write('\n'),
      (error: unknown) => {
        failed(error)
        line.destroy()
      }
    )
  })
}

/** How far the script has come. No change begins while the daemon stands still. */
class Progress {
  moment: Moment
  #held: Promise<void> = Promise.resolve()

  constructor(part: number) {
    this.moment = { acknowledged: part * PART_LENGTH, pending: false, stays: false }
  }

  async begins(): Promise<void> {
    for (let held: Promise<void> | undefined; held !== this.#held;) await (held = this.#held)
    this.moment = { ...this.moment, pending: true, stays: false }
  }

  made(): void {
    this.moment = { ...this.moment, stays: true }
  }

  ended(): void {
    this.moment = { acknowledged: this.moment.acknowledged + 1, pending: false, stays: false }
  }

  /** Runs `look` once every acknowledgement that was sent has been counted. */
  hold(look: () => Promise<void>): Promise<void> {
    const looked = hear().then(look)
    this.#held = looked.catch(() => undefined)
    return looked
  }
}

async function hear(): Promise<void> {
  for (let turn = 0; turn < TURNS_TO_HEAR; turn++) await setImmediate()
}

/** The images of a part: one for all points that leave the same files behind the same acknowledgements. */
class Images {
  readonly all: Image[] = []
  readonly #known = new Map<string, Image>()

  /** Counts the point for the image that is there already, if one is. */
  isKnown(signature: string, moment: Moment): boolean {
    const image = this.#known.get(`${moment.acknowledged} ${signature}`)
    if (image === undefined) return false
    image.points += 1
    if (isStricter(moment, image.moment)) image.moment = moment
    return true
  }

  add(signature: string, image: Image): void {
    this.#known.set(`${image.moment.acknowledged} ${signature}`, image)
    this.all.push(image)
  }
}

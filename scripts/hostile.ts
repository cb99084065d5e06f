/**
 * Measures what members and strangers can do to an honest change: `npm run hostile [-- --only records,silence --changes 200]`.
 * Three daemons; a change made at the first is timed until it lies in the directory of the second: in peace, under each
 * attack, and while an idle loop burns as much of a processor as the attacker did. All of them share this machine at one
 * priority, so the first two alone would blame an attack for the processor it uses here and would not elsewhere.
 * The p99 under attack is to be at most twice that in peace.
 */
import '../src/polyfill.js'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from '../test/e2e/cluster.js'
import { until } from '../test/e2e/until.js'
import { World } from '../test/hostile/world.js'
import { ATTACKS, type Said, type Target } from './hostile-attacks.js'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    changes: { type: 'string', default: '100' },
    records: { type: 'string', default: '1000000' }
  }
})

/** Time between two honest changes, ms. */
const EVERY_MS = 50
/** How often the file is looked for should the watch have missed it, ms. */
const LOOK_MS = 20
/** Nothing may have changed for so long before it is calm, ms. */
const CALM_MS = 1_000
/** Where the honest changes go. */
const FOLDER = 'honest'

const tick = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const round = (value: number): number => Math.round(value * 100) / 100

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** Milliseconds from the call that makes a change to its file at another node. */
class Changes {
  readonly #world: World
  #written = 0
  #look = (): void => undefined

  constructor(world: World) {
    this.#world = world
    const folder = join(world.honest[1].dir, FOLDER)
    mkdirSync(folder, { recursive: true })
    watch(folder, () => this.#look()).unref()
  }

  async one(): Promise<number> {
    const [from, to] = this.#world.honest
    const body = Buffer.from(`change ${++this.#written}`)
    const path = `${FOLDER}/${this.#written % 20}.txt`
    const began = performance.now()
    const arrived = new Promise<number>((resolve) => {
      this.#look = () => {
        if (holds(join(to.dir, path), body)) resolve(performance.now() - began)
      }
    })
    const looking = setInterval(() => this.#look(), LOOK_MS)
    await from.client.put(path, one(body))
    const ms = await arrived
    clearInterval(looking)
    return ms
  }

  async many(count: number): Promise<{ p50: number; p99: number }> {
    const times: number[] = []
    for (let at = 0; at < count; at++) {
      times.push(await this.one())
      await tick(EVERY_MS)
    }
    const sorted = times.toSorted((a, b) => a - b)
    const quantile = (q: number): number => Math.round(sorted[Math.floor(q * (sorted.length - 1))]! * 10) / 10
    return { p50: quantile(0.5), p99: quantile(0.99) }
  }
}

function holds(path: string, body: Buffer): boolean {
  try {
    return readFileSync(path).equals(body)
  } catch {
    return false
  }
}

/** An attack under way in its own process. */
interface Attack {
  /** The log it writes, or nothing. */
  readonly log: string
  /** Ends it; resolves with the part of a processor it used. */
  end(): Promise<number>
}

async function said(child: ChildProcess): Promise<Said> {
  const [message] = (await once(child, 'message', { signal: AbortSignal.timeout(120_000) })) as [Said]
  return message
}

async function begin(target: Target): Promise<Attack> {
  const child = fork(new URL('./hostile-attacks.ts', import.meta.url), ['--target', JSON.stringify(target)])
  const begun = await said(child)
  return {
    log: 'on' in begun ? begun.on.log : '',
    end: async () => {
      const ended = said(child)
      child.send('over')
      const last = await ended
      if (child.exitCode === null) await once(child, 'exit')
      return 'over' in last ? last.over.share : 0
    }
  }
}

/** Until what an attack left behind is taken in everywhere and whoever made it is gone. */
async function calm({ honest }: World): Promise<void> {
  let before = ''
  await until('all is taken in', async () => {
    const now = JSON.stringify(
      await Promise.all(
        honest.map(async (node) =>
          Object.entries((await node.space()).vector)
            .toSorted()
            .join(' ')
        )
      )
    )
    const same = now === before && new Set(JSON.parse(now) as string[]).size === 1
    before = now
    if (!same) await tick(CALM_MS)
    return same
  })
}

const count = Number(options.changes)
const names = options.only === '' ? Object.keys(ATTACKS).filter((name) => name !== 'idle') : options.only.split(',')
const cluster = new Cluster()
try {
  const world = await World.of(cluster)
  const changes = new Changes(world)
  const target = async (attack: string, share: number): Promise<Target> => ({
    attack,
    home: (await cluster.admit(`m-${attack}-${Math.round(share * 100)}`, { role: 'author' })).home,
    addresses: await Promise.all(world.honest.map((node) => world.address(node))),
    past: await world.past(),
    records: Number(options.records),
    share
  })
  await changes.many(20)
  for (const name of names) {
    const peace = await changes.many(count)
    const attack = await begin(await target(name, 0))
    const war = await changes.many(count)
    const slowed = (await world.honest[0].status()).peers.flatMap(({ throttled }) => throttled?.reason ?? [])
    const taken = attack.log === '' ? 0 : ((await world.honest[0].space()).vector[attack.log] ?? 0)
    const share = await attack.end()
    await calm(world)
    const idle = await begin(await target('idle', Math.min(1, share)))
    const control = await changes.many(count)
    await idle.end()
    const line = {
      attack: name,
      attackerCpu: round(share),
      peace,
      war,
      control,
      ratio: round(war.p99 / peace.p99),
      controlRatio: round(control.p99 / peace.p99),
      taken,
      slowed
    }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
} finally {
  await cluster.close()
}

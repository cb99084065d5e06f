/** Everything a node does at once: acknowledged writes, edits of its directory, and whole sets from a peer. */
import { mkdirSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Node } from '../test/e2e/node.js'
import { until } from '../test/e2e/until.js'
import { bodyRefOf } from '../src/wire/index.js'
import { contentOf, type Ledger } from './power-promises.js'

export const SETS = 5
const SET_FILES = 8
const SINGLES = 30
const EDITED = 6
const COMING_AND_GOING = 4
const FILE_BYTES = 2_000
/** Beyond what travels in a record, bytes: kept as a blob. */
const BLOB_BYTES = 150_000

export function setPaths(set: number): string[] {
  return Array.from({ length: SET_FILES }, (_, at) => `sets/${set}/${at % 3 === 0 ? 'deep/' : ''}part ${at}.xml`)
}

/** Writers that run between `resume` and `pause`, each one change at a time. */
export class Load {
  readonly #node: Node
  readonly #peer: Node
  readonly #ledger: Ledger
  #generation = 0
  private running = false
  #writers: Promise<void[]> = Promise.resolve([])

  constructor(node: Node, peer: Node, ledger: Ledger) {
    this.#node = node
    this.#peer = peer
    this.#ledger = ledger
  }

  resume(): void {
    this.running = true
    const writers = [this.#single(0), this.#single(1), this.#blob(), this.#comeAndGo(), this.#edit(), this.#sets()]
    this.#writers = Promise.all(writers)
    // reported when it is paused
    this.#writers.catch(() => undefined)
  }

  /** Resolves when every change under way has its answer. */
  async pause(): Promise<void> {
    this.running = false
    await this.#writers
  }

  async #single(turn: number): Promise<void> {
    for (let n = turn; this.running; n += 2) await this.#put(this.#node, `single/${n % SINGLES}.xml`, FILE_BYTES)
  }

  async #blob(): Promise<void> {
    for (let n = 0; this.running; n++) await this.#put(this.#node, `large/${n % 3}.bin`, BLOB_BYTES)
  }

  async #comeAndGo(): Promise<void> {
    for (let n = 0; this.running; n++) {
      const path = `gone/${n % COMING_AND_GOING}.xml`
      await this.#put(this.#node, path, FILE_BYTES)
      const kept = this.#ledger.tries(path, null)
      await this.#node.client.remove(path)
      kept()
    }
  }

  /** Somebody saves a file as a careful program does; promised once the catalog has it. */
  async #edit(): Promise<void> {
    for (let n = 0; this.running; n++) {
      const path = `edited/${n % EDITED}.xml`
      const generation = this.#next()
      const content = contentOf(path, generation, FILE_BYTES)
      const kept = this.#ledger.tries(path, generation)
      await save(join(dirname(this.#node.dir), 'being saved'), join(this.#node.dir, path), content)
      const { hash } = bodyRefOf(Buffer.from(content))
      await until(`${path} is imported`, async () => (await this.#node.client.entry(path)).hash === hash)
      kept()
    }
  }

  /** The peer writes sets; a write behind each that waits for our node says that it holds the set durably. */
  async #sets(): Promise<void> {
    for (let n = 0; this.running; n++) {
      const generation = this.#next()
      const paths = setPaths(n % SETS)
      const kept = paths.map((path) => this.#ledger.tries(path, generation))
      await this.#peer.client.putMany(
        paths.map((path) => ({ path, body: Buffer.from(contentOf(path, generation, FILE_BYTES)) }))
      )
      await this.#put(this.#peer, 'fence.xml', FILE_BYTES, { replicated: 1, timeoutMs: 60_000 })
      for (const keep of kept) keep()
    }
  }

  async #put(
    node: Node,
    path: string,
    bytes: number,
    options: { replicated?: number; timeoutMs?: number } = {}
  ): Promise<void> {
    const generation = this.#next()
    const kept = this.#ledger.tries(path, generation)
    await node.client.put(path, once(contentOf(path, generation, bytes)), options)
    kept()
  }

  #next(): number {
    return ++this.#generation
  }
}

/** The temporary file lies beside the shared directory: one a power cut leaves there would be shared. */
async function save(temporary: string, file: string, content: string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  const handle = await open(temporary, 'w', 0o644)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
}

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

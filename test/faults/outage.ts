/**
 * What must hold while a daemon cannot write, and after: nothing is acknowledged that is not kept, and it goes on by
 * itself soon after the cause is gone, without a restart.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ControlClient } from '../../src/control/index.js'
import { GrapevineError, reasonOf } from '../../src/errors.js'
import type { Node } from '../e2e/node.js'
import { until } from '../e2e/until.js'

/** How soon after its cause is gone a daemon must write again, ms. */
export const RESUME_MS = 10_000
/** Longest wait for the answer to one change, ms: a daemon without descriptors does not even take the call. */
const ANSWER_MS = 3_000
/** Beyond what travels in a record, bytes: stored as a blob. */
const LARGE_BYTES = 150_000
/** Changes tried while the cause lasts. */
const TRIES = 4

export interface Cause {
  readonly name: string
  begin(): void | Promise<void>
  end(): void
  /** Whether no change at all may be acknowledged while it lasts; else the directory alone is behind. */
  readonly refuses: boolean
  /** Whether the changes carry blobs. */
  readonly large?: boolean
}

/** Changes of one daemon, each under a name of its own, and which of them were acknowledged. */
export class Changes {
  readonly #node: Node
  readonly #client: ControlClient
  readonly #acknowledged = new Map<string, string>()
  #count = 0

  constructor(node: Node) {
    this.#node = node
    this.#client = new ControlClient({ home: node.home })
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** Makes one change; resolves with why it was refused, or undefined when it is acknowledged. */
  async make(large = false): Promise<string | undefined> {
    const path = `changes/${++this.#count}.txt`
    const content = `change ${this.#count} `.padEnd(large ? LARGE_BYTES : 50, String(this.#count))
    try {
      const answer = await Promise.race([this.#client.put(path, once(content)), pause(ANSWER_MS)])
      if (answer === undefined) return 'no answer'
    } catch (error) {
      return error instanceof GrapevineError ? error.code : reasonOf(error)
    }
    this.#acknowledged.set(path, content)
    return undefined
  }

  /** Everything acknowledged is served, and lies in the directory. */
  async kept(): Promise<void> {
    for (const [path, content] of this.#acknowledged) {
      const served = await this.#node.cli('cat', path)
      assert.equal(served.stdout, content, `${path} was acknowledged: ${served.stderr}`)
    }
    await this.inDirectory()
  }

  async inDirectory(ms?: number): Promise<void> {
    const lies = (): boolean =>
      [...this.#acknowledged].every(([path, content]) => readFileSync(join(this.#node.dir, path), 'utf8') === content)
    await until('everything acknowledged lies in the directory', lies, ms)
  }

  close(): void {
    this.#client.close()
  }
}

/** Runs through one outage. The daemon runs before and after, as the same process. */
export async function outage(node: Node, changes: Changes, cause: Cause): Promise<{ refused: string[]; ms: number }> {
  const { pid } = node
  assert.equal(await changes.make(cause.large), undefined, 'a change before the outage')
  await changes.inDirectory()
  const refused: string[] = []
  await cause.begin()
  try {
    for (let at = 0; at < TRIES; at++) {
      const why = await changes.make(cause.large)
      if (why !== undefined) refused.push(why)
      else if (cause.refuses) assert.fail(`change ${at + 1} was acknowledged during: ${cause.name}`)
    }
    if (!cause.refuses) assert.deepEqual(refused, [], 'what the log takes is acknowledged')
  } finally {
    cause.end()
  }
  const began = performance.now()
  await until('changes are acknowledged again', async () => (await changes.make(cause.large)) === undefined, RESUME_MS)
  await changes.inDirectory(RESUME_MS)
  const ms = Math.round(performance.now() - began)
  assert.equal(node.pid, pid, 'the daemon was not started again')
  await until(
    'it reports nothing',
    async () => {
      const { state, problems } = await node.status()
      assert.deepEqual([state, problems], ['running', []])
      return true
    },
    RESUME_MS
  )
  return { refused, ms }
}

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}

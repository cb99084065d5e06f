/**
 * The built program's `start`, run in this process: the same command, daemon and control socket as in a process of its
 * own, without loading it all again for each start.
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Logging from '../../src/cli/logger.js'
import type { Output } from '../../src/cli/output.js'
import type * as Program from '../../src/cli/run.js'
import { ControlClient } from '../../src/control/index.js'
import type { Checked } from './crash-check.js'
import { MAIN, PACKAGE_ROOT } from './program.js'
import { TreeHasher } from './tree.js'
import { PATIENCE_MS } from './until.js'

const LAST_LINES = 30

/** A module of the built program. */
async function built<T>(file: string): Promise<T> {
  return (await import(pathToFileURL(join(PACKAGE_ROOT, 'dist', file)).href)) as T
}

/** Loads all that a start needs, once. */
export async function warmUp(): Promise<void> {
  await built('polyfill.js')
  await Promise.all(['cli/run.js', 'node.js', 'control/server.js', 'cli/logger.js'].map((file) => built(file)))
}

export class WarmDaemon implements Checked {
  readonly name = 'a'
  readonly home: string
  readonly dir: string
  readonly client: ControlClient
  readonly #logFile: string
  readonly #hasher = new TreeHasher()
  readonly #interrupt = new AbortController()
  #ended: Promise<number> = Promise.resolve(0)

  constructor(place: string) {
    this.home = join(place, 'home')
    this.dir = join(place, 'catalog')
    this.#logFile = join(place, 'warm-log.txt')
    this.client = new ControlClient({ home: this.home, timeoutMs: PATIENCE_MS })
  }

  /** Resolves when the daemon says that it is running. Throws, with its last lines, when it ends instead. */
  async start(): Promise<void> {
    const { main } = await built<typeof Program>('cli/run.js')
    const { createLogger } = await built<typeof Logging>('cli/logger.js')
    const log = openSync(this.#logFile, 'a')
    const running = Promise.withResolvers<void>()
    const words = ['start', '--dir', this.dir, '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns']
    process.argv = [process.execPath, MAIN, '--home', this.home, ...words]
    let said = ''
    const output = (heard: (text: string) => void): Output => ({
      write: async (chunk) => heard(Buffer.from(chunk).toString()),
      isTTY: false,
      columns: 80,
      closed: new AbortController().signal
    })
    this.#ended = main(process, {
      env: {},
      out: output((text) => text.includes('grapevine: running') && running.resolve()),
      err: output((text) => (said += text)),
      interrupts: () => this.#interrupt.signal,
      logger: async (level) => createLogger(level, log)
    }).finally(() => closeSync(log))
    await Promise.race([
      running.promise,
      this.#ended.then((code) => Promise.reject(new Error(`ended with ${code} instead of running: ${said}`)))
    ])
  }

  /** Orderly stop; resolves with the exit code. */
  async stop(): Promise<number> {
    this.#interrupt.abort()
    this.client.close()
    return this.#ended
  }

  async space(): ReturnType<Checked['space']> {
    return (await this.client.status()).spaces[0]!
  }

  files(): Promise<Array<[string, string]>> {
    return this.#hasher.files(this.dir)
  }

  tail(): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').slice(-LAST_LINES).join('\n')
  }
}

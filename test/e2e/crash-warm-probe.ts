/**
 * Lets one process do all probes of an index that starts in this process ask for, instead of a new one for each. It runs
 * the same code, and when LevelDB takes it down, the next probe gets another.
 */
import childProcess, { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PACKAGE_ROOT } from './program.js'

const WORKER = /probe-worker\.js$/
const FILE = join(PACKAGE_ROOT, 'test', 'e2e', 'crash-probe.mjs')

/** From now on in this process. */
export function keepProbeWarm(): void {
  const original = spawn
  const probe = new WarmProbe(() =>
    original(process.execPath, [FILE], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  )
  const replaced = (command: string, words: readonly string[], options: object): unknown =>
    WORKER.test(words[0] ?? '') ? probe.run(words[0]!, words[1]!) : original(command, words, options)
  // the one form the program calls
  childProcess.spawn = replaced as typeof spawn
  syncBuiltinESMExports()
}

class WarmProbe {
  readonly #start: () => ChildProcess
  #child: ChildProcess | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(start: () => ChildProcess) {
    this.#start = start
  }

  /** As the child process of one probe: ends with its exit code, or with the signal that took it. */
  run(worker: string, path: string): EventEmitter {
    const ending = new EventEmitter()
    this.#last = this.#last
      .then(() => this.#probe(worker, path))
      .then(([code, signal]) => {
        ending.emit('exit', code, signal)
      })
    return ending
  }

  async #probe(worker: string, path: string): Promise<[code: number | null, signal: NodeJS.Signals | null]> {
    const child = (this.#child ??= this.#start())
    const { promise, resolve } = Promise.withResolvers<[number | null, NodeJS.Signals | null]>()
    const died = (code: number | null, signal: NodeJS.Signals | null): void => {
      this.#child = undefined
      resolve([code, signal])
    }
    child.once('exit', died)
    child.once('message', (code) => resolve([code as number, null]))
    child.send({ worker: pathToFileURL(worker).href, path })
    const ending = await promise
    child.off('exit', died)
    return ending
  }
}

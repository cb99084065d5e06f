/** Judges that work side by side, each a process that has loaded the program and waits for images. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../../src/errors.js'
import type { Case, Verdict } from './crash-case.js'
import { atExit, cleanEnvironment } from './program.js'

/** Longest time of one judgement, ms: a check gives up long before. */
const JUDGEMENT_MS = 180_000
/** Judgements after which a judge makes way for a fresh one: what a stopped daemon left in it must not add up. */
const JUDGEMENTS_A_PROCESS = 500
/** Last words of a judge that are told, bytes. */
const LAST_WORDS_BYTES = 4_000

export class Judges {
  readonly #queue: Array<{ readonly one: Case; readonly done: (verdict: Verdict) => void }> = []
  readonly #place: string
  readonly #waiting: Array<() => void> = []
  readonly #working: Promise<void>[] = []
  #closed = false

  /** `count` processes over the images of `place`. */
  constructor(place: string, count: number) {
    this.#place = place
    for (let number = 1; number <= count; number++) this.#working.push(this.#work(number))
  }

  /** Images that wait for a judge. */
  get queued(): number {
    return this.#queue.length
  }

  judge(one: Case): Promise<Verdict> {
    return new Promise((done) => {
      this.#queue.push({ one, done })
      this.#waiting.shift()?.()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const wake of this.#waiting.splice(0)) wake()
    await Promise.all(this.#working)
  }

  async #work(number: number): Promise<void> {
    let judge: Judge | undefined
    let judged = 0
    while (!this.#closed || this.#queue.length > 0) {
      const next = this.#queue.shift()
      if (next === undefined) {
        await new Promise<void>((wake) => this.#waiting.push(wake))
        continue
      }
      judge ??= new Judge(this.#place, `${number}-${judged}`)
      // whoever waits for a verdict gets one in any case
      const verdict = await judge.judge(next.one).catch((error: unknown) => failed(reasonOf(error)))
      judged += 1
      // one that failed may have left a daemon running in it
      if (verdict.failure !== undefined || judged % JUDGEMENTS_A_PROCESS === 0) {
        await judge.end()
        judge = undefined
      }
      next.done(verdict)
    }
    await judge?.end()
  }
}

class Judge {
  readonly #child: ChildProcess
  readonly #ready: Promise<unknown>
  readonly #exited: Promise<unknown>
  readonly #forget: () => void
  #words = ''

  constructor(place: string, name: string) {
    const here = fileURLToPath(import.meta.url)
    const file = here.replace(/crash-judges(\.[jt]s)$/, 'crash-judge$1')
    const words = ['--mount', process.execPath, ...process.execArgv.filter(isLoader), file, place, name]
    this.#child = spawn('unshare', words, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: cleanEnvironment() })
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString()).slice(-LAST_WORDS_BYTES)
    })
    this.#forget = atExit(() => this.#child.kill('SIGKILL'))
    this.#exited = once(this.#child, 'exit')
    this.#ready = Promise.race([once(this.#child, 'message'), this.#exited])
  }

  async judge(one: Case): Promise<Verdict> {
    await this.#ready
    const died = this.#exited.then(() => this.#failed('the judge died'))
    const said = once(this.#child, 'message').then(([verdict]) => verdict as Verdict)
    const late = Promise.withResolvers<Verdict>()
    const timer = setTimeout(() => late.resolve(this.#failed('the judgement took too long')), JUDGEMENT_MS)
    // told also of one that is dead already
    this.#child.send(one, () => undefined)
    return Promise.race([died, said, late.promise]).finally(() => clearTimeout(timer))
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    this.#forget()
  }

  #failed(what: string): Verdict {
    return failed(`${what}: ${this.#words}`)
  }
}

function failed(failure: string): Verdict {
  return { failure, startMs: 0, operations: 0, again: false }
}

function isLoader(word: string, at: number, words: readonly string[]): boolean {
  const before = words[at - 1] ?? ''
  const loads = (one: string): boolean => /^--(import|require|loader)$/.test(one)
  return /^--(import|require|loader)=/.test(word) || loads(word) || loads(before)
}

/**
 * Runs of the program in a process that has loaded it already: most of a start is loading modules, and a tool that starts
 * a daemon a thousand times would do little else. What ended in order leaves its process to the next run; a process that
 * was killed or died of itself is replaced.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { MAIN, PACKAGE_ROOT, spawnNode, type Launched, type Where } from './program.js'

const PROGRAM = join(PACKAGE_ROOT, 'test', 'e2e', 'warm-program.mjs')

export class WarmProgram {
  readonly #mark = `-- ended ${randomUUID()}`
  #process: ChildProcess | undefined
  #run: Run | undefined

  /** As `launch`; one run at a time. The place in which the first run happens is that of all. */
  readonly launch = (args: readonly string[], where: Where = {}): Launched => {
    if (this.#run !== undefined) throw new Error('the run before has not ended')
    const child = (this.#process ??= this.#spawn(where))
    const run = (this.#run = new Run(child, (signal) => child.kill(signal)))
    child.send(args)
    return run
  }

  /** Lets the process end, when no run is left in it. */
  close(): void {
    this.#process?.disconnect()
  }

  #spawn(where: Where): ChildProcess {
    const child = spawnNode([PROGRAM, MAIN, this.#mark], where, ['ignore', 'pipe', 'pipe', 'ipc'])
    let unfinished = ''
    child.stdout!.on('data', (chunk: Buffer) => this.#run?.stdout.emit('data', chunk))
    child.stderr!.on('data', (chunk: Buffer) => {
      const lines = (unfinished + chunk.toString()).split('\n')
      unfinished = lines.pop()!
      for (const line of lines) this.#said(line)
    })
    // not before all it said was read
    child.once('close', (code, signal) => {
      if (this.#process === child) this.#process = undefined
      this.#end(code, signal)
    })
    return child
  }

  #said(line: string): void {
    if (line.startsWith(this.#mark)) this.#end(Number(line.slice(this.#mark.length)), null)
    else this.#run?.stderr.emit('data', Buffer.from(`${line}\n`))
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    const run = this.#run
    this.#run = undefined
    run?.emit('exit', code, signal)
  }
}

/** One run, as its starter sees it: much like a process of its own. */
class Run extends EventEmitter implements Launched {
  readonly stdout = new EventEmitter()
  readonly stderr = new EventEmitter()
  readonly kill: (signal: NodeJS.Signals) => boolean
  readonly #process: ChildProcess

  constructor(process: ChildProcess, kill: (signal: NodeJS.Signals) => boolean) {
    super()
    this.#process = process
    this.kill = kill
  }

  get pid(): number | undefined {
    return this.#process.pid
  }
}

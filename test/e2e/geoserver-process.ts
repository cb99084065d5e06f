/** A GeoServer, real or a stand-in, as a process that a command starts over a data directory. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { atExit } from './program.js'
import { until } from './until.js'

export interface GeoServerCommand {
  /** A line for the shell; `{dir}` is the data directory, `{port}` where it is to listen on loopback. */
  readonly start: string
  /** Where it lives in its web server, such as `/geoserver`. */
  readonly context: string
  readonly user: string
  readonly password: string
}

export interface Reply {
  readonly status: number
  readonly text: string
}

/** A real one takes 15-50 s, more with several on a small machine, ms. */
const START_MS = 300_000
/** An orderly end, ms; afterwards it is killed. */
const STOP_MS = 30_000
const ASK_MS = 60_000
const LOOK_EVERY_MS = 250

export class GeoServerProcess {
  readonly url: string
  /** Its output. */
  readonly logFile: string
  readonly #command: GeoServerCommand
  readonly #dir: string
  readonly #port: number
  #child: ChildProcess | undefined
  #isReady = false
  #exited: Promise<unknown> = Promise.resolve()

  constructor(command: GeoServerCommand, dir: string, port: number, logFile: string) {
    this.#command = command
    this.#dir = dir
    this.#port = port
    this.logFile = logFile
    this.url = `http://127.0.0.1:${port}${command.context}`
  }

  /** It has answered since it was started. */
  get running(): boolean {
    return this.#isReady
  }

  /** Resolves when it answers. Throws when it ends instead, or says nothing for five minutes. */
  async start(): Promise<void> {
    const line = this.#command.start.replaceAll('{dir}', this.#dir).replaceAll('{port}', String(this.#port))
    const log = openSync(this.logFile, 'a')
    // a group of its own, so that whatever the shell starts ends with it
    const child = spawn('/bin/sh', ['-c', line], { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    this.#child = child
    const forget = atExit(() => signalGroup(child, 'SIGKILL'))
    this.#exited = once(child, 'exit').then(() => {
      forget()
      if (this.#child !== child) return
      this.#child = undefined
      this.#isReady = false
    })
    await until('GeoServer answers', async () => this.#child === undefined || (await this.#answers()), START_MS)
    if (this.#child === undefined) throw new Error(`GeoServer ended instead of running; its log is ${this.logFile}`)
    this.#isReady = true
  }

  async #answers(): Promise<boolean> {
    await pause(LOOK_EVERY_MS)
    return (await this.ask('GET', '/rest/about/version.xml')).status === 200
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#isReady = false
    signalGroup(child, 'SIGTERM')
    const late = AbortSignal.timeout(STOP_MS)
    late.addEventListener('abort', () => signalGroup(child, 'SIGKILL'))
    await this.#exited
  }

  /** One call as its administrator; `path` from the context on. */
  async ask(method: string, path: string, body?: string, type = 'application/xml'): Promise<Reply> {
    const { user, password } = this.#command
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        accept: 'application/xml, */*;q=0.1',
        'content-type': type
      },
      signal: AbortSignal.timeout(ASK_MS),
      ...(body === undefined ? {} : { body })
    })
    // a picture is no text, but the same picture is the same text
    return { status: response.status, text: Buffer.from(await response.arrayBuffer()).toString('latin1') }
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // it has ended
  }
}

/** All that is said on a LAN of namespaces, captured by tcpdump on its switch from start to end. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { atExit } from '../test/e2e/program.js'
import { until } from '../test/e2e/until.js'
import type { Lan } from './network-lan.js'
import { readFrames, streamsOf, type Stream } from './pcap.js'

/** Kept by the kernel while tcpdump is not served, KiB: a busy machine must not lose a frame. */
const BUFFER_KIB = 65_536

export interface Captured {
  /** Whole files, with every frame of whatever protocol. */
  readonly files: readonly Buffer[]
  readonly frames: number
  /** Frames that are not, or not wholly, in the files. */
  readonly lost: number
  readonly streams: readonly Stream[]
}

export class Capture {
  readonly #watchers: Array<{ file: string; child: ChildProcess; said: () => string; ended: Promise<unknown> }> = []
  readonly #forget: () => void

  /** Why nothing can be captured here, or undefined. Installs tcpdump where that is possible. */
  static whyNot(): string | undefined {
    const present = (): boolean => spawnSync('tcpdump', ['--version']).status === 0
    if (present()) return undefined
    process.stdout.write('installing tcpdump\n')
    const { status } = spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'tcpdump'])
    return status === 0 && present() ? undefined : 'tcpdump is missing and cannot be installed'
  }

  constructor(lan: Lan, place: string) {
    this.#forget = atExit(() => this.kill())
    for (const { prefix, device } of lan.switchboard()) {
      const file = join(place, `${device}.pcap`)
      const words = [
        'tcpdump',
        '-i',
        device,
        '-n',
        '-U',
        '--immediate-mode',
        '-Z',
        'root',
        '-B',
        `${BUFFER_KIB}`,
        '-w',
        file
      ]
      const [command, ...rest] = [...prefix, ...words]
      const child = spawn(command!, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
      let said = ''
      child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()))
      const ended = new Promise((done) => child.once('close', done))
      this.#watchers.push({ file, child, said: () => said, ended })
    }
  }

  /** Resolves when nothing that is sent from now on is missed. */
  async started(): Promise<void> {
    for (const { said } of this.#watchers) await until('tcpdump listens', () => said().includes('listening on'))
  }

  /** Ends it, and reads what it has. */
  async finish(): Promise<Captured> {
    for (const { child } of this.#watchers) child.kill('SIGINT')
    await Promise.all(this.#watchers.map(({ ended }) => ended))
    this.#forget()
    const files = this.#watchers.map(({ file }) => readFileSync(file))
    const frames = files.map(readFrames)
    const dropped = this.#watchers.map(({ said }) => Number(/(\d+) packets? dropped by kernel/.exec(said())![1]))
    return {
      files,
      frames: sum(frames.map(({ list }) => list.length)),
      lost: sum([...dropped, ...frames.map(({ cut }) => cut)]),
      streams: streamsOf(frames.flatMap(({ list }) => list))
    }
  }

  kill(): void {
    for (const { child } of this.#watchers) child.kill('SIGKILL')
    this.#forget()
  }
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

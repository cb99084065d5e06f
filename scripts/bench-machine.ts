/** What a figure means nothing without: the machine, the version measured, and what else the machine did meanwhile. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
/** Ticks a second in /proc, on every Linux that Node runs on. */
const TICKS_PER_S = 100

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryMiB: number
  /** Kernel and architecture. */
  readonly system: string
}

export function machine(): Machine {
  const all = cpus()
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    system: `${platform()} ${release()} ${arch()}`
  }
}

/** The version of package.json, with the commit it was built from where that is known; `+` behind it: and changes. */
export function versionMeasured(): string {
  const { version } = JSON.parse(readFileSync(`${REPOSITORY}/package.json`, 'utf8')) as { version: string }
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: REPOSITORY, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
    return `${version} ${git('rev-parse', '--short=10', 'HEAD')}${changed ? '+' : ''}`
  } catch {
    return version
  }
}

export interface Usage {
  /** User and system time, s. */
  readonly cpuS: number
  readonly rssMiB: number
}

function statOf(pid: number | string): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** What these processes and their children use; nothing of those that are gone. */
export function usageOf(pids: readonly number[]): Usage {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(quietly(() => statOf(name)[1]))
    if (!Number.isNaN(parent)) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const family = (pid: number): number[] => [pid, ...(children.get(pid) ?? []).flatMap(family)]
  let cpuS = 0
  let rssMiB = 0
  for (const pid of new Set(pids.flatMap(family))) {
    const fields = quietly(() => statOf(pid))
    cpuS += fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
    const status = quietly(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? ''
    rssMiB += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024
  }
  return { cpuS, rssMiB }
}

/** A process may end while it is looked at. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

/** Bytes sent over the loopback device of this network namespace, headers counted. */
export function wireBytes(): number {
  return Number(/lo:\s*(\d+)/.exec(readFileSync('/proc/net/dev', 'utf8'))?.[1] ?? 0)
}

/** Tells how much of one core others took between two calls, in percent. */
export class ForeignLoad {
  #before = this.#now()

  /** Since the last call, or since this was made. */
  percent(): number {
    const now = this.#now()
    const { atMs, allS, ownS } = this.#before
    this.#before = now
    const seconds = Math.max(0.001, (now.atMs - atMs) / 1_000)
    return Math.max(0, Math.round(((now.allS - allS - (now.ownS - ownS)) / seconds) * 100))
  }

  #now(): { atMs: number; allS: number; ownS: number } {
    const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0] = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]!
      .split(/\s+/)
      .slice(1)
      .map(Number)
    const own = statOf(process.pid)
    // children that ended have left their time with us
    const ended = (Number(own[13]) + Number(own[14])) / TICKS_PER_S
    return {
      atMs: performance.now(),
      allS: (user + nice + system + irq + soft) / TICKS_PER_S,
      ownS: usageOf([process.pid]).cpuS + ended
    }
  }
}

/** Calls for files that fail on demand, in this process. What they are is told by hook.mjs. */
import { existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PACKAGE_ROOT } from '../e2e/program.js'

export interface Rule {
  /** Names of calls, as a regular expression; `sync` stands for datasync, `create` for an open that may make a file. */
  readonly op?: string
  /** Part of the path, as a regular expression. */
  readonly path?: string
  /** Default EIO. */
  readonly code?: string
  /** Calls that match and still succeed. */
  readonly skip?: number
  /** Calls that fail; default all. */
  readonly times?: number
}

export const HOOK = pathToFileURL(join(PACKAGE_ROOT, 'test', 'faults', 'hook.mjs')).href

const hook = (await import(HOOK)) as {
  setRules(rules: readonly Rule[]): void
  onCall(listener: ((call: string) => void) | undefined): void
}

/** Runs `work` while calls fail as the rules say. */
export async function withFaults<T>(rules: Rule | readonly Rule[], work: () => Promise<T> | T): Promise<T> {
  hook.setRules([rules].flat())
  try {
    return await work()
  } finally {
    hook.setRules([])
  }
}

/** Tells every call made for files while `work` runs, as `op path`, before it is made. */
export async function watchCalls<T>(listener: (call: string) => void, work: () => Promise<T>): Promise<T> {
  hook.onCall(listener)
  try {
    return await work()
  } finally {
    hook.onCall(undefined)
  }
}

/** Every call made for files while `work` runs, as `op path`, in order. */
export async function callsOf(work: () => Promise<unknown>): Promise<string[]> {
  const calls: string[] = []
  await watchCalls((call) => calls.push(call), work)
  return calls
}

/** Files and directories this process has open whose path holds this text; nothing where that cannot be known. */
export function openBelow(part: string): string[] {
  if (!existsSync('/proc/self/fd')) return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    const path = lstatSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false }) && readlinkSync(`/proc/self/fd/${fd}`)
    return path?.includes(part) ? [path] : []
  })
}

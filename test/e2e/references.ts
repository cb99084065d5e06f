/** The eyes of `references-hook.mjs`, for this process and for daemons. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PACKAGE_ROOT } from './program.js'

export interface References {
  readonly broken: ReadonlySet<string>
  readonly size: number
  readonly references: number
  set(path: string, text: string | undefined): void
  ownId(path: string): string | undefined
  owner(id: string): string | undefined
  paths(): string[]
}

interface Eyes {
  readonly References: new () => References
  filesBelow(root: string): string[]
  textAt(root: string, path: string): string | undefined
}

const HOOK = pathToFileURL(join(PACKAGE_ROOT, 'test', 'e2e', 'references-hook.mjs')).href

export const eyes = (): Promise<Eyes> => import(HOOK) as Promise<Eyes>

/** What a daemon is started with so that each of its writes below `dir` is looked at. */
export function watching(dir: string, log: string): Record<string, string> {
  return { NODE_OPTIONS: `--import=${HOOK}`, REFERENCES_DIR: dir, REFERENCES_LOG: log }
}

/** References that broke or were mended by one write. */
export interface Turn {
  /** Wall clock, ms. */
  readonly at: number
  readonly writes: number
  readonly path?: string
  /** The id that the object at the path had before. */
  readonly was?: string
  readonly broke: readonly string[]
  readonly mended: readonly string[]
}

export function turnsIn(log: string): Turn[] {
  if (!existsSync(log)) return []
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Turn)
}

/** What the source was like around a step: what was broken at rest before and after, and whose ids were replaced. */
export interface Around {
  /** When the step began, wall clock, ms. */
  readonly at: number
  readonly step: number
  readonly broken: ReadonlySet<string>
  /** Ids that an object had before or after, and that went or came in its place. */
  readonly replaced: ReadonlySet<string>
}

export interface Verdict {
  /** Writes that were looked at. */
  readonly writes: number
  /** What a receiver had broken and its source had not. */
  readonly violations: string[]
  /** Broken between two writes of one set, because an object and all that refers to it got another id. */
  readonly inPlace: { readonly count: number; readonly longestMs: number }
  readonly brokenAtTheEnd: ReadonlySet<string>
}

/** With a directory that is renamed what is broken in it moves along. */
function movedAlong(each: string, { mended }: Turn): boolean {
  const what = each.split(' -> ')[1]!
  return mended.some((other) => other.endsWith(` -> ${what}`))
}

/** Holds each write of a receiver against its source. `around` in the order of time. */
export function judge(
  turns: readonly Turn[],
  around: readonly Around[],
  start: ReadonlySet<string> = new Set()
): Verdict {
  const violations: string[] = []
  const open = new Map<string, Turn>()
  const broken = new Set(start)
  let [count, longestMs] = [0, 0]
  for (const turn of turns) {
    const now = around.findLast(({ at }) => at <= turn.at)
    for (const each of turn.mended) {
      broken.delete(each)
      const since = open.get(each)
      if (since !== undefined) longestMs = Math.max(longestMs, turn.at - since.at)
      open.delete(each)
    }
    for (const each of turn.broke) {
      broken.add(each)
      if (now?.broken.has(each) === true || movedAlong(each, turn)) continue
      const what = each.split(' -> ')[1]!
      // another id in the place of the one that is missing now, wherever the directory was called before
      if (turn.was === what || now?.replaced.has(what) === true) {
        count++
        open.set(each, turn)
      } else violations.push(`step ${now?.step ?? 0}: ${each}, by the write of ${turn.path ?? '?'}`)
    }
  }
  for (const [each, { path }] of open) violations.push(`left behind: ${each}, by the write of ${path ?? '?'}`)
  return { writes: turns.at(-1)?.writes ?? 0, violations, inPlace: { count, longestMs }, brokenAtTheEnd: broken }
}

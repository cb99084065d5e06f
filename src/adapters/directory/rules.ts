/** What is not shared. Patterns have gitignore's syntax and are matched against paths relative to the root. */
import ignore, { type Ignore } from 'ignore'

/** A file of this name in the root holds further patterns, one a line. It is itself shared like any other file. */
export const IGNORE_FILE = '.grapevineignore'

/** Our own scratch files; a daemon that died may leave some behind, see leftovers.ts. */
export const TEMP_PREFIX = '.grapevine-tmp-'

const UUID = [8, 4, 4, 4, 12].map((digits) => '[0-9a-fA-F]'.repeat(digits)).join('-')

/** Only what is certainly scratch: everything else is the operator's to decide. */
export const BUILT_IN_RULES: ReadonlyArray<{ readonly pattern: string; readonly reason: string }> = [
  { pattern: '/.grapevine/', reason: "a node's home: keys and log, never shared" },
  { pattern: `${TEMP_PREFIX}*`, reason: 'files this daemon is writing; renamed to their real name when complete' },
  {
    pattern: `*.${UUID}.tmp`,
    reason: "GeoServer's temporary file X.<uuid>.tmp, renamed over X when complete"
  },
  {
    pattern: '/gwc-layers/*.xml.tmp',
    reason: 'GeoServer writes tile layers through two temporary names; this is the second'
  }
]

/** What whoever knows the directory leaves out besides; true for a path means the same for all that is below it. */
export type LeavesOut = (path: string, kind: 'file' | 'dir') => boolean

export class Rules {
  readonly #own: readonly string[]
  #matcher: Ignore

  readonly #leavesOut: LeavesOut

  /** `extra` are patterns of the configuration; those of the ignore file come with `read`. */
  constructor(extra: readonly string[], leavesOut: LeavesOut = () => false) {
    this.#own = extra
    this.#leavesOut = leavesOut
    this.#matcher = this.#build('')
  }

  /** Takes the text of the ignore file ('' when there is none). */
  read(text: string): void {
    this.#matcher = this.#build(text)
  }

  /** True when the path, or a directory above it, is left out. */
  ignores(path: string, kind: 'file' | 'dir'): boolean {
    if (path === '') return false
    return this.#matcher.ignores(kind === 'dir' ? `${path}/` : path) || this.#leavesOut(path, kind)
  }

  #build(text: string): Ignore {
    // order decides in gitignore: the built-in rules come last so that no `!pattern` can share keys or scratch files
    return ignore({ ignorecase: false })
      .add(text)
      .add([...this.#own])
      .add(BUILT_IN_RULES.map((rule) => rule.pattern))
  }
}

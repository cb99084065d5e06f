/** What a path of the data directory is, for whom, and why: the table of `file-rules.ts` and the operator's own lines. */
import { GrapevineError } from '../../errors.js'
import { globOf } from '../paths.js'
import { ownField, type OwnField } from './own-fields.js'
import type { Place } from './travel.js'
import { FILE_RULES, type FileKind, type FileRule, type Sharing } from './file-rules.js'

export interface FileClass {
  readonly kind: FileKind
  readonly sharing: Sharing
  readonly reason: string
  /** The workspace it belongs to; null for what is global. */
  readonly workspace: string | null
}

/** Operator's lines that are taken. */
export const MAX_OWN_RULES = 1_000
/** Longest line, characters. */
export const MAX_OWN_RULE_CHARS = 1_024
/** Wildcards of one line: each can multiply the time of a comparison by the length of a path. */
export const MAX_OWN_RULE_WILDCARDS = 4

interface Matcher {
  readonly rule: FileRule
  readonly matches: RegExp
}

/** A line of the operator: `share PATTERN` or `local PATTERN`. */
interface OwnRule {
  readonly word: 'share' | 'local'
  readonly pattern: string
  readonly matches: RegExp
  /** Whether something below a directory may match. */
  reachesBelow(directory: string): boolean
}

export class Classifier {
  static readonly #builtIn: readonly Matcher[] = FILE_RULES.map((rule) => ({ rule, matches: globOf(rule.pattern) }))
  readonly #own: readonly OwnRule[]
  readonly #fields: readonly OwnField[]

  /**
   * `own`: lines `share PATTERN` or `local PATTERN`, of which the last that matches wins, and `field PATTERN ELEMENT/ELEMENT`,
   * which all count. Throws `config-invalid`.
   */
  constructor(own: readonly string[] = []) {
    if (own.length > MAX_OWN_RULES) throw badRule(`there are more than ${MAX_OWN_RULES} rules`)
    const lines = own.map(ruleOf)
    this.#own = lines.filter((line) => 'word' in line).toReversed()
    this.#fields = lines.filter((line) => 'path' in line)
  }

  /** `path` is relative and `/`-separated. Never throws. */
  classify(path: string): FileClass {
    const { rule } = Classifier.#builtIn.find(({ matches }) => matches.test(path))!
    const workspace = /^workspaces\/([^/]+)\/./s.exec(path)?.[1] ?? null
    const own = this.#own.find(({ matches }) => matches.test(path))
    const { kind } = rule
    if (own === undefined || rule.sharing === 'secret')
      return { kind, sharing: rule.sharing, reason: rule.reason, workspace }
    const reason = `the configuration says: ${own.word} ${own.pattern}`
    // by field is how such a file is shared: its bytes as they are would set off a storm of changes
    const sharing = own.word === 'local' ? 'local' : rule.sharing === 'by-field' ? 'by-field' : 'shared'
    return { kind, sharing, reason, workspace }
  }

  /** Where a file by field lies; null for every other path. */
  placeOf(path: string): Place | null {
    const { kind, sharing } = this.classify(path)
    if (sharing !== 'by-field') return null
    const own = this.#fields.filter(({ matches }) => matches.test(path)).map((field) => field.path)
    return { path, kind, ...(own.length > 0 && { ownFields: own }) }
  }

  /** Whether the path stays on this node; a directory only when nothing below it can be shared. */
  leavesOut(path: string, type: 'file' | 'dir'): boolean {
    const { sharing } = this.classify(path)
    if (travels(sharing)) return false
    if (type === 'file') return true
    return !this.#own.some((own) => own.word === 'share' && own.reachesBelow(path))
  }
}

export function travels(sharing: Sharing): boolean {
  return sharing === 'shared' || sharing === 'by-field'
}

function ruleOf(line: string): OwnRule | OwnField {
  if (line.length > MAX_OWN_RULE_CHARS) throw badRule(`a rule is longer than ${MAX_OWN_RULE_CHARS} characters`)
  const parts = /^(share|local|field)\s+\/?(\S.*)$/s.exec(line.trim())
  if (parts === null)
    throw badRule(
      `the rule ${JSON.stringify(line)} is not "share PATTERN", "local PATTERN" or "field PATTERN ELEMENT/ELEMENT"`
    )
  const [, word, rest] = parts as unknown as [string, 'share' | 'local' | 'field', string]
  if (word === 'field') {
    const field = ownField(rest)
    checkPattern(field.pattern)
    return field
  }
  checkPattern(rest)
  return fileRule(word, rest)
}

/** Throws `config-invalid`. */
function checkPattern(pattern: string): void {
  if (/[{}]/.test(pattern)) throw badRule(`the pattern ${pattern} has braces: give a rule for each alternative`)
  if (pattern.split(/\*+/).length - 1 > MAX_OWN_RULE_WILDCARDS)
    throw badRule(`the pattern ${pattern} has more than ${MAX_OWN_RULE_WILDCARDS} wildcards`)
}

function fileRule(word: OwnRule['word'], pattern: string): OwnRule {
  const names = pattern.split('/')
  return {
    word,
    pattern,
    matches: globOf(pattern),
    reachesBelow: (directory) => {
      const above = directory.split('/')
      const open = names.indexOf('**')
      if (open < 0 && names.length <= above.length) return false
      const compared = open < 0 ? above.length : Math.min(open, above.length)
      return above.slice(0, compared).every((name, at) => globOf(names[at]!).test(name))
    }
  }
}

function badRule(message: string): GrapevineError {
  return new GrapevineError('config-invalid', message, {
    next: 'write it as in "share security/layers.properties", "local data/**" or "field wms.xml maxRenderingTime"'
  })
}

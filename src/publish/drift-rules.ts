/** What becomes of drift at which path: the operator's own lines, the last that matches decides. Pure. */
import { globOf } from '../adapters/paths.js'
import { GrapevineError } from '../errors.js'

/**
 * report: it is shown, and makes way with its bytes kept when the catalog changes there. restore: it makes way at once.
 * adopt: it is proposed to nodes that may write there, and such a node takes it over where its own rules say so.
 */
export type DriftPolicy = 'report' | 'restore' | 'adopt'

/** Lines that are taken. */
export const MAX_DRIFT_RULES = 1_000
/** Longest line, characters. */
export const MAX_DRIFT_RULE_CHARS = 1_024
/** Wildcards of one line: each can multiply the time of a comparison by the length of a path. */
export const MAX_DRIFT_RULE_WILDCARDS = 4

const NEXT = 'write it as in "restore styles/**" or "adopt workspaces/topp/**"'

export class DriftRules {
  readonly #rules: ReadonlyArray<{ readonly policy: DriftPolicy; readonly matches: RegExp }>

  /** Lines `report PATTERN`, `restore PATTERN` or `adopt PATTERN`. Throws `config-invalid`. */
  constructor(lines: readonly string[] = []) {
    if (lines.length > MAX_DRIFT_RULES) throw badRule(`there are more than ${MAX_DRIFT_RULES} rules about drift`)
    this.#rules = lines.map(ruleOf).toReversed()
  }

  /** What nothing is said about is reported. */
  policyOf(path: string): DriftPolicy {
    return this.#rules.find(({ matches }) => matches.test(path))?.policy ?? 'report'
  }
}

function ruleOf(line: string): { policy: DriftPolicy; matches: RegExp } {
  if (line.length > MAX_DRIFT_RULE_CHARS)
    throw badRule(`a rule about drift is longer than ${MAX_DRIFT_RULE_CHARS} characters`)
  const parts = /^(report|restore|adopt)\s+\/?(\S.*)$/s.exec(line.trim())
  if (parts === null)
    throw badRule(`the rule ${JSON.stringify(line)} is not "report PATTERN", "restore PATTERN" or "adopt PATTERN"`)
  const pattern = parts[2]!
  if (/[{}]/.test(pattern)) throw badRule(`the pattern ${pattern} has braces: give a rule for each alternative`)
  if (pattern.split(/\*+/).length - 1 > MAX_DRIFT_RULE_WILDCARDS)
    throw badRule(`the pattern ${pattern} has more than ${MAX_DRIFT_RULE_WILDCARDS} wildcards`)
  return { policy: parts[1] as DriftPolicy, matches: globOf(pattern) }
}

function badRule(message: string): GrapevineError {
  return new GrapevineError('config-invalid', message, { next: NEXT })
}

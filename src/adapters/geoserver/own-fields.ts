/**
 * Fields that the operator keeps on each node, besides those of `field-rules.ts`: lines `field PATTERN ELEMENT/ELEMENT`. What
 * says which object this is, and where it belongs, is the same everywhere and is refused.
 */
import { GrapevineError } from '../../errors.js'
import { globOf } from '../paths.js'

/** Longest way to a field, elements. */
export const MAX_STEPS = 8

export interface OwnField {
  readonly pattern: string
  readonly matches: RegExp
  /** Names of elements from below the root; the last may say which entry of a map: `entry[host]`. */
  readonly path: readonly string[]
}

/** Below the root of a document: who it is, and what it is part of. */
const WHO_AND_WHERE: ReadonlySet<string> = new Set([
  'name',
  'prefix',
  'workspace',
  'namespace',
  'store',
  'resource',
  'filename',
  'publishables'
])
const NAME = /^[\p{L}_][\p{L}\p{N}_.:-]*$/u
const ENTRY = /\[[^[\]]+\]$/

/** What follows the word `field`. Throws `config-invalid`. */
export function ownField(rest: string): OwnField {
  const parts = /^\/?(\S.*)\s(\S+)$/s.exec(rest.trim())
  if (parts === null) throw badField(`the rule "field ${rest.trim()}" does not name files and a field of theirs`)
  const [, pattern, field] = parts as unknown as [string, string, string]
  const path = field.split('/')
  const names = path.map((step, at) => (at === path.length - 1 ? step.replace(ENTRY, '') : step))
  if (path.length > MAX_STEPS || !names.every((name) => NAME.test(name)))
    throw badField(`the field ${field} is not a way of at most ${MAX_STEPS} elements`)
  if (names.includes('id') || WHO_AND_WHERE.has(names[0]!))
    throw badField(`the field ${field} says which object this is or where it belongs, which all nodes have alike`)
  return { pattern: pattern.trim(), matches: globOf(pattern.trim()), path }
}

function badField(message: string): GrapevineError {
  return new GrapevineError('config-invalid', message, {
    next: 'write it as in "field wms.xml maxRenderingTime" or "field workspaces/*/*/datastore.xml connectionParameters/entry[host]"'
  })
}

/** Names of entries come from anywhere and end in file systems: hostile until proven otherwise, on every platform. */
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from './limits.js'

const CONTROL = /[\u0000-\u001f\u007f]/
/** Names that are fine on sight, as most are. */
const PLAIN_NAME = /^[\w-][\w.-]*$/
const PLAIN_PATH = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/

/** Why no node may hold an entry of this name, or undefined when it is fine. */
export function nameProblem(name: string): string | undefined {
  if (name.length <= MAX_NAME_BYTES && PLAIN_NAME.test(name)) return undefined
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'points at a directory itself'
  if (name.includes('/') || name.includes('\\')) return 'holds a path separator'
  if (CONTROL.test(name)) return 'holds a control character'
  if (!name.isWellFormed()) return 'is not valid Unicode'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `has more than ${MAX_NAME_BYTES} bytes`
  return undefined
}

/** Why a path cannot be used, or undefined. A path is names joined by `/`, without a leading or trailing one. */
export function pathProblem(path: string): string | undefined {
  if (path.length <= MAX_NAME_BYTES && PLAIN_PATH.test(path)) return undefined
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `has more than ${MAX_PATH_BYTES} bytes`
  for (const name of path.split('/')) {
    const problem = nameProblem(name)
    if (problem !== undefined) return problem
  }
  return undefined
}

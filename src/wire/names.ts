/** Names of entries come from anywhere and end in file systems: hostile until proven otherwise, on every platform. */
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from './limits.js'

const CONTROL = /[\u0000-\u001f\u007f]/
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** Why no node may hold an entry of this name, or undefined when it is fine. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'points at a directory itself'
  if (name.includes('/') || name.includes('\\')) return 'holds a path separator'
  if (CONTROL.test(name)) return 'holds a control character'
  if (LONE_SURROGATE.test(name)) return 'is not valid Unicode'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `has more than ${MAX_NAME_BYTES} bytes`
  return undefined
}

/** Why a path cannot be used, or undefined. A path is names joined by `/`, without a leading or trailing one. */
export function pathProblem(path: string): string | undefined {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `has more than ${MAX_PATH_BYTES} bytes`
  for (const name of path.split('/')) {
    const problem = nameProblem(name)
    if (problem !== undefined) return problem
  }
  return undefined
}

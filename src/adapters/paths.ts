/**
 * Which paths contain which, and which fit a pattern. Paths are relative and `/`-separated; '' is the root and contains
 * all.
 */

/** Whether `path` is one of `scopes` or below one of them. */
export function isWithin(path: string, scopes: ReadonlySet<string>): boolean {
  if (scopes.has(path) || scopes.has('')) return true
  for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
    if (scopes.has(path.slice(0, cut))) return true
  }
  return false
}

/** The given paths without repeats and without those below another. */
export function outermost(paths: Iterable<string>): string[] {
  const all = new Set(paths)
  if (all.has('')) return ['']
  return [...all].filter((path) => {
    const above = path.lastIndexOf('/')
    return above <= 0 || !isWithin(path.slice(0, above), all)
  })
}

/**
 * A pattern over whole paths: `*` is anything within one name, `**` any number of names, `{a,b}` either, and a pattern that
 * ends in `/**` means the directory itself, too. Only bounded pieces, so that no path makes it slow.
 */
export function globOf(pattern: string): RegExp {
  let source = ''
  let depth = 0
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at)
    if (rest === '/**') [source, at] = [`${source}(?:/.*)?`, at + 2]
    else if (rest.startsWith('**/')) [source, at] = [`${source}(?:.*/)?`, at + 2]
    else if (rest.startsWith('**')) [source, at] = [`${source}.*`, at + 1]
    else if (rest[0] === '*') source += '[^/]*'
    else if (rest[0] === '{') [source, depth] = [`${source}(?:`, depth + 1]
    else if (rest[0] === '}' && depth > 0) [source, depth] = [`${source})`, depth - 1]
    else if (rest[0] === ',' && depth > 0) source += '|'
    else source += rest[0]!.replace(/[.+?^$()|[\]\\{}]/g, '\\$&')
  }
  return new RegExp(`^${source}${')'.repeat(depth)}$`, 's')
}

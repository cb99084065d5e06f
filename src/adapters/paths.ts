/** Which paths contain which. Paths are relative and `/`-separated; '' is the root and contains all. */

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

/** Paths of the catalog as people type them: `/a/`, `./a` and `a` are the same entry; '' is the root. */
import { GrapevineError } from '../errors.js'

export function catalogPath(text: string): string {
  if (text.startsWith('id:')) return text
  const parts = text.split('/').filter((part) => part !== '' && part !== '.')
  if (!parts.includes('..')) return parts.join('/')
  throw new GrapevineError('name-not-allowed', `the path ${text} leads out of the catalog`, {
    next: 'name the entry from the root of the catalog, without ..',
    facts: { path: text }
  })
}

/** As catalogPath, where the root itself will not do. */
export function entryPath(text: string): string {
  const path = catalogPath(text)
  if (path !== '') return path
  throw new GrapevineError('usage', 'the root of the catalog is no entry', {
    next: 'name an entry, see `grapevine ls`'
  })
}
